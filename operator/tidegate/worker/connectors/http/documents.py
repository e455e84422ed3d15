"""Converts between records and the API's JSON documents."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.json_documents import (
    Document,
    Kinds,
    has,
    key_of,
    names_of_nothing,
    part_of,
    put,
    shown_at,
    unusable,
    value_at,
)
from tidegate.worker.connectors.untyped import Untyped
from tidegate.worker.connectors.where import OUTSIDE, in_words
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import MISSING, Value

# This many records of a page are enough to learn the kinds of values that its fields have.
_TELLING = 100


class BadItemError(ConfigurationError):
    """An item of a list cannot be read as a record; `key` is its id where it has one.

    A single such item is set aside; many of them mean that the configuration is wrong.
    """

    def __init__(self, complaint: str, key: Key | None = None) -> None:
        super().__init__(complaint)
        self.key = key


class Documents:
    """Converts one object's records."""

    def __init__(self, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self._title = description.title
        self._settings = settings
        self._names = [field.name for field in description.fields]
        self._uses = description.fields
        self._match = [self._names[i] for i in description.match]
        self._kinds = Kinds(len(self._names))
        self._constants = description.constants

    def field_types(self) -> Sequence[Untyped]:
        """The type of each field."""
        return [Untyped("JSON", partial(self._kinds.stored, i), is_json=True) for i in range(len(self._names))]

    def record(self, document: Any) -> Record:
        """Read a document. Raises BadItemError when it is not an object, or has no id or an unusable value."""
        if not isinstance(document, dict):
            raise BadItemError(f"{self._title}: a record is not a JSON object; see items and item")
        key = key_of(document, self._settings.id)
        if key is None:
            raise BadItemError(
                f"{self._title}: id: a record has no {self._settings.id} that is a text or a whole number; it has "
                f"{', '.join(map(str, document)) or 'nothing'}"
            )
        cursor = self._settings.cursor
        value = shown_at if self._settings.missing == "unknown" else value_at
        values = tuple(value(document, name) for name in self._names)
        for name, each in zip(self._names, values, strict=True):
            if problem := "" if each is None or isinstance(each, (bool, float)) else unusable(each):
                raise BadItemError(f"{self._title}: field {name}: its value {problem}", key)
        return Record(key, values, None if cursor is None else value_at(document, cursor))

    def match_of(self, document: Any, key: Key) -> Record:
        """The match fields of an item that cannot be read, as far as they are usable: the item may be found by them."""
        found = [value_at(document, name) if isinstance(document, dict) else None for name in self._names]
        return Record(key, tuple(None if unusable(value) else value for value in found))

    def learn(self, records: Sequence[Record]) -> None:
        """Learn the kinds of values that the fields have."""
        for record in records[:_TELLING]:
            self._kinds.see(record.values)

    def check(self, documents: Sequence[Document]) -> None:
        """Raise ConfigurationError when no document has a field: its name is mistyped, or has changed in the API."""
        unknown = self._settings.missing == "unknown"
        deleted = self._settings.deleted
        if deleted is not None and unknown and names_of_nothing(documents, [deleted.field]):
            raise ConfigurationError(
                f"{self._title}: deleted: none of the first {len(documents)} records has {deleted.field}; they have "
                f"{_names_of(documents)}; where the API leaves out what is empty, write missing: empty"
            )
        compared = [each.field for each in self._settings.where if each.operator not in ("Exists", "DoesNotExist")]
        if unknown and (missing := names_of_nothing(documents, compared)):
            raise ConfigurationError(
                f"{self._title}: where: none of the first {len(documents)} records has {missing[0]}; they have "
                f"{_names_of(documents)}; where the API leaves out what is empty, write missing: empty"
            )
        if missing := names_of_nothing(documents, self._names if unknown else self._match):
            advice = "; where the API leaves out what is empty, write missing: empty" if unknown else ""
            raise ConfigurationError(
                f"{self._title}: field {missing[0]}: none of the first {len(documents)} records has it; they have "
                f"{_names_of(documents)}{advice}"
            )

    def is_wanting(self, listed: Record) -> bool:
        """Whether a list may show fewer fields of a record than the API has."""
        return any(map(_is_nothing, listed.values))

    def shows_more(self, document: Document, listed: Record) -> bool:
        """Whether the answer by id has values that the list omits."""
        pairs = zip(self._names, listed.values, strict=True)
        return any(_is_nothing(value) and value_at(document, name) is not None for name, value in pairs)

    def left_out(self, document: Document, listed: Record) -> set[str]:
        """The fields that have a value in the list and are missing in the answer by id."""
        pairs = zip(self._names, listed.values, strict=True)
        return {name for name, value in pairs if not _is_nothing(value) and not has(document, name)}

    def is_stub(self, document: Any) -> bool:
        """Whether a document is the stub of a deleted record: its id, and none of the fields."""
        return isinstance(document, dict) and not any(has(document, name) for name in self._names)

    def is_deleted(self, document: Document) -> bool:
        """Whether a record is marked as deleted."""
        deleted = self._settings.deleted
        return deleted is not None and deleted.is_mark(value_at(document, deleted.field))

    def is_outside(self, document: Document) -> bool:
        """Whether a record is outside the filter."""
        return not all(each.is_met_by(value_at(document, each.field)) for each in self._settings.where)

    def new(self, values: Sequence[Value]) -> Document:
        """The document of a new record. Raises ValueError when JSON cannot hold a value."""
        document: Document = {}
        self._fill(document, {i: value for i, value in enumerate(values) if value is not None})
        for name, value in self._constants:
            put(document, name, value)
        # The API may fill in the fields that the record lacks.
        unmet = [each for each in self._settings.where if not each.is_met_by(value_at(document, each.field))]
        if any(has(document, each.field) for each in unmet):
            raise ValueError(OUTSIDE.format(where=in_words(self._settings.where)))
        return document

    def edited(self, document: Document, values: Mapping[int, Value], *, whole: bool) -> Document:
        """A document with changed values: the whole document, or only the changed fields. Raises ValueError.

        A partial document holds only the changed members of an object if the API merges objects, and the whole object
        if it replaces them, because the API would otherwise drop the other members.
        """
        names = [self._names[i] for i in values]
        tops = {name if name in document else name.partition(".")[0] for name in names}
        try:
            edited = deepcopy({name: value for name, value in document.items() if whole or name in tops})
        except RecursionError:
            raise ValueError("its lists and objects nest too deeply to be written back") from None
        self._fill(edited, values)
        if whole or not self._settings.merges:
            return edited
        return part_of(edited, [self._names[i] for i in values if self._uses[i].written])

    def _fill(self, document: Document, values: Mapping[int, Value]) -> None:
        for i, value in values.items():
            if self._uses[i].written:
                put(document, self._names[i], self._kinds.in_json(i, value))

    def says_all(self, document: Any) -> bool:
        """Whether an answered document has all fields of the record that the sync uses."""
        if not isinstance(document, dict) or value_at(document, self._settings.id) is None:
            return False
        return all(has(document, name) for name in self._names)


def _names_of(documents: Sequence[Document]) -> str:
    return ", ".join(dict.fromkeys(name for document in documents for name in document))


def _is_nothing(value: Value) -> bool:
    return value is None or value is MISSING
