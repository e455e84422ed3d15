"""What the journal is about: a write to one record, and what is told of it."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tidegate.worker.connectors import Key
from tidegate.worker.values.normal_form import Value

What = Literal["create", "update", "delete"]


class Change(NamedTuple):
    """One write to one record: the values of its fields before and after, by their names on that side.

    A record that is created has nothing before, and none after when it is deleted. `key` is None where the system has
    not given it yet; `across` is the id of its counterpart; `match` has the match fields, for people; `former` is the
    id that a record had before it was deleted, where an undo creates it again.
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
    """A change as the journal has it. One that is not done may have happened."""

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
    """A run that has written, since when (seconds since 1970), and what it did, by operation.

    Of one that is not whole nothing is kept: it wrote more than the journal may hold.
    """

    run: int
    began: float
    undoes: int | None
    whole: bool
    counts: Mapping[What, int]
