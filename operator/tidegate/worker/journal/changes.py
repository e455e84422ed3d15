"""What the journal records: writes to single records, and the runs that made them."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tidegate.worker.connectors import Key
from tidegate.worker.values.normal_form import Value

What = Literal["create", "update", "delete"]


class Change(NamedTuple):
    """One write to one record: the values of its fields before and after, by their names on that side.

    A create has no values before, and a delete none after. `key` is None until the system has assigned the id; `across`
    is the id of the counterpart; `match` has the match fields, for people; `former` is the id that a record had before
    it was deleted, where an undo creates it again.
    """

    source: int
    object: str
    connector: str
    what: What
    key: Key | None
    across: Key | None
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    match: Mapping[str, Value]
    former: Key | None = None


class Entry(NamedTuple):
    """A change in the journal. One that is not done may have been carried out."""

    number: int
    run: int
    done: bool
    change: Change


class Told(NamedTuple):
    """A change without its values."""

    object: str
    connector: str
    what: What
    key: Key | None
    fields: Sequence[str]
    done: bool


class JournalledRun(NamedTuple):
    """A run that has written, its start (in seconds since 1970), and the number of its writes by operation.

    A run that is not whole has no entries: it wrote more than the journal may hold.
    """

    run: int
    began: float
    undoes: int | None
    whole: bool
    counts: Mapping[What, int]
