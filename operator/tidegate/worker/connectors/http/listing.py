"""One page of a list: its records, and what it says about the rest of the list."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from tidegate.worker.connectors import Description, Key, Record, Token, Unreadable
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.documents import BadItemError, Documents
from tidegate.worker.connectors.http.paging import is_anchored, next_token, place_of, says_whether_more
from tidegate.worker.connectors.http.paging_settings import Paging
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.http.totals import Total, says_more, total_of
from tidegate.worker.connectors.json_documents import ENOUGH, Document, dump, has, key_of, put, value_at
from tidegate.worker.errors import ConfigurationError, SystemFailed

_REFUSED = (400, 404, 410, 414, 422)

# Default page sizes: 15 is Laravel's, 30 is GitHub's.
_PAGE_SIZES = frozenset(
    (
        10, 12, 15, 16, 18, 20, 24, 25, 30, 32, 36, 40, 48, 50, 60, 64, 75, 80, 90, 96, 99, 100, 120, 125, 128, 150,
        180, 200, 240, 250, 256, 300, 400, 500, 512, 600, 750, 800, 900, 999, 1000, 1024,
    )
)  # fmt: skip
_LARGE_PAGES_COUNT_BY = 500

# The prefix of the key of an unreadable item without an id; no id begins with it.
UNKNOWN_KEY = "\0"


class SearchFor(NamedTuple):
    """A list or search request: a POST with a body, or query parameters."""

    path: str
    asked: Document
    by_post: bool
    # The setting that describes the request.
    setting: str = "find"


# The filter of a list request: query parameters, or a search.
Filters = Mapping[str, str] | SearchFor


class Fetched(NamedTuple):
    """One page of a list; `records` includes those marked as deleted (`deleted`) and outside the filter (`outside`)."""

    answer: Answer
    body: Any
    records: list[Record]
    # The ids of all its items, including those that cannot be read.
    keys: list[Key]
    following: Token | None
    total: Total | None
    asked: int | None
    unreadable: list[Unreadable]
    # The match fields of unreadable items; the key of one without an id is its place.
    suspects: list[Record]
    deleted: frozenset[Key]
    outside: frozenset[Key]
    # Why the list may be incomplete, whatever else proves it.
    faulty: str = ""

    @property
    def unknown(self) -> int:
        """How many of its items have no id."""
        return sum(each.key is None for each in self.unreadable)


class RefusedListError(ConfigurationError):
    """The API rejects the list request: a setting or a value in the filter is wrong."""

    def __init__(self, complaint: str, status: int) -> None:
        super().__init__(complaint)
        self.status = status


class Listing:
    """Reads the lists of one resource."""

    def __init__(self, client: Client, documents: Documents, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, ResourceSettings)  # noqa: S101
        self.client = client
        self.title = description.title
        self.settings = settings
        self._documents = documents
        # By id, until they are enough to tell whether none has a field: the first page may have few, or none.
        self._unchecked: dict[Key, Document] | None = {}
        self._has_gone_on = False
        # The size of the largest page so far.
        self._largest = 0

    def is_counted(self, _: Filters) -> bool:
        """Whether its pages are numbered, so that none of them is certainly the last."""
        return self.settings.paging.page is not None

    def is_anchored(self, _: Filters) -> bool:
        """Whether its pages begin after a record, and do not shift."""
        return is_anchored(self.settings.paging)

    def is_scattered(self, _: Filters) -> bool:
        """Whether it is made of several lists, between which a record may move."""
        return False

    def check(self) -> None:
        """Raise ConfigurationError when there is no list, or when `paging` does not describe how it continues."""
        fetched = self.fetch(None, {})
        if fetched.following is None:
            self.cut_off(fetched, {})

    def fetch(self, at: Token | None, filters: Filters, limit: int | None = None, step: int = 0) -> Fetched:
        """Read one page; `step` is how many records to skip after an empty counted page. Raises RefusedListError."""
        place = place_of(self.settings.paging, at)
        size = self.settings.page_size
        asked = None if size is None else min(size.records, limit or size.records)
        around = [(size.parameter, asked)] if size is not None and asked is not None else []
        search = (
            filters
            if isinstance(filters, SearchFor)
            else SearchFor(self.settings.path, {**self.settings.query, **filters}, by_post=False)
        )
        if search.by_post:
            body = deepcopy(search.asked)
            for name, value in [*around, *place.values]:
                put(body, name, value)
            answer = self.client.send("POST", place.url or search.path, content=dump(body), reads=True)
        else:
            parameters = {**search.asked, **{name: str(value) for name, value in around}}
            given = () if place.url else (*parameters.items(), *place.parameters)
            answer = self.client.send("GET", place.url or search.path, given)
        if not answer.is_success:
            advice = f"see {search.setting} and paging" if search is filters else "see path, query and paging"
            error = self.client.complaint("POST" if search.by_post else "GET", search.path, answer, advice)
            raise RefusedListError(str(error), status=answer.status) if answer.status in _REFUSED else error
        return self._read(at, answer, asked, step)

    def _read(self, at: Token | None, answer: Answer, asked: int | None, step: int) -> Fetched:
        try:
            body = answer.document()
        except ValueError as error:
            raise SystemFailed(f"{self.title}: {self.client.not_json(answer, error)}") from None
        documents = self._items(answer, body)
        self._check(documents)
        records, unreadable, suspects, deleted, outside = self._records(documents)
        known = [record.key for record in records]
        keys = list(dict.fromkeys(known + [each.key for each in unreadable if each.key is not None]))
        self._documents.learn(records)
        try:
            following = next_token(self.settings.paging, at, answer, body, keys, step)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.title}: {error}") from None
        self._has_gone_on = self._has_gone_on or following is not None
        # A record that is there twice is returned once.
        once = list({record.key: record for record in records}.values())
        self._largest = max(self._largest, len(documents))
        total = total_of(answer, body, self.settings.total, asked)
        return Fetched(answer, body, once, keys, following, total, asked, unreadable, suspects, deleted, outside)

    def _check(self, documents: list[Document]) -> None:
        if self._unchecked is None:
            return
        objects = [document for document in documents if isinstance(document, dict)]
        by_id = {key: each for each in objects if (key := key_of(each, self.settings.id)) is not None}
        self._unchecked |= by_id  # a record that is read twice is one record
        self._documents.check([*self._unchecked.values()])
        if len(self._unchecked) >= ENOUGH:
            self._unchecked = None

    def _records(
        self, documents: list[Document]
    ) -> tuple[list[Record], list[Unreadable], list[Record], frozenset[Key], frozenset[Key]]:
        """A page's records, unreadable items with their match fields, and ids that are deleted or filtered out.

        Raises ConfigurationError when most of them cannot be read.
        """
        records: list[Record] = []
        deleted: set[Key] = set()
        outside: set[Key] = set()
        problems: list[BadItemError] = []
        unreadable: list[Unreadable] = []
        suspects: list[Record] = []
        stubs = 0
        for number, document in enumerate(documents, 1):
            try:
                record = self._documents.record(document)
            except BadItemError as error:
                problems.append(error)
                place = f"item {number}"
                unreadable.append(Unreadable(place, f"cannot be read: {error}", error.key))
                suspects.append(
                    self._documents.match_of(document, UNKNOWN_KEY + place if error.key is None else error.key)
                )
                continue
            if self._documents.is_deleted(document):
                deleted.add(record.key)
                records.append(record)  # it has its place in the list
            elif self._documents.is_stub(document):
                stubs += 1  # it was deleted
            else:
                records.append(record)
                if self._documents.is_outside(document):
                    outside.add(record.key)
        if len(problems) > len(records) + stubs:
            raise problems[0]
        if stubs and not records:
            raise ConfigurationError(
                f"{self.title}: fields: the records have none of them; they have "
                f"{', '.join(dict.fromkeys(name for document in documents if document for name in document))}"
            )
        return records, unreadable, suspects, frozenset(deleted), frozenset(outside)

    def _items(self, answer: Answer, body: Any) -> list[Document]:
        name = self.settings.items
        found = body if name is None else value_at(body, name) if isinstance(body, dict) else None
        if isinstance(found, list):
            return found
        if found is None and (name is None or (isinstance(body, dict) and has(body, name))):
            # Some APIs write an empty list as null; a failed request has null and an error text beside it.
            if said := answer.complaint(body):
                raise SystemFailed(f"{self.title}: the API answers without the list: {self.client.inert(said)}")
            return []
        it_has = f"it has {', '.join(map(str, body))}" if isinstance(body, dict) else "it is not a JSON object"
        said = f", and says: {said}" if (said := self.client.inert(answer.complaint(body))) else ""
        if name is None:
            raise ConfigurationError(f"{self.title}: items must say where the list is in an answer; {it_has}{said}")
        raise ConfigurationError(f"{self.title}: items: the answer has no list {name}; {it_has}{said}")

    def cut_off(self, fetched: Fetched, filters: Filters) -> str:
        """Why a list that seems to end with its first page may have more; "" where it does not.

        Raises ConfigurationError where it certainly has more, on a page that `paging` does not describe.
        """
        paging, total, records = self.settings.paging, fetched.total, len(fetched.records)
        if (paging.link is None and paging.cursor is None) or self._has_gone_on:
            return ""
        if total is not None and total.sure and total.records == records:
            return ""
        if says_whether_more(paging, fetched.body) is False:
            return ""
        if hint := says_more(fetched.answer, fetched.body):
            raise ConfigurationError(
                f"{self.title}: paging: the answer says that the list goes on ({hint}), and {_where(paging)} does not "
                "find the next page"
            )
        if not _looks_full(records, fetched.asked, self._largest):
            return ""
        if fetched.asked == records and records > 1:
            half = self.fetch(None, filters, records // 2)
            if half.following is not None:
                return ""
            if len(half.records) <= records // 2:
                raise ConfigurationError(
                    f"{self.title}: paging: of {records // 2} records or more the API answers {len(half.records)}, and "
                    f"{_where(paging)} does not find the next page"
                )
        return (
            f"its only page has {records} records, as a full page has, and {_where(paging)} does not find a next one; "
            "write paging, or paging: {none: {}} where all records come in one answer"
        )


def _where(paging: Paging) -> str:
    if paging.cursor is not None and paging.cursor.header is not None:
        return f"paging.cursor.header: {paging.cursor.header}"
    if paging.cursor is not None:
        return f"paging.cursor.next: {paging.cursor.next}"
    if paging.link is not None and paging.link.next is not None:
        return f"paging.link.next: {paging.link.next}"
    return "the Link header"


def _looks_full(records: int, asked: int | None, largest: int) -> bool:
    """Whether the API may have cut the page off at this number of records. One below the `largest` is not full."""
    if records == asked:
        return True
    is_a_size = records in _PAGE_SIZES or (records > _LARGE_PAGES_COUNT_BY and records % _LARGE_PAGES_COUNT_BY == 0)
    return is_a_size and records >= largest
