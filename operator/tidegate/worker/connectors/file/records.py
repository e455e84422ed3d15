"""Reads and writes the records of one file.

Before every read and write the file's metadata is checked, and the file is read again if it has changed. A batch of
writes replaces the file once; when the file changes in between, the batch is applied to the new content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from tidegate.worker.connectors import (
    Changed,
    Description,
    Key,
    Page,
    Record,
    Rejected,
    Token,
    Window,
    Write,
    is_as_expected,
)
from tidegate.worker.connectors.file.filter import split
from tidegate.worker.connectors.file.new_ids import NewIds
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.connectors.file.spool import Spool, speaking_of
from tidegate.worker.connectors.match_index import MatchIndex
from tidegate.worker.connectors.sizes import page_of
from tidegate.worker.connectors.untyped import Untyped
from tidegate.worker.connectors.where import OUTSIDE, in_words
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import Value, normal

_Answer = TypeVar("_Answer")

# How often to apply a batch again because the file has changed, before the run fails.
_ATTEMPTS = 5

_INDEXED = 5000


@dataclass(slots=True)
class _Batch:
    """The changes of a batch: texts by key, None for a deleted record."""

    edits: dict[Key, bytes | None] = field(default_factory=dict)
    new: dict[Key, bytes] = field(default_factory=dict)


class FileRecords:
    """The Collection of one file."""

    batch = 4000  # each of which rewrites the file

    def __init__(self, connector: str, spool: Spool, missing: Callable[[], str], description: Description) -> None:
        """Raises ConfigurationError when the file does not exist or is not of the expected format."""
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        self._connector = connector
        self._spool = spool
        self._settings = settings
        self._description = description
        self._id_field = next(
            (i for i, use in enumerate(description.fields) if use.written and use.name == settings.id), None
        )
        self._index: MatchIndex | None = None
        self._new_ids: NewIds | None = None
        self._where = settings.where
        self._outside: dict[Key, Record] = {}
        with speaking_of(connector):
            if not spool.read(make=settings.create):
                raise ConfigurationError(f"{description.title}: {missing()}")

    @property
    def where(self) -> Any:
        return [condition.model_dump(mode="json") for condition in self._where] or None

    @property
    def outside(self) -> Mapping[Key, Record]:
        return self._outside

    def field_types(self) -> Sequence[Untyped]:
        """The types follow the current layout, because the file may be read again."""
        layout = self._spool.layout
        return [
            Untyped(layout.type_name, partial(self._stored, field), layout.is_json)
            for field in range(len(self._description.fields))
        ]

    def _stored(self, field: int, value: Value) -> Value:
        return self._spool.layout.stored(field, value)

    def cursor_type(self) -> None:
        """The cursor's type; whether its times have a zone differs from value to value."""

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        """A file is always read whole."""
        return None

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        """The token is the last key; a scan continues on the state of the file at its start."""
        with speaking_of(self._connector):
            if after is None:
                self._refresh()
            records, more = self._page(after, limit)
        inside, left_out = self._sort(records)
        outside = [record.key for record in left_out]
        if more:
            return Page(inside, records[-1].key, outside=outside)
        return Page(inside, None, self._doubt(), self._spool.unreadable, outside=outside)

    def _page(self, after: Key | None, limit: int) -> tuple[list[Record], bool]:
        def read(count: int) -> Sequence[Record]:
            nonlocal after
            records = self._spool.layout.records(self._spool.page(after, count))
            after = records[-1].key if records else after
            return records

        return page_of(read, limit)

    def _doubt(self) -> str:
        path = self._settings.path
        for each in self._spool.unreadable:
            if each.key is None:
                return f"{each.place} of {path} {each.reason}"
        ago = self._spool.changed_seconds_ago()
        if ago is not None and ago < self._settings.settled.total_seconds():
            return f"{path} was changed {max(0, round(ago))} s ago and may be still being written"
        return ""

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        self._outside = {}
        if not keys:
            return {}
        with speaking_of(self._connector):
            self._refresh()
            inside, self._outside = self._split(keys)
            return inside

    def _sort(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        return split(records, len(self._description.fields), self._where)

    def _split(self, keys: Sequence[Key]) -> tuple[dict[Key, Record], dict[Key, Record]]:
        """Those of these records that are inside the filter, and those outside."""
        inside, outside = self._sort([*self._get(keys).values()])
        return {record.key: record for record in inside}, {record.key: record for record in outside}

    def _get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        texts = self._spool.texts(keys)
        return dict(zip(texts, self._spool.layout.records(list(texts.values())), strict=True))

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        with speaking_of(self._connector):
            self._refresh()
            if self._index is None:
                self._index = self._indexed()
            inside, self._outside = self._split(self._index.keys(wanted))
            return [*inside.values()]

    def _indexed(self) -> MatchIndex:
        index = MatchIndex(self._spool.db, self._description)
        after: Key | None = None
        more = True
        while more:
            records, more = self._page(after, _INDEXED)
            index.put(records)
            after = records[-1].key if records else after
        return index

    def _refresh(self) -> None:
        if self._spool.is_current():
            return
        self._index = self._new_ids = None
        if not self._spool.read(make=self._settings.create):
            raise SystemFailed(f"connector {self._connector}: {self._settings.path} has disappeared")

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected]:
        return self._write(lambda batch: self._create(records, batch)) if records else []

    def _create(self, records: Sequence[Sequence[Value]], batch: _Batch) -> list[Record | Rejected]:
        return [self._create_one(values, batch) for values in records]

    def _create_one(self, values: Sequence[Value], batch: _Batch) -> Record | Rejected:
        layout = self._spool.layout
        try:
            match = [normal(values[i]) for i in self._description.match]
            if twin := self._spool.may_hold([text for text in match if text]):
                return Rejected(f"{twin.place} of {self._settings.path} may be this record: it {twin.reason}")
            key = self._key(values)
            if key in batch.new or self._spool.texts([key]) or key in self._unreadable_keys:
                return Rejected(f"there is a record with the {self._settings.id} {key} already")
            constants = (value for _, value in self._description.constants)
            text = layout.create(key, [*values, *(None for _ in self._where), *constants])
        except ValueError as error:
            return Rejected(str(error))
        inside, _ = self._sort(layout.records([text]))
        if not inside:
            return Rejected(OUTSIDE.format(where=in_words(self._where)))
        batch.new[key] = text
        return inside[0]

    def _key(self, values: Sequence[Value]) -> Key:
        given = None if self._id_field is None else values[self._id_field]
        if normal(given) is not None:
            return self._spool.layout.key(given)
        if self._new_ids is None:
            texts = self._settings.kind == "csv"
            self._new_ids = NewIds(self._spool.db, self._settings.new_id, texts=texts)
        while (key := self._new_ids.next()) in self._unreadable_keys:
            pass
        return key

    @property
    def _unreadable_keys(self) -> set[Key]:
        return {each.key for each in self._spool.unreadable if each.key is not None}

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        return self._write(lambda batch: self._update(writes, batch)) if writes else []

    def _update(self, writes: Sequence[Write], batch: _Batch) -> list[Record | Changed | Rejected]:
        texts = self._spool.texts([write.expected.key for write in writes])
        return [self._update_one(write, texts.get(write.expected.key), batch) for write in writes]

    def _update_one(self, write: Write, text: bytes | None, batch: _Batch) -> Record | Changed | Rejected:
        expected, values = write
        layout = self._spool.layout
        inside, _ = self._sort([] if text is None else layout.records([text]))
        if text is None or not inside or not is_as_expected(inside[0], expected):
            return Changed()
        if self._id_field in values:
            return Rejected(f"{self._settings.id} is the record's id, which cannot be changed")
        try:
            batch.edits[expected.key] = edited = layout.update(text, values)
        except ValueError as error:
            return Rejected(str(error))
        inside, outside = self._sort(layout.records([edited]))
        return [*inside, *outside][0]  # the edit may have moved it out of the filter

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        return self._write(lambda batch: self._delete(expected, batch)) if expected else []

    def _delete(self, expected: Sequence[Record], batch: _Batch) -> list[Changed | Rejected | None]:
        current, outside = self._split([record.key for record in expected])
        answers: list[Changed | Rejected | None] = []
        for record in expected:
            found = current.get(record.key)
            if record.key in outside or (found is not None and not is_as_expected(found, record)):
                answers.append(Changed())
                continue
            if found is not None:
                batch.edits[record.key] = None
            answers.append(None)
        return answers

    def _write(self, work_out: Callable[[_Batch], list[_Answer]]) -> list[_Answer]:
        with speaking_of(self._connector):
            for _ in range(_ATTEMPTS):
                self._refresh()
                batch = _Batch()
                answers = work_out(batch)
                if not batch.edits and not batch.new:
                    return answers
                if self._spool.replace(batch.edits, batch.new):
                    self._note(batch)
                    return answers
        raise SystemFailed(f"connector {self._connector}: {self._settings.path} keeps changing")

    def _note(self, batch: _Batch) -> None:
        if self._index is None:
            return
        texts: Mapping[Key, bytes | None] = {**batch.edits, **batch.new}
        self._index.put(self._spool.layout.records([text for text in texts.values() if text is not None]))
        self._index.remove(key for key, text in texts.items() if text is None)
