"""The progress of reading a list, and the proof that the list was read completely. Pure.

Counted pages shift: a delete or an edit during the scan moves a record from an unread page to one that was read.
Nothing in the answers shows this, so a list is complete only where one of these proves it (design section 6.2):

- it came in one answer;
- its pages begin after a record's id, or the setting `stable` says so;
- the API reports the same total on each page, and the ids came in order and are as many;
- it was read twice, and both readings had the same ids: the only proof of what is made of several lists.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import blake2b
from typing import Any

from tidegate.worker.connectors import Key, Token, Unreadable
from tidegate.worker.connectors.http.totals import Total

# A list that still differs after this many readings changes all the time.
_READINGS = 3
_BITS = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """The progress of reading a list, as plain JSON, so that a later process can continue from it.

    `ids` and `mark` are sums over the hashes of the ids of all records, and of the last page's: they do not depend on
    the order of the ids.
    """

    at: Token | None = None
    time: int = 1
    pages: int = 0
    records: int = 0
    ids: int = 0
    first: int = 0
    last: int = 0
    mark: int = 0
    empty: int = 0
    direction: int = 0
    key: Key | None = None
    in_order: bool = True
    total: int | None = None
    sure: bool = False
    named: str = ""
    moving: bool = False
    faulty: str = ""
    before: tuple[int, int] | None = None
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def of(cls, token: Token | None) -> "Reading":
        """The reading that a token stands for; the start of the list for a token of another format."""
        names = {field.name for field in fields(cls)}
        if not isinstance(token, dict) or token.keys() - {"position"} != names:
            return cls()
        values = {name: token[name] for name in names}
        before = tuple(values["before"]) if values["before"] else None
        return cls(**{**values, "before": before, "unreadable": tuple(Unreadable(*it) for it in values["unreadable"])})

    @property
    def token(self) -> dict[str, Any]:
        """The reading as plain JSON. Messages show its `position`, without the values that a link contains."""
        again = f", reading {self.time}" if self.time > 1 else ""
        unreadable = [list(each) for each in self.unreadable]
        return {**asdict(self), "unreadable": unreadable, "position": f"page {self.pages + 1}{again}"}

    @property
    def only_checks(self) -> bool:
        """Whether this reading only compares ids with an earlier one that has already returned the records."""
        return self.time % 2 == 0

    @property
    def has_total(self) -> bool:
        """Whether as many records have been read as the API reports."""
        return self.sure and not self.moving and self.total == self.records

    def with_page(
        self, keys: Sequence[Key], total: Total | None, following: Token | None, unknown: int = 0
    ) -> "Reading":
        """The reading after one more page, on which `unknown` items have no id."""
        mark = mark_of(keys)
        known = self.total is not None and self.pages > 0
        return replace(
            self,
            at=following,
            pages=self.pages + 1,
            records=self.records + len(keys) + unknown,
            ids=(self.ids + mark) % (1 << _BITS),
            first=len(keys) if self.pages == 0 else self.first,
            last=len(keys) or self.last,
            mark=mark if keys else self.mark,
            empty=0 if keys else self.empty + 1,
            total=total.records if total else self.total,
            sure=total.sure if total else self.sure,
            named=total.name if total else self.named,
            moving=self.moving or (known and total is not None and total.records != self.total),
            **_order(self, keys),
        )

    @property
    def is_confirmed(self) -> bool:
        """Whether the previous reading had the same ids."""
        return self.before == (self.records, self.ids)

    def doubt(self, *, anchored: bool, counted: bool, scattered: bool = False) -> str:
        """Why the list may be incomplete; "" where it is proven complete. Called on its last page.

        Pages that are `anchored` begin after a record and do not shift. A `counted` list ends with an empty page, so
        that even a list of one page may have had a second one whose records moved up meanwhile. A `scattered` one is
        made of several lists, and a record may have moved from one to another.
        """
        if self.faulty:
            return self.faulty
        if self.total is not None and self.total > self.records:
            advice = (
                f"; where {self.named} is not how many records the list has, write total: the field that is, or total: "
                "none"
            )
            said = f"the API reports {self.total} records by {self.named}, but its pages have {self.records}"
            return said + (advice if self.named else "")
        one_page = self.pages - (0 if counted else self.empty) <= 1
        proved = not scattered and (anchored or one_page or (self.has_total and self.in_order))
        # A later reading that is complete proves nothing about the records that the first one returned.
        if self.is_confirmed or (proved and not self.only_checks):
            return ""
        return "its pages may have shifted while they were read, and nothing in the answers says that they have not"

    def again(self) -> "Reading | None":
        """The next reading, to be compared with this one; None after the last attempt."""
        if self.time >= _READINGS:
            return None
        return Reading(time=self.time + 1, before=(self.records, self.ids))


def _order(reading: Reading, keys: Sequence[Key]) -> dict[str, Any]:
    """Whether the ids came in ascending or descending order, so that none can have come twice."""
    direction, in_order, previous = reading.direction, reading.in_order, reading.key
    for key in keys:
        if previous is not None and in_order:
            step = _compared(previous, key)
            in_order = step != 0 and direction in (0, step)
            direction = step
        previous = key
    return {"direction": direction, "in_order": in_order, "key": previous}


def _compared(one: Key, two: Key) -> int:
    if isinstance(one, int) and isinstance(two, int):
        return (two > one) - (two < one)
    if isinstance(one, str) and isinstance(two, str):
        return (two > one) - (two < one)
    return 0


def mark_of(keys: Sequence[Key]) -> int:
    """A sum over the hashes of these ids."""
    return sum(map(_hash, keys)) % (1 << _BITS)


def _hash(key: Key) -> int:
    return int.from_bytes(blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=_BITS // 8).digest())


class News:
    """Detects a list that does not end: its pages stop bringing records that were not on an earlier one.

    A Bloom filter with one hash per id, kept small. Two ids may share a bit, so that one page of a few thousand may
    seem to bring nothing new; only many such pages in a row count as an endless list.
    """

    _SIZE = 1 << 23
    _PATIENCE = 100

    def __init__(self) -> None:
        self._bits = bytearray(self._SIZE // 8)
        self._stale = 0

    def are_over(self, keys: Sequence[Key]) -> bool:
        """Add a page; return whether so many pages in a row had no new id that the list must be endless."""
        news = False
        for key in keys:
            byte, bit = divmod(_hash(key) % self._SIZE, 8)
            news = news or not self._bits[byte] & 1 << bit
            self._bits[byte] |= 1 << bit
        self._stale = 0 if news else self._stale + 1
        return self._stale >= self._PATIENCE
