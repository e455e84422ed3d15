"""JSON Lines: a JSON object on each line, whose values keep their types. A format of `file`."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import BinaryIO

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.file.format import BadEntry, Entry, MalformedError
from tidegate.worker.connectors.file.not_text import SIGNATURE, not_text
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.connectors.json_documents import (
    Document,
    Kinds,
    dump,
    key_of,
    names_of_nothing,
    parse,
    parse_exactly,
    put,
    value_at,
)
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value, normal

_MARK = b"\xef\xbb\xbf"

# This many records of a page are enough to learn the kinds of values that its fields have.
_TELLING = 100


class JsonLines:
    """The Format for JSON Lines."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def empty(self) -> bytes:
        return b""

    def begin(self, file: BinaryIO) -> "Documents":
        head = file.read(SIGNATURE)
        if problem := not_text(head, "JSON Lines in UTF-8"):
            settings = self._description.settings
            assert isinstance(settings, FileSettings)  # noqa: S101
            raise ConfigurationError(f"{self._description.title}: {settings.path} {problem}")
        start = len(_MARK) if head.startswith(_MARK) else 0
        file.seek(start)
        first = file.readline()
        file.seek(start)
        return Documents(b"\r\n" if first.endswith(b"\r\n") else b"\n", self._description)


class Documents:
    """The Layout of one JSON Lines file."""

    encoding = "utf-8"
    type_name = "JSON"
    is_json = True

    def __init__(self, newline: bytes, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        self.newline = newline
        self._id = settings.id
        self._cursor = settings.cursor
        self._names = [field.name for field in description.fields]
        self._written = [field.written for field in description.fields]
        # The fields of the filter and of the deletion mark may be missing from every record.
        compared = [each.field for each in settings.where if each.operator not in ("Exists", "DoesNotExist")]
        self._telling = [*(self._names[i] for i in description.match), *compared]
        self._kinds = Kinds(len(self._names))
        self._plain = not any("." in name for name in self._names)

    def entries(self, file: BinaryIO) -> Iterator[Entry | BadEntry]:
        offset, first = file.tell(), list[Document]()
        for line in file:
            start, offset = offset, offset + len(line)
            if line.isspace():
                continue
            try:
                document = self._document(line)
                key = self._key(document)
            except ValueError as error:
                yield BadEntry(str(error), start, len(line))
                continue
            if len(first) < _TELLING:
                first.append(document)
            yield Entry(key, start, len(line))
        if missing := names_of_nothing(first, self._telling):
            there = ", ".join(dict.fromkeys(name for document in first for name in document))
            raise MalformedError(f"has no {missing[0]}, nor have the records that follow; they have {there}", 0)

    def _document(self, line: bytes) -> Document:
        try:
            document = parse(line)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("is not a JSON object")
        return document

    def _key(self, document: Document) -> Key:
        key = key_of(document, self._id)
        if key is not None:
            return key
        is_missing = value_at(document, self._id) in (None, "")
        problem = f"has no {self._id}" if is_missing else f"has an {self._id} that is neither a text nor a whole number"
        raise ValueError(problem)

    def records(self, texts: Sequence[bytes]) -> list[Record]:
        names, id_, cursor = self._names, self._id, self._cursor
        records = []
        for document in map(parse, texts):
            # Most names have no dots, and looking them up takes most of the time.
            values = tuple(map(document.get, names)) if self._plain else tuple(value_at(document, n) for n in names)
            key = key_of(document, id_)
            assert key is not None  # noqa: S101 - it is an entry
            records.append(Record(key, values, None if cursor is None else value_at(document, cursor)))
        for record in records[:_TELLING]:
            self._kinds.see(record.values)
        return records

    def key(self, value: Value) -> Key:
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        key = key_of({"id": value}, "id")
        return str(normal(value)) if key is None else key

    def stored(self, field: int, value: Value) -> Value:
        return self._kinds.stored(field, value)

    def create(self, key: Key, values: Sequence[Value]) -> bytes:
        document: Document = {}
        put(document, self._id, key)  # first
        self._fill(document, {i: value for i, value in enumerate(values) if value is not None})
        put(document, self._id, key)  # unchanged, even if it is also a field
        return dump(document) + self.newline

    def update(self, text: bytes, values: Mapping[int, Value]) -> bytes:
        document = parse_exactly(text)
        self._kinds.see([value_at(document, name) for name in self._names])
        self._fill(document, values)
        return dump(document) + self.newline

    def _fill(self, document: Document, values: Mapping[int, Value]) -> None:
        for i, value in values.items():
            if self._written[i]:
                put(document, self._names[i], self._kinds.in_json(i, value))
