"""What every connected system can be asked: six verbs on the records of one object, and how far its changes go.

`scan`, `push` and `recover` know systems by these protocols only. A connector offers a ConnectorType; `registry` finds
it by the name that users write as `type`, in this package or another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tidegate.worker.errors import RunEnded
from tidegate.worker.values.kinds import Kind
from tidegate.worker.values.normal_form import Normalization, Value, normal

# A record's id as the cache keeps it; a connector translates what its system has.
Key = int | str

# Where a scan goes on, and how far changes go: opaque to everything but the connector, and plain JSON. Messages show it
# to humans; one with values that are not for everybody is a mapping, of which they show `position`.
Token = Any


class Part(BaseModel):
    """A part of `spec.sync`: camelCase, frozen, and nothing in it that we do not know.

    The docstring below a field describes it in the reference, in editors and in `kubectl explain`.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    # Of an object's settings: those that do not say which records these are. They may change without a reset.
    incidental: ClassVar[frozenset[str]] = frozenset({"cursor"})


# The three that are made once per record are tuples: frozen dataclasses take three times as long to make.
class Record(NamedTuple):
    """A record as its system holds it: the mapped fields' values, in the order in which the fields are declared."""

    key: Key
    values: tuple[Value, ...]
    cursor: Value = None


def is_as_expected(current: Record | None, expected: Record) -> bool:
    """Whether a record still holds what was read before: what compare-and-set compares."""
    if current is None:
        return False
    if current.values == expected.values:
        return True
    return all(map(lambda a, b: normal(a) == normal(b), current.values, expected.values))


class Unreadable(NamedTuple):
    """Something in the place of a record that cannot be read, and is set aside.

    Without a key it may be any record: its page has a doubt. `place` is where a person finds it, such as `line 7`.
    """

    place: str
    reason: str
    key: Key | None = None


class Page(NamedTuple):
    """Some records in the scan's order, and the token after which it goes on; None when it is over.

    On a scan's last page `doubt` says why the scan may have left out a record that was there all the time: half a
    sentence for messages. It is empty where the scan is proved whole, which a database's own order does by itself.
    `gone` are records that their system still has, and marks as deleted; `outside` are those that the object's filter
    leaves out.
    """

    records: Sequence[Record]
    after: Token | None
    doubt: str = ""
    unreadable: Sequence["Unreadable"] = ()
    gone: Sequence[Key] = ()
    outside: Sequence[Key] = ()


class Write(NamedTuple):
    """An update: new values by field index, provided that the record is still as expected."""

    expected: Record
    values: Mapping[int, Value]


@dataclass(frozen=True, slots=True)
class Changed:
    """Not written: the record is not as expected any more."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not written: the system refuses these values, and would again. The reason is a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Blocked(Rejected):
    """Rejected because of another record, which has a value that must be unique, or which refers to this one.

    The same write may succeed after that record is written. A connector that cannot tell answers Rejected.
    """


@dataclass(frozen=True, slots=True)
class Postponed(Changed):
    """Not sent: the run has to end before this record's turn. With `in_doubt` it was sent, and may have been written.

    What else its batch has done is acknowledged, and then `because` is raised. The intent of what is in doubt stays, so
    that the next attempt finds out.
    """

    because: RunEnded
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class NotDeleted(Rejected):
    """The system accepted a delete and still has the record, which may hold other values now."""

    stored: Record


@dataclass(frozen=True, slots=True)
class Window:
    """The changes to read: those since one watermark, as far as another; `since` None is from the beginning.

    Reading starts earlier by the overlap where that can make a difference: a transaction shows its changes only when
    it commits, under the time at which it made them. Records whose cursor says nothing of when they were changed, such
    as NULL or a time in the future, are read too.
    """

    since: Token | None
    until: Token
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class FieldUse:
    """How one side takes part in a field: its name there, and what the sync may do with it."""

    name: str
    written: bool
    normalize: tuple[Normalization, ...] = ()

    @property
    def casefold(self) -> bool:
        """Whether letter case makes no difference."""
        return "casefold" in self.normalize


@dataclass(frozen=True, slots=True)
class Description:
    """All that a connector knows of an object: its own settings, and the fields in their order.

    `creates` and `deletes` say whether records are created and deleted here. `pushes` is false for what only reads,
    such as a read-only run: then the right to write is not needed.
    """

    title: str
    settings: Part
    fields: tuple[FieldUse, ...]
    match: tuple[int, ...]
    creates: bool
    deletes: bool = False
    pushes: bool = True
    updates: bool = True
    # Names and values that a new record gets beside its fields.
    constants: tuple[tuple[str, Value], ...] = ()


class FieldType(Protocol):
    """What one field can hold in its system."""

    @property
    def name(self) -> str:
        """The type as the system calls it, for messages."""

    @property
    def kind(self) -> Kind | None:
        """What its values are; None where they may be anything."""

    @property
    def is_json(self) -> bool:
        """Whether the values are JSON's, whose texts are never documents."""

    @property
    def zoned(self) -> bool:
        """Of a time, whether it is an instant: one with a zone, or in UTC."""

    def stored(self, value: Value, /) -> Value:
        """What would be stored for a value of another system, apart from rounding. Raises ValueError for what cannot.

        No value is lost or altered in silence: a connector that cannot keep one says so here.
        """


class Collection(Protocol):
    """The records of one object in one system. Every method raises SystemFailed when the system breaks off."""

    @property
    def batch(self) -> int:
        """How many records to push at once, at most: a pause waits for the end of a batch, and a crash repeats one."""

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        """How far changes go at this moment, where `last` is what was answered at the last scan; None without a cursor.

        The next scan of changes begins where it is safe: a change that this scan has not met has a later cursor than
        what the watermark stands for, or one that is earlier by the overlap at most.
        """

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        """A page of all records, or of those whose cursor is in the window; None is before the first.

        A record that is there from the first page to the last is on one of them at least: what a whole scan has not
        met counts as deleted. An order in which edited records stay where they are, such as that of the keys, promises
        this. A connector that cannot promise it says so on the last page (`doubt`); then the scan proves no absence
        and moves no watermark. A token may be used by a later process; one that has become worthless begins the scan
        anew.
        """

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The records with these keys that exist."""

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        """Records whose match fields may equal one of these; the caller compares their normal forms.

        None that does may be missing, one that was created a moment ago included: it would be created again.
        """

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected | Postponed]:
        """Create records; the answers, in the same order, are what the system stored.

        What is Rejected has left nothing behind: every run tries it again.
        """

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        """Compare-and-set, each on its own; the answers, in the same order, are what the system stored."""

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        """Delete what is still as expected; None for what is certain to be gone, also before."""


@runtime_checkable
class Typed(Protocol):
    """A Collection that tells what its fields can hold; of one that does not, every value is taken to arrive."""

    def field_types(self) -> Sequence[FieldType]:
        """The fields' types, in the order in which they are declared."""

    def cursor_type(self) -> FieldType | None:
        """The same of the cursor."""


@runtime_checkable
class MayNotRead(Protocol):
    """A Collection of which single records may not be readable by their ids, such as one that an API fails on."""

    @property
    def unread(self) -> Mapping[Key, str]:
        """The records that the last `get` could not read, and left out, each with a sentence that says why."""


def unread(collection: Collection) -> Mapping[Key, str]:
    """The records that the last `get` could not read: they are not gone, and what they hold is unknown."""
    return collection.unread if isinstance(collection, MayNotRead) else {}


class Connector(Protocol):
    """One system that is connected for the length of a run."""

    def open(self, description: Description) -> Collection:
        """One object's records. Raises ConfigurationError when the system has no such place or field."""

    def close(self) -> None:
        """End all connections."""


@runtime_checkable
class Identified(Protocol):
    """A Connector that tells which system it has reached."""

    def system(self, description: Description, /) -> Mapping[str, str]:
        """What tells the system in which an object's records are from others of its kind, such as {"database": "crm"}.

        Names and values are shown to humans; a value that is secret is given as `fingerprint`. They stay the same
        when a password, a user or the way to the same system changes. One that cannot be read is left out.
        """


@runtime_checkable
class Interruptible(Protocol):
    """A Connector that writes record by record, each by a request that may take seconds: it can stop between two."""

    def stop_when(self, interrupted: Callable[[], bool], /) -> None:
        """Once this is true, begin nothing more: a write that was not sent is Postponed, and a reading raises Paused.

        A write that was sent is completed, so that its batch can be acknowledged.
        """


class Connect(Protocol):
    """How to connect a system by its settings. Raises ConfigurationError; need not reach the system yet."""

    def __call__(self, settings: Any, environ: Mapping[str, str], name: str, /) -> Connector:
        """Connect the system that the configuration calls by this name."""


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """A kind of system: the models of its settings, which name what users may write, and how to connect."""

    settings: type[Part]
    object_settings: type[Part]
    connect: Connect
    # Whether a new record gets the description's constants.
    takes_constants: bool = False
