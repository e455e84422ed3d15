"""Finds records by their match fields: with query parameters, or in an index of the whole list."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.http.listing import UNKNOWN_KEY, Filters, Listing, RefusedListError, SearchFor
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.reader import pages
from tidegate.worker.connectors.http.request_settings import Search
from tidegate.worker.connectors.http.templates import filled, is_plain, names_in, names_within
from tidegate.worker.connectors.match_index import MatchIndex
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import MISSING, Value, normal

# More records with the same match fields mean that the API ignores the parameters and answers the whole list.
_TOO_MANY = 100

# Longer values do not fit into a URL.
_LONGEST = 2000

# The index is updated with the changes since its last update, with this overlap for clock differences and transactions.
_OVERLAP = timedelta(seconds=30)


class Finder(Protocol):
    """Finds existing records."""

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> list[Record]:
        """Records whose match fields may equal one of these."""

    def note(self, records: Iterable[Record], gone: Iterable[Key] = ()) -> None:
        """Update the index with records that this run wrote or deleted."""

    def doubt(self, wanted: Sequence[tuple[Value, ...]]) -> None:
        """The API may have created these records although the request failed: earlier readings do not count."""

    def close(self) -> None:
        """Delete temporary files."""


class _TooManyError(RefusedListError):
    """The API answers far more records than can match."""


class Asking:
    """Finds records by query parameters; values that cannot be sent are found in `others`, an index of the list.

    The index is used for values that could have a meaning in a filter expression, such as a quote; for values that the
    API refuses; and for records whose create is in doubt, because a search may show them late.
    """

    def __init__(
        self,
        listing: Listing,
        description: Description,
        templates: Mapping[str, str] | Search,
        pool: Pool,
        others: "Scanning",
    ) -> None:
        """Raises ConfigurationError when the templates name anything but match fields."""
        self._others = others
        self._doubtful: set[tuple[str, ...]] = set()
        asked = templates.template if isinstance(templates, Search) else templates
        self._within = names_within(asked)
        self._listing = listing
        self._pool = pool
        self._title = description.title
        self._templates = templates
        self._asked_by = templates.path if isinstance(templates, Search) else ", ".join(templates)
        self._is_known = False
        self._match = description.match
        self.names = [description.fields[i].name for i in description.match]
        self._casefold = [description.fields[i].casefold for i in description.match]
        if unasked := [
            use.name for i in description.match if {*(use := description.fields[i]).normalize} - {"casefold"}
        ]:
            raise ConfigurationError(
                f"{self._title}: find: an API cannot be asked for {unasked[0]} without its accents or spaces; write "
                "find: scan, which reads all records once per run"
            )
        used = names_in(asked)
        unknown = [name for name in used if name not in self.names]
        if unknown or not used:
            what = f"{{{unknown[0]}}} is not one of the match fields" if unknown else "it must have one of"
            raise ConfigurationError(f"{self._title}: find: {what} {', '.join(f'{{{name}}}' for name in self.names)}")

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> list[Record]:
        texts = [tuple(normal(value) or "" for value in values) for values in wanted]
        asked = [n for n, each in enumerate(texts) if self._can_be_asked(each)]
        answers = dict(zip(asked, self._pool.each(self._find, [texts[n] for n in asked]), strict=True))
        refusals = {n: answer for n, answer in answers.items() if isinstance(answer, RefusedListError)}
        self._is_known = self._is_known or len(refusals) < len(answers)
        for n, refusal in refusals.items():
            # A refusal of one value among others is the value's fault; a refusal of a plain value means that the
            # setting is wrong.
            if not self._is_known and (isinstance(refusal, _TooManyError) or all(map(is_plain, texts[n]))):
                raise ConfigurationError(f"{refusal}; see find")
        records = [record for answer in answers.values() if isinstance(answer, list) for record in answer]
        left = [n for n, each in enumerate(texts) if n not in answers or n in refusals or each in self._doubtful]
        if left:
            records += self._others.find([wanted[n] for n in left])
        return list({record.key: record for record in records}.values())

    def ask(self, record: Record) -> set[Key] | RefusedListError | None:
        """What the API answers to the match fields of a record; None where it cannot be asked for these."""
        values = [record.values[i] for i in self._match]
        texts = [normal(value) or "" for value in values if value is not MISSING]
        if len(texts) < len(values) or not all(texts) or not self._can_be_asked(texts):
            return None
        found = self._find(texts)
        return found if isinstance(found, RefusedListError) else {each.key for each in found}

    def _can_be_asked(self, texts: Sequence[str]) -> bool:
        if max(map(len, texts)) > _LONGEST:
            return False
        return all(name not in self._within or is_plain(text) for name, text in zip(self.names, texts, strict=True))

    def _find(self, texts: Sequence[str]) -> list[Record] | RefusedListError:
        # Whether the API ignores case is unknown: the value is sent as it is and in lower case.
        usual = [text.lower() if folded else text for text, folded in zip(texts, self._casefold, strict=True)]
        try:
            return self._ask(texts) + (self._ask(usual) if usual != [*texts] else [])
        except RefusedListError as refusal:
            return refusal

    def _ask(self, texts: Sequence[str]) -> list[Record]:
        by_name = dict(zip(self.names, texts, strict=True))
        filters: Filters
        if isinstance(self._templates, Search):
            asked = filled(self._templates.template, by_name)
            filters = SearchFor(self._templates.path, asked, by_post=self._templates.body is not None)
        else:
            filters = filled(self._templates, by_name)
        found: list[Record] = []
        for page in pages(self._listing, filters):
            found += [*page.records, *page.outside]
            if page.unreadable:
                place, reason, _ = page.unreadable[0]
                raise SystemFailed(f"{self._title}: find: {place}, which may be the record to be created, {reason}")
            if len(found) > _TOO_MANY:
                raise _TooManyError(
                    f"{self._title}: find: more than {_TOO_MANY} records are answered for one; does the API know "
                    f"{self._asked_by}?",
                    status=200,
                )
        return found

    def note(self, records: Iterable[Record], gone: Iterable[Key] = ()) -> None:
        self._others.note(records, gone)

    def doubt(self, wanted: Sequence[tuple[Value, ...]]) -> None:
        self._doubtful |= {tuple(normal(value) or "" for value in values) for values in wanted}
        self._others.doubt(wanted)

    def close(self) -> None:
        self._others.close()


class Scanning:
    """Finds records in an on-disk index of the whole list, updated with later changes where the API lists them."""

    def __init__(
        self,
        listing: Listing,
        description: Description,
        changes: Callable[[datetime], Filters | None],
        get: Callable[[Sequence[Key]], Mapping[Key, Record]],
    ) -> None:
        """`changes` makes the filter for the changes since a time; it returns None where the API has no such filter."""
        self._listing = listing
        self._description = description
        self._changes = changes
        self._get = get
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._db: sqlite3.Connection | None = None
        self._index: MatchIndex | None = None
        self._read_at: datetime | None = None

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> list[Record]:
        with self._speaking():
            keys = self._current().keys(wanted)
        for key in keys:
            if isinstance(key, str) and key.startswith(UNKNOWN_KEY):
                raise SystemFailed(
                    f"{self._description.title}: find: scan: {key.removeprefix(UNKNOWN_KEY)} of a page may be the "
                    "record to be created, and cannot be read"
                )
        return list(self._get(keys).values())

    def _current(self) -> MatchIndex:
        if self._index is None:
            self._directory = tempfile.TemporaryDirectory(prefix="tidegate-")
            self._db = sqlite3.connect(Path(self._directory.name) / "index.sqlite", isolation_level=None)
            self._db.execute("PRAGMA journal_mode = MEMORY")
            self._db.execute("PRAGMA synchronous = OFF")
            index = MatchIndex(self._db, self._description)
            self._read(index, {})
            self._index = index
        elif self._read_at is not None and (filters := self._changes(self._read_at - _OVERLAP)) is not None:
            self._read(self._index, filters)
        return self._index

    def _read(self, index: MatchIndex, filters: Filters) -> None:
        moment: datetime | None = None
        for page in pages(self._listing, filters, prove=True):
            moment = moment or (page.answer.moment if page.answer else None)
            index.put([*page.records, *page.outside, *page.suspects])
            if page.left_out:
                raise SystemFailed(
                    f"{self._description.title}: find: scan: the list may have left out records, which would be "
                    f"created a second time: {page.left_out}"
                )
        self._read_at = moment

    def note(self, records: Iterable[Record], gone: Iterable[Key] = ()) -> None:
        if self._index is not None:
            with self._speaking():
                self._index.put(records)
                self._index.remove(gone)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Report errors of the temporary files, which must not be taken for errors of the cache."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SystemFailed(f"{self._description.title}: its temporary files: {error}") from error

    def doubt(self, _: Sequence[tuple[Value, ...]]) -> None:
        """The index is rebuilt when it is next needed."""
        self.close()
        self._index = self._db = self._directory = None

    def close(self) -> None:
        if self._db is not None and self._directory is not None:
            self._db.close()
            self._directory.cleanup()
