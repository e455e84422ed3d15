"""The journal's file: a SQLite database of its own in the cache volume, beside the cache.

An entry is durable before its write is sent, and done when the write is answered. An entry that is not done is from a
process that ended in between: only the system can tell whether the write was carried out. Ids and field names are
stored in plain text; values are encrypted if there is a key.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tidegate.worker.connectors import Key
from tidegate.worker.errors import CacheUnusable, ConfigurationError
from tidegate.worker.journal import keys
from tidegate.worker.journal.changes import Change, Entry, JournalledRun, Told, What
from tidegate.worker.journal.encoding import from_bytes, to_bytes
from tidegate.worker.journal.encryption import Cipher
from tidegate.worker.journal.keys import Keys
from tidegate.worker.sqlite_errors import meaning_of
from tidegate.worker.transaction import transaction
from tidegate.worker.values.normal_form import Value, normal

FILE = "journal.sqlite"
FORMAT = 1

_ADVICE = "; a reset deletes it together with the cache"

_SCHEMA = """
CREATE TABLE run (run INTEGER PRIMARY KEY, began REAL NOT NULL, key INTEGER, undoes INTEGER, whole INTEGER NOT NULL);
CREATE TABLE entry (
    number INTEGER PRIMARY KEY, run INTEGER NOT NULL, source INTEGER NOT NULL, object TEXT NOT NULL,
    connector TEXT NOT NULL, what TEXT NOT NULL, id TEXT, across TEXT, former TEXT, fields TEXT NOT NULL,
    done INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX entry_by_record ON entry (run, source, id);
CREATE TABLE renewed (
    source INTEGER NOT NULL, former TEXT NOT NULL, id TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (source, former))
WITHOUT ROWID
"""


_ENTRY = "number, run, done, source, object, connector, what, id, across, former, content"


class Journal:
    """One open journal. No other process can open it meanwhile."""

    def __init__(self, directory: Path, secret: str | None = None) -> None:
        """Open the journal, or create it; values are encrypted with `secret` from now on.

        Raises CacheLocked, CacheUnusable when it cannot be read, or RunEnded when its disk is full.
        """
        try:
            self._db = sqlite3.connect(directory / FILE, isolation_level=None, timeout=1)
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise
        except sqlite3.DatabaseError as error:
            raise meaning_of(error, f"the journal {FILE}", _ADVICE) from error
        self._keys = Keys(self._db, secret)

    def _prepare(self) -> None:
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        with transaction(self._db):
            if self._one("SELECT count(*) FROM sqlite_master") == 0:
                for statement in f"{keys.SCHEMA};{_SCHEMA}".split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        if (found := self._one("PRAGMA user_version")) != FORMAT:
            raise CacheUnusable(f"the journal {FILE} has format {found}, and this worker knows format {FORMAT}")

    def close(self) -> None:
        """Close the journal."""
        self._db.close()

    def copy_to(self, directory: Path) -> None:
        """Copy the journal to another directory."""
        with closing(sqlite3.connect(directory / FILE)) as copy:
            self._db.backup(copy)

    # What a run writes

    def begin(self, run: int, now: float, *, undoes: int | None = None) -> None:
        """Add a run that is going to write; may be repeated after an interruption."""
        if self._one("SELECT count(*) FROM run WHERE run = ?", run):
            return
        with transaction(self._db):
            self._db.execute("INSERT INTO run VALUES (?, ?, ?, ?, TRUE)", (run, now, self._keys.own(), undoes))

    def intend(self, run: int, changes: Sequence[Change]) -> range:
        """Store what is about to be written. Return the entries' numbers."""
        cipher = self._keys.of_run(run)
        first = 1 + self._one("SELECT coalesce(max(number), 0) FROM entry")
        rows = [
            (
                number, run, each.source, each.object, each.connector, each.what, _text(each.key), _text(each.across),
                _text(each.former), json.dumps(_names(each)), _sealed(cipher, run, each),
            )
            for number, each in enumerate(changes, first)
        ]  # fmt: skip
        with transaction(self._db):
            self._db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, FALSE, ?)", rows)
        return range(first, first + len(rows))

    def complete(self, run: int, done: Mapping[int, Change], nothing: Iterable[int] = ()) -> None:
        """Complete these entries with the present results; remove those of which nothing was written."""
        cipher = self._keys.of_run(run)
        rows = [(_text(each.key), _sealed(cipher, run, each), number) for number, each in done.items()]
        renewed = [
            (each.source, normal(each.former), _text(each.key), run)
            for each in done.values()
            if each.former is not None
        ]
        with transaction(self._db):
            self._db.executemany("UPDATE entry SET done = TRUE, id = ?, content = ? WHERE number = ?", rows)
            self._db.executemany("DELETE FROM entry WHERE number = ?", [(number,) for number in nothing])
            self._db.executemany("REPLACE INTO renewed VALUES (?, ?, ?, ?)", renewed)

    # Its bounds

    def drop_before(self, moment: float, kept: Iterable[int | None]) -> list[int]:
        """Drop the runs that started earlier, except these. Return their numbers."""
        old = self._db.execute("SELECT run FROM run WHERE began < ? ORDER BY run", (moment,)).fetchall()
        return self._drop([run for (run,) in old if run not in {*kept}])

    def drop_to_fit(self, most: int, kept: Iterable[int | None]) -> list[int]:
        """Drop the oldest runs, except these, until at most `most` bytes are used. Return their numbers."""
        dropped: list[int] = []
        known = {*kept}
        while self._used() > most:
            runs = [run for (run,) in self._db.execute("SELECT run FROM run ORDER BY run")]
            oldest = next((run for run in runs if run not in known), None)
            if oldest is None:
                break
            dropped += self._drop([oldest])
        return dropped

    def is_full(self, most: int) -> bool:
        """Whether more than `most` bytes are used."""
        return self._used() > most

    def give_up(self, run: int) -> None:
        """Remove a run's entries, and mark it as too large to be recorded."""
        with transaction(self._db):
            self._db.execute("UPDATE run SET whole = FALSE WHERE run = ?", (run,))
            self._db.execute("DELETE FROM entry WHERE run = ?", (run,))

    def is_whole(self, run: int) -> bool:
        """Whether all writes of a run are recorded."""
        return bool(self._one("SELECT whole FROM run WHERE run = ?", run))

    def _drop(self, runs: list[int]) -> list[int]:
        with transaction(self._db):
            for table in ("entry", "run", "renewed"):
                self._db.executemany(f"DELETE FROM {table} WHERE run = ?", [(run,) for run in runs])  # noqa: S608
            self._keys.forget()
        return runs

    def _used(self) -> int:
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        return pages * self._one("PRAGMA page_size")

    # Reading

    def runs(self) -> list[JournalledRun]:
        """All recorded runs, the oldest first."""
        found = self._db.execute("SELECT run, began, undoes, whole FROM run ORDER BY run").fetchall()
        return [
            JournalledRun(run, began, undoes, bool(whole), self._counts(run)) for run, began, undoes, whole in found
        ]

    def created_in(self, run: int) -> set[tuple[str, str]]:
        """Where a run has created records: the object and the connector."""
        query = "SELECT DISTINCT object, connector FROM entry WHERE run = ? AND what = 'create'"
        return {*self._db.execute(query, (run,))}

    def told(self, run: int) -> Iterator[Told]:
        """What a run has written, in order, without values."""
        query = "SELECT object, connector, what, id, fields, done FROM entry WHERE run = ? ORDER BY number"
        for title, connector, what, key, fields, done in self._db.execute(query, (run,)):
            yield Told(title, connector, what, _key(key), json.loads(fields), bool(done))

    def entries(self, run: int) -> Iterator[Entry]:
        """What a run has written, in order. Raises ConfigurationError when the key is missing or not the run's."""
        query = f"SELECT {_ENTRY} FROM entry WHERE run = ? ORDER BY number"  # noqa: S608
        return map(self._entry, self._db.execute(query, (run,)))

    def chains(self, run: int, before: int | None, limit: int) -> list[Sequence[Entry]]:
        """The writes of a run to each of the next records, in the run's order; the records written last come first.

        `before` is the number of the entry with which the last chain ended; None starts with the entries that exist by
        then.
        """
        if before is None:
            self._db.execute("DROP TABLE IF EXISTS temp.chain")
            self._db.execute(
                "CREATE TEMP TABLE chain AS SELECT max(number) AS last FROM entry WHERE run = ? "
                "GROUP BY source, coalesce(id, 'entry ' || number) ORDER BY last",
                (run,),
            )
            self._db.execute("CREATE INDEX temp.chain_by_last ON chain (last)")
        query = "SELECT last FROM chain WHERE ? IS NULL OR last < ? ORDER BY last DESC LIMIT ?"
        lasts = [last for (last,) in self._db.execute(query, (before, before, limit))]
        return [self.chain(last) for last in lasts]

    def chain(self, last: int) -> Sequence[Entry]:
        """The entries of one record up to this one, by its run."""
        query = (
            f"SELECT {', '.join('e.' + name for name in _ENTRY.split(', '))} FROM entry AS last CROSS JOIN entry AS e "  # noqa: S608
            "ON e.number = last.number OR e.run = last.run AND e.source = last.source AND e.id = last.id "
            "WHERE last.number = ? ORDER BY e.number"
        )
        return [*map(self._entry, self._db.execute(query, (last,)))]

    def unsettled(self) -> list[Entry]:
        """What interrupted undos may have written."""
        query = (
            f"SELECT {_ENTRY} FROM entry WHERE run IN (SELECT run FROM run WHERE undoes IS NOT NULL) "  # noqa: S608
            "AND NOT done ORDER BY number"
        )
        return [*map(self._entry, self._db.execute(query))]

    def is_unsettled(self) -> bool:
        """Whether there is any such entry."""
        undoes = "SELECT run FROM run WHERE undoes IS NOT NULL"
        return bool(self._one(f"SELECT EXISTS (SELECT 1 FROM entry WHERE NOT done AND run IN ({undoes}))"))  # noqa: S608

    def renewed(self, source: int, value: Value) -> Key | None:
        """The id of a record that an undo created again; None for one that has kept its id."""
        newest, known = None, set[str | None]()
        while (text := normal(value)) not in known:
            known.add(text)
            query = "SELECT id FROM renewed WHERE source = ? AND former = ?"
            row = self._db.execute(query, (source, text)).fetchone()
            if row is None:
                break
            newest = value = _key(row[0])
        return newest

    def demand(self, run: int, *, readable: bool = True) -> None:
        """Raise ConfigurationError unless all writes of a run are recorded, and with `readable` also their values."""
        if not self._one("SELECT count(*) FROM run WHERE run = ?", run):
            raise ConfigurationError(
                f"run {run} is not in the journal: it wrote nothing, it is older than spec.sync.journal.keep, or it "
                "was dropped to make room; tidegate-worker changes lists the recorded runs"
            )
        if not self.is_whole(run):
            raise ConfigurationError(
                f"run {run} cannot be undone: it wrote more than fits in the journal, see spec.sync.journal.maxSize"
            )
        if readable:
            self._keys.of_run(run)

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        number, run, done, source, title, connector, what, key, across, former, content = row
        parts = from_bytes(self._keys.opened(run, _place(run, source, what, key), content))
        change = Change(source, title, connector, what, _key(key), _key(across), former=_key(former), **parts)
        return Entry(number, run, bool(done), change)

    def _counts(self, run: int) -> dict[What, int]:
        return dict(self._db.execute("SELECT what, count(*) FROM entry WHERE run = ? GROUP BY what", (run,)))

    def _one(self, query: str, *values: object) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


def _names(change: Change) -> list[str]:
    return list(change.after or change.before)


def _sealed(cipher: Cipher | None, run: int, change: Change) -> bytes:
    content = to_bytes({"before": change.before, "after": change.after, "match": change.match})
    place = _place(run, change.source, change.what, _text(change.key))
    return content if cipher is None else cipher.encrypt(content, place)


def _place(run: int, source: int, what: str, key: str | None) -> bytes:
    """What encrypted values belong to: they cannot be decrypted as another record's."""
    return json.dumps([run, source, what, key]).encode()


def _text(key: Key | None) -> str | None:
    return None if key is None else json.dumps(key)


def _key(text: str | None) -> Key | None:
    key: Key | None = None if text is None else json.loads(text)
    return key
