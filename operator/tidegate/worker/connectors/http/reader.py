"""Reads a list page by page, to a proven end."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from tidegate.worker.connectors import Key, Record, Unreadable
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.listing import Fetched, Filters, Listing, RefusedListError
from tidegate.worker.connectors.http.reading import News, Reading, mark_of
from tidegate.worker.errors import ConfigurationError, SystemFailed

# Statuses that APIs answer to a page beyond the last one, or to a token that has expired.
_NO_SUCH_PAGE = (400, 404, 410, 422)
_EXPIRED = (404, 410)

# With more unreadable items than this, the configuration is at fault and not the single items.
_MOST_UNREADABLE = 1000


class ListPage(NamedTuple):
    """One page of records, the reading to continue from, and the answer that had the page.

    See Page for `doubt`, `unreadable` and `gone`. `doubt` and `unreadable` concern the whole list, and are set on its
    last page. `left_out` is the doubt except for unreadable items, which the pages list as `suspects`.
    """

    records: list[Record]
    after: Reading | None
    answer: Answer | None
    doubt: str = ""
    unreadable: Sequence[Unreadable] = ()
    suspects: Sequence[Record] = ()
    left_out: str = ""
    gone: Sequence[Key] = ()
    # The records outside the filter.
    outside: Sequence[Record] = ()


class Reader:
    """Reads one list of one resource."""

    def __init__(self, listing: Listing, filters: Filters, reading: Reading | None = None, *, prove: bool):
        """Continue from `reading`. With `prove`, read the list again if that is needed to prove it complete."""
        self._listing = listing
        self._filters = filters
        self._prove = prove
        self._counted = listing.is_counted(filters)
        self._scattered = listing.is_scattered(filters)
        self._start(reading or Reading())

    @property
    def reading(self) -> Reading:
        """The present position."""
        return self._reading

    def _start(self, reading: Reading) -> None:
        self._reading = reading
        self._asked: set[str] = set()  # tokens of this reading
        self._news: News | None = None

    def read(self, limit: int | None = None) -> ListPage:
        """The next page; the first page again when the token is from an earlier process and has expired."""
        reading = self._reading
        counted = self._counted
        try:
            fetched = self._listing.fetch(reading.at, self._filters, limit, reading.last)
        except RefusedListError as refusal:
            if reading.at is None or refusal.status not in _NO_SUCH_PAGE:
                raise
            return self._refused(refusal, limit, counted=counted)
        keys = fetched.keys
        if keys and reading.pages and mark_of(keys) == reading.mark and not self._scattered:
            if counted and (reading.pages - reading.empty > 1 or reading.has_total):
                return self._ended(None, fetched.answer)  # beyond the last page the API repeats the last one
            raise ConfigurationError(
                f"{self._listing.title}: paging: the API answers page {reading.pages + 1} with the same records as "
                "the page before"
            )
        reading = reading.with_page(keys, fetched.total, fetched.following, fetched.unknown)
        reading = self._with_unreadable(reading, fetched.unreadable)
        reading = replace(reading, faulty=reading.faulty or fetched.faulty)
        if fetched.following is None and reading.pages == 1 and self._prove:
            reading = replace(reading, faulty=reading.faulty or self._listing.cut_off(fetched, self._filters))
        self._reading = reading
        if reading.at is None or (counted and not keys and self._is_over(reading)):
            return self._ended(fetched, fetched.answer)
        self._must_go_on(reading, keys)
        return self._given(fetched, reading, fetched.answer)

    def _with_unreadable(self, reading: Reading, unreadable: Sequence[Unreadable]) -> Reading:
        """The reading with its unreadable items added. Raises ConfigurationError where they are too many."""
        if not unreadable:
            return reading
        named = [each._replace(place=f"{each.place} of page {reading.pages}") for each in unreadable]
        bad = (*reading.unreadable, *named)
        if len(bad) > _MOST_UNREADABLE:
            raise ConfigurationError(
                f"{self._listing.title}: more than {_MOST_UNREADABLE} items of the list cannot be read; {bad[0].place} "
                f"{bad[0].reason}"
            )
        return replace(reading, unreadable=bad)

    def _is_over(self, reading: Reading) -> bool:
        """Whether an empty page is the end of the list: one may also lie in the middle, before further records."""
        enough = not self._prove or reading.has_total or reading.is_confirmed
        return enough or reading.records == 0 or reading.empty > 1

    def _must_go_on(self, reading: Reading, keys: list[Key]) -> None:
        """Raise ConfigurationError when the list does not end."""
        name = repr(reading.at)
        if name in self._asked:
            raise ConfigurationError(
                f"{self._listing.title}: paging: the pages go in a circle: page {reading.pages} is followed by one "
                "that was read before"
            )
        self._asked.add(name)
        self._news = self._news or News()
        if self._news.are_over(keys):
            raise ConfigurationError(
                f"{self._listing.title}: paging: the list has no end: page {reading.pages} and many before it have no "
                "record that was not on an earlier one"
            )

    def _refused(self, refusal: RefusedListError, limit: int | None, *, counted: bool) -> ListPage:
        """Handle a rejected request for a page other than the first."""
        reading, listing = self._reading, self._listing
        if counted and (refusal.status == 404 or reading.has_total or reading.empty or reading.last < reading.first):
            return self._ended(None, None)
        if not counted and not self._asked:
            # Reading records again is harmless; a missed record would look deleted.
            self._start(Reading())
            return self.read(limit)
        if not counted and refusal.status in _EXPIRED:
            raise SystemFailed(f"{listing.title}: the list broke off at page {reading.pages + 1}: {refusal}")
        listing.client.pause(0)
        try:
            listing.fetch(reading.at, self._filters, limit, reading.last)
        except RefusedListError as again:
            raise ConfigurationError(
                f"{listing.title}: the list broke off at page {reading.pages + 1}, after {reading.records} records: "
                f"{again}"
            ) from None
        return self.read(limit)

    def _ended(self, fetched: Fetched | None, answer: Answer | None) -> ListPage:
        reading = self._reading
        last = self._given(fetched, None, answer)._replace(unreadable=reading.unreadable)
        if not self._prove:
            return last
        left_out = reading.doubt(
            anchored=self._listing.is_anchored(self._filters), counted=self._counted, scattered=self._scattered
        )
        again = reading.again() if left_out and not reading.faulty else None
        if again is not None and reading.before != again.before:
            self._start(again)
            return last._replace(after=again, unreadable=())
        unknown = next((f"{each.place} {each.reason}" for each in reading.unreadable if each.key is None), "")
        return last._replace(doubt=left_out or unknown, left_out=left_out)

    def _given(self, fetched: Fetched | None, after: Reading | None, answer: Answer | None) -> ListPage:
        if fetched is None:
            return ListPage([], after, answer)
        if self._reading.only_checks:
            return ListPage([], after, answer, suspects=fetched.suspects)
        there = [record for record in fetched.records if record.key not in fetched.deleted]
        records = [record for record in there if record.key not in fetched.outside]
        outside = [record for record in there if record.key in fetched.outside]
        return ListPage(records, after, answer, suspects=fetched.suspects, gone=[*fetched.deleted], outside=outside)


def pages(listing: Listing, filters: Filters, *, prove: bool = False) -> Iterator[ListPage]:
    """All pages of a filtered list. With `prove`, the last one says whether the list is proven complete."""
    reader = Reader(listing, filters, prove=prove)
    page = reader.read()
    yield page
    while page.after is not None:
        page = reader.read()
        yield page
