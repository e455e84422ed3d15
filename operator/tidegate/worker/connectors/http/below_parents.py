"""Lists below parents: the records below each parent, one list after the other, read as one list.

Only a second reading with the same ids proves it complete: while it is read, a record may move to a parent that was
read before, and parents come and go.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

from tidegate.worker.connectors import Description, FieldUse, Key, Token
from tidegate.worker.connectors.http.answers import Answer
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.documents import Documents
from tidegate.worker.connectors.http.listing import Fetched, Filters, Listing, RefusedListError, SearchFor
from tidegate.worker.connectors.http.reader import pages
from tidegate.worker.connectors.http.reading import mark_of
from tidegate.worker.connectors.http.settings import Parents, ResourceSettings
from tidegate.worker.connectors.http.templates import in_path
from tidegate.worker.errors import ConfigurationError

_NOT_FOUND, _EXPIRED = 404, 410


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of a page: below which parent, and where in that list. `last` and `mark` are of the page before."""

    parent: Key
    at: Token | None = None
    records: int = 0
    empty: int = 0
    last: int = 0
    mark: int = 0

    @property
    def token(self) -> dict[str, Any]:
        """The place as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Parents:
    """The ids of all parents, as one reading of their list has them: the first, and for each the next one."""

    answer: Answer
    first: Key | None
    following: Mapping[Key, Key | None]
    doubt: str


class BelowParents(Listing):
    """Reads the lists below all parents; a search at a path of its own is read like that of any other resource."""

    def __init__(self, client: Client, documents: Documents, description: Description, parents: Parents) -> None:
        super().__init__(client, documents, description)
        settings = ResourceSettings(
            path=parents.path,
            id=parents.id,
            query=parents.query,
            items=parents.items,
            paging=parents.paging,
            page_size=parents.page_size,
            total=parents.total,
        )
        above = Description(
            f"{self.title}, parents", settings, (FieldUse(parents.id, written=False),), (0,), creates=False
        )
        self._above = Listing(client, Documents(above), above)
        self._parents: _Parents | None = None
        self._asked: set[str] = set()  # the pages of the present parent's list

    def check(self) -> None:
        self._above.check()
        self.fetch(None, {})

    def is_counted(self, filters: Filters) -> bool:
        return isinstance(filters, SearchFor) and super().is_counted(filters)

    def is_anchored(self, filters: Filters) -> bool:
        return isinstance(filters, SearchFor) and super().is_anchored(filters)

    def is_scattered(self, filters: Filters) -> bool:
        return not isinstance(filters, SearchFor)

    def cut_off(self, fetched: Fetched, filters: Filters) -> str:
        return super().cut_off(fetched, filters) if isinstance(filters, SearchFor) else ""

    def fetch(self, at: Token | None, filters: Filters, limit: int | None = None, step: int = 0) -> Fetched:
        """Read one page that has records, or the last one; without a place, from the first parent on."""
        if isinstance(filters, SearchFor):
            return super().fetch(at, filters, limit, step)
        parents = self._parents
        if parents is None or at is None or at["parent"] not in parents.following:
            parents = self._parents = self._read_parents()
        place = self._place_of(parents, at)
        fetched = _nothing(parents.answer)
        faults = [parents.doubt]
        while place is not None:
            found, place, fault = self._fetch_below(place, parents.following[place.parent], filters, limit)
            faults.append(fault)
            fetched = found or fetched
            if found is not None and (found.keys or found.unreadable):
                break
        faulty = next(filter(None, faults), "")
        return fetched._replace(following=place and place.token, total=None, faulty=faulty)

    def _place_of(self, parents: _Parents, at: Token | None) -> _Place | None:
        if at is None:
            return self._below(parents.first)
        if at["parent"] not in parents.following:  # of a reading that an earlier process has begun
            raise RefusedListError(f"{self.title}: the parent {at['parent']} is gone", _EXPIRED)
        return _Place(**at)

    def _below(self, parent: Key | None) -> _Place | None:
        """The first page of a parent's list."""
        self._asked = set()
        return None if parent is None else _Place(parent)

    def _read_parents(self) -> _Parents:
        keys: dict[Key, None] = {}
        answers: list[Answer] = []
        doubt = ""
        for page in pages(self._above, {}, prove=True):
            keys |= dict.fromkeys(record.key for record in page.records)
            answers += [page.answer] if page.answer is not None else []
            doubt = page.doubt or next((f"{bad.place} {bad.reason}" for bad in page.unreadable), "")
        doubt = f"the list of parents: {doubt}" if doubt else ""
        return _Parents(answers[0], next(iter(keys), None), dict(zip_longest(keys, [*keys][1:])), doubt)

    def _fetch_below(
        self, place: _Place, following: Key | None, filters: Mapping[str, str], limit: int | None
    ) -> tuple[Fetched | None, _Place | None, str]:
        """One page below a parent, None for one beyond the last; the place of the next; and what is in doubt."""
        try:
            path = in_path(self.settings.path, place.parent)
        except ValueError as error:
            raise ConfigurationError(f"{self.title}: parents: {error}") from None
        search = SearchFor(path, {**self.settings.query, **filters}, by_post=False, setting="path, query")
        counted = self.is_counted(search)
        try:
            fetched = super().fetch(place.at, search, limit, place.last)
        except RefusedListError as refusal:
            if refusal.status != _NOT_FOUND or (place.at is not None and not counted):
                raise
            fault = "" if place.at is not None else f"there is no list at {path}, although the list of parents has it"
            return None, self._below(following), fault
        mark = mark_of(fetched.keys)
        if fetched.keys and place.last and mark == place.mark:
            if counted:  # beyond the last page the API repeats the last one
                return None, self._below(following), ""
            raise ConfigurationError(f"{self.title}: paging: the API answers two pages of {path} with the same records")
        items = len(fetched.keys) + fetched.unknown
        empty = 0 if items else place.empty + 1
        records = place.records + items
        if fetched.following is None or (counted and empty and (records == 0 or empty > 1)):
            total = fetched.total.records if fetched.total is not None else records
            fault = self.cut_off(fetched, search) if place.at is None and fetched.following is None else ""
            if total > records:
                fault = f"the API reports {total} records of {path}, but its pages have {records}"
            return fetched, self._below(following), fault
        if repr(fetched.following) in self._asked:
            raise ConfigurationError(f"{self.title}: paging: the pages of {path} go in a circle")
        self._asked.add(repr(fetched.following))
        last = items or place.last
        again = replace(place, at=fetched.following, records=records, empty=empty, last=last, mark=mark or place.mark)
        return fetched, again, ""


def _nothing(answer: Answer) -> Fetched:
    """A page without records: there are no parents, or no records below those that are left."""
    return Fetched(answer, None, [], [], None, None, None, [], [], frozenset(), frozenset())
