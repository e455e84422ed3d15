"""A local copy of a file as it was read, with an index of where each record is in it.

Memory use does not depend on the file's size; the temporary directory needs room for the file and about 60 bytes per
record. Edited records are appended to the copy, and the new file is assembled from both.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tidegate.worker.connectors import Key, Unreadable
from tidegate.worker.connectors.file.format import (
    BadDataError,
    BadEntry,
    Entry,
    Format,
    Layout,
    MalformedError,
    UnreadableFile,
)
from tidegate.worker.connectors.file.storage import Storage, Version
from tidegate.worker.errors import SystemFailed
from tidegate.worker.values.normal_form import normalized

_CHUNK = 1 << 20

# A program that writes a file row by row seldom pauses for this long.
_FRESH_SECONDS = 60.0

# With more bad rows than this, the whole file is at fault: it is another file, or in another encoding.
_FEW, _FEW_PERCENT = 10, 20

# `place` is the record's offset in the file, or beyond the end of the file for a new record. `offset` and `length`
# locate the text of an edited record; a deleted record has no key and no text.
_TABLE = """
DROP TABLE IF EXISTS entry;
CREATE TABLE entry (place INTEGER PRIMARY KEY, key, size INTEGER NOT NULL, offset INTEGER, length INTEGER);
CREATE INDEX edited ON entry (place) WHERE offset IS NOT NULL;
"""
_PRAGMAS = ("journal_mode = MEMORY", "synchronous = OFF", "cache_size = -16384")


@contextmanager
def speaking_of(connector: str) -> Iterator[None]:
    """Report errors of the temporary files, which must not be taken for errors of the cache."""
    try:
        yield
    except sqlite3.Error as error:
        raise SystemFailed(f"connector {connector}: its temporary files: {error}") from error


class Spool:
    """The current state of one file, which is read again when it has changed."""

    layout: Layout

    def __init__(
        self, connector: str, storage: Storage, path: str, format: Format, directory: Path, *, sets_aside: bool = False
    ) -> None:
        """With `sets_aside` a row that cannot be read does not stop the run."""
        self._sets_aside = sets_aside
        self.unreadable: list[Unreadable] = []
        self._bad_texts: list[tuple[Unreadable, bytes]] = []
        self._connector = connector
        self._storage = storage
        self._path = path
        self._format = format
        self._copy = (directory / "copy").open("w+b")
        self.db = sqlite3.connect(directory / "index.sqlite", isolation_level=None)
        for pragma in _PRAGMAS:
            self.db.execute(f"PRAGMA {pragma}")
        self._version: Version | None = None
        # The end of the file in the copy, and with the line break that it may lack.
        self._size = self._tail = 0

    def close(self) -> None:
        """Delete the temporary files."""
        self._copy.close()
        self.db.close()

    def is_current(self) -> bool:
        """Whether the file is unchanged since it was read."""
        version = self._storage.check(self._path, self._version)
        if version is not None:
            self._version = version
        return version is not None

    def read(self, *, make: bool) -> bool:
        """Read the file; return False when it does not exist. With `make`, a missing file counts as empty."""
        version = self._storage.read(self._path, self._copy)
        if version is None and not make:
            return False
        self._version = version
        if version is None:
            self._copy.truncate(0)
        if self._copy.seek(0, os.SEEK_END) == 0 and make:
            self._copy.write(self._format.empty())
        self._copy.flush()
        self._size = self._copy.tell()
        self._copy.seek(0)
        self.layout = self._format.begin(self._copy)
        self._tail = self._end_last_line()
        try:
            self._index()
        except MalformedError as error:
            raise self._bad(f"line {self._line(error.offset)} {error.problem}") from None
        return True

    def _end_last_line(self) -> int:
        """Add the line break that the file may lack at its end, for records that follow; return the new end."""
        position = self._copy.tell()
        if self._size > 0 and os.pread(self._copy.fileno(), 1, self._size - 1) != b"\n":
            self._append(self.layout.newline)
            self._copy.flush()
        tail = self._copy.seek(0, os.SEEK_END)
        self._copy.seek(position)
        return tail

    def _index(self) -> None:
        self.db.executescript(_TABLE)
        bad: list[BadEntry] = []
        with self._transaction():
            self.db.executemany("INSERT INTO entry (place, key, size) VALUES (?, ?, ?)", self._rows(bad))
        self.unreadable = [Unreadable(f"line {self._line(each.offset)}", each.problem, each.key) for each in bad]
        texts = [os.pread(self._copy.fileno(), each.length, each.offset) for each in bad]
        self._bad_texts = [*zip(self.unreadable, texts, strict=True)]
        try:
            self.db.execute("CREATE UNIQUE INDEX by_key ON entry (key)")
        except sqlite3.IntegrityError:
            self._take_out_twins()
            self.db.execute("CREATE UNIQUE INDEX by_key ON entry (key)")
        (rows,) = self.db.execute("SELECT count(*) FROM entry").fetchone()
        if len(self.unreadable) > max(_FEW, (rows + len(self.unreadable)) * _FEW_PERCENT // 100):
            first = self.unreadable[0]
            raise self._bad(
                f"{len(self.unreadable)} rows cannot be read, too many to set aside; {first.place} {first.reason}"
            )

    def _rows(self, bad: list[BadEntry]) -> Iterator[tuple[int, Key, int]]:
        for entry in self.layout.entries(self._copy):
            if isinstance(entry, Entry):
                yield entry.offset, entry.key, entry.length
            elif self._sets_aside:
                bad.append(entry)
            else:
                raise MalformedError(entry.problem, entry.offset)

    def _take_out_twins(self) -> None:
        """Set aside rows with the same id, because it is ambiguous which of them is meant."""
        query = "SELECT key, min(place), max(place) FROM entry GROUP BY key HAVING count(*) > 1"
        for key, first, last in self.db.execute(query).fetchall():
            lines = f"lines {self._line(first)} and {self._line(last)}"
            problem = f"have the same id {key}; ids must be unique"
            if not self._sets_aside:
                raise self._bad(f"{lines} {problem}") from None
            self.unreadable.append(Unreadable(lines, problem, key))
            for place, size in self.db.execute("SELECT place, size FROM entry WHERE key = ?", (key,)).fetchall():
                self._bad_texts.append((self.unreadable[-1], os.pread(self._copy.fileno(), size, place)))
            self.db.execute("DELETE FROM entry WHERE key = ?", (key,))

    def _bad(self, problem: str) -> UnreadableFile | BadDataError:
        said = f"connector {self._connector}: {self._path}: {problem}"
        ago = self.changed_seconds_ago()
        if ago is not None and ago < _FRESH_SECONDS:
            return UnreadableFile(f"{said}; the file was changed a moment ago, and may be still being written")
        return BadDataError(f"{said}; correct the file, or write badRows: setAside to sync the other rows meanwhile")

    def may_hold(self, texts: Sequence[str]) -> Unreadable | None:
        """A row that cannot be read and may contain all of these texts, in any form."""
        sought = [*map(_widest, texts)]
        for row, text in self._bad_texts:
            there = _widest(text.decode(self.layout.encoding, "replace"))
            if sought and all(each in there for each in sought):
                return row
        return None

    def changed_seconds_ago(self) -> float | None:
        """The time since the file was changed; None where the file system has no modification times."""
        return self._storage.changed_seconds_ago(self._path)

    def _line(self, offset: int) -> int:
        self._copy.seek(0)
        line = 1
        while offset > 0 and (chunk := self._copy.read(min(offset, _CHUNK))):
            line += chunk.count(b"\n")
            offset -= len(chunk)
        return line

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.rollback()
            raise
        self.db.execute("COMMIT")

    # Reading

    def page(self, after: Key | None, limit: int) -> list[bytes]:
        """The texts of the records after this key, in key order."""
        if after is None:
            found = self._find("key IS NOT NULL ORDER BY key LIMIT ?", limit)
        else:
            found = self._find("key > ? ORDER BY key LIMIT ?", after, limit)
        return list(self._cut(found).values())

    def texts(self, keys: Sequence[Key]) -> dict[Key, bytes]:
        """The texts of those of these records that exist."""
        found = self._find("key IN (SELECT value FROM json_each(?))", json.dumps(keys))
        # SQLite ends a text of JSON at a zero character.
        with_zeros = [key for key in keys if isinstance(key, str) and "\0" in key]
        return self._cut([*found, *(entry for key in with_zeros for entry in self._find("key = ?", key))])

    def _find(self, where: str, *values: Key) -> list[tuple[Key, int, int]]:
        query = f"SELECT key, coalesce(offset, place), coalesce(length, size) FROM entry WHERE {where}"  # noqa: S608
        return self.db.execute(query, values).fetchall()

    def _cut(self, entries: Sequence[tuple[Key, int, int]]) -> dict[Key, bytes]:
        file = self._copy.fileno()
        start = min((offset for _, offset, _ in entries), default=0)
        end = max((offset + length for _, offset, length in entries), default=0)
        if end - start > 4 * sum(length for _, _, length in entries):
            return {key: os.pread(file, length, offset) for key, offset, length in entries}
        block = os.pread(file, end - start, start)  # adjacent texts are one read: most files are in id order
        return {key: block[offset - start : offset - start + length] for key, offset, length in entries}

    # Writing

    def replace(self, edits: Mapping[Key, bytes | None], new: Mapping[Key, bytes]) -> bool:
        """Edit, delete (None) and add records, and replace the file; return False when it has changed meanwhile."""
        try:
            with self._transaction():
                self._edit(edits, new)
                version = self._storage.replace(self._path, self._content(), self._version)
                if version is None:
                    raise _Outdated
        except _Outdated:
            return False
        self._version = version
        return True

    def _edit(self, edits: Mapping[Key, bytes | None], new: Mapping[Key, bytes]) -> None:
        for key, text in edits.items():
            if text is None:
                self.db.execute("UPDATE entry SET key = NULL, offset = 0, length = 0 WHERE key = ?", (key,))
            else:
                self.db.execute("UPDATE entry SET offset = ?, length = ? WHERE key = ?", (*self._append(text), key))
        (last,) = self.db.execute("SELECT coalesce(max(place), 0) FROM entry").fetchone()
        first = max(last + 1, self._size)
        for place, (key, text) in enumerate(new.items(), first):
            self.db.execute("INSERT INTO entry VALUES (?, ?, 0, ?, ?)", (place, key, *self._append(text)))

    def _append(self, text: bytes) -> tuple[int, int]:
        offset = self._copy.seek(0, os.SEEK_END)
        self._copy.write(text)
        return offset, len(text)

    def _content(self) -> Iterator[bytes]:
        """The whole file with all edits."""
        self._copy.flush()
        start = end = 0
        for first, last in self._ranges():
            if first != end:
                yield from self._bytes(start, end)
                start = first
            end = last
        yield from self._bytes(start, end)

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """The parts of the new file, in order, as ranges of the copy."""
        done = end = 0
        query = "SELECT place, size, offset, length FROM entry WHERE offset IS NOT NULL ORDER BY place"
        for place, size, offset, length in self.db.execute(query):
            if done < (until := min(place, self._size)):
                yield done, (end := until)
            if place >= self._size and end == self._size:
                yield self._size, (end := self._tail)
            if length:
                yield offset, (end := offset + length)
            done = max(done, min(place + size, self._size))
        if done < self._size:
            yield done, self._size

    def _bytes(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            chunk = os.pread(self._copy.fileno(), min(_CHUNK, end - start), start)
            start += len(chunk)
            yield chunk


def _widest(text: str) -> str:
    """A text reduced by all the normalizations of match fields at once."""
    return normalized(text, ("trim", "accents", "casefold")) or ""


class _Outdated(Exception):  # noqa: N818 - it never leaves this module
    pass
