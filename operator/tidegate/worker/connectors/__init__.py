"""The connector interface: six operations on the records of one object, and a watermark of its changes.

`scan`, `push` and `recover` use systems only through these protocols. A connector package offers a ConnectorType, which
`registry` finds by the name in the setting `type`.
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

# A record's id as the cache stores it; a connector converts it to and from its system's id.
Key = int | str

# A scan's position, or a watermark: plain JSON that only the connector interprets. Messages show it to users; a token
# with confidential values is a mapping, of which they show only `position`.
Token = Any


class Part(BaseModel):
    """A part of `spec.sync`: camelCase, frozen, without unknown settings.

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

    # Settings of an object that do not determine which records it has. They may change without a reset.
    incidental: ClassVar[frozenset[str]] = frozenset({"cursor"})


# These three are created once per record, and so are tuples: creating a frozen dataclass takes three times as long.
class Record(NamedTuple):
    """A record as its system holds it: the mapped fields' values, in the order in which the fields are declared."""

    key: Key
    values: tuple[Value, ...]
    cursor: Value = None


def is_as_expected(current: Record | None, expected: Record) -> bool:
    """Whether a record still holds what was read before: the comparison of compare-and-set."""
    if current is None:
        return False
    if current.values == expected.values:
        return True
    return all(map(lambda a, b: normal(a) == normal(b), current.values, expected.values))


class Unreadable(NamedTuple):
    """Something in the place of a record that cannot be read, and is set aside.

    Without a key it may be any record, so that its page has a doubt. `place` tells a person where it is, such as `line
    7`.
    """

    place: str
    reason: str
    key: Key | None = None


class Page(NamedTuple):
    """Some records in the scan's order, and the token of the next page; None on the last page.

    On a scan's last page `doubt` says why the scan may have missed a record that existed all the time, as half a
    sentence for messages. It is empty where the scan is proven complete, as a scan in a database's own order is. `gone`
    are records that exist in their system and are marked as deleted; `outside` are those outside the object's filter.
    """

    records: Sequence[Record]
    after: Token | None
    doubt: str = ""
    unreadable: Sequence["Unreadable"] = ()
    gone: Sequence[Key] = ()
    outside: Sequence[Key] = ()


class Write(NamedTuple):
    """An update: new values by field index, on condition that the record is still as expected."""

    expected: Record
    values: Mapping[int, Value]


@dataclass(frozen=True, slots=True)
class Changed:
    """Not written: the record is no longer as expected."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not written: the system refuses these values permanently. The reason is a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Blocked(Rejected):
    """Rejected because of another record, which has a value that must be unique, or which refers to this one.

    The same write may succeed after that record is written. A connector that cannot tell returns Rejected.
    """


@dataclass(frozen=True, slots=True)
class Postponed(Changed):
    """Not sent, because the run has to end first. With `in_doubt` it was sent, and may have been written.

    The rest of its batch is acknowledged, and then `because` is raised. The intent of a write in doubt stays, so that
    the next attempt finds out.
    """

    because: RunEnded
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class NotDeleted(Rejected):
    """The system accepted a delete and still has the record, which may hold other values now."""

    stored: Record


@dataclass(frozen=True, slots=True)
class Window:
    """The changes to read: from one watermark up to another; `since` None means from the start.

    Reading starts earlier by the overlap where that matters: a transaction's changes become visible only when it
    commits, with the time at which it made them. Records whose cursor does not say when they changed, such as NULL or a
    time in the future, are read too.
    """

    since: Token | None
    until: Token
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class FieldUse:
    """One side of a field: its name there, and what the sync may do with it."""

    name: str
    written: bool
    normalize: tuple[Normalization, ...] = ()

    @property
    def casefold(self) -> bool:
        """Whether letter case is ignored."""
        return "casefold" in self.normalize


@dataclass(frozen=True, slots=True)
class Description:
    """What a connector knows about an object: its own settings, and the fields in their order.

    `creates` and `deletes` say whether the sync creates and deletes records here. `pushes` is false for a run that only
    reads: it does not need the privilege to write.
    """

    title: str
    settings: Part
    fields: tuple[FieldUse, ...]
    match: tuple[int, ...]
    creates: bool
    deletes: bool = False
    pushes: bool = True
    updates: bool = True
    # Names and values that a new record gets in addition to its fields.
    constants: tuple[tuple[str, Value], ...] = ()


class FieldType(Protocol):
    """The values that one field can hold in its system."""

    @property
    def name(self) -> str:
        """The name of the type in its system, for messages."""

    @property
    def kind(self) -> Kind | None:
        """The kind of its values; None where it may hold any kind."""

    @property
    def is_json(self) -> bool:
        """Whether the values are those of JSON, where a text is never a document."""

    @property
    def zoned(self) -> bool:
        """Whether its times are instants: with a zone, or in UTC."""

    def stored(self, value: Value, /) -> Value:
        """The value that would be stored for a value of another system, apart from rounding.

        Raises ValueError for a value that the field cannot hold, because no value may be lost or altered silently.
        """


class Collection(Protocol):
    """The records of one object in one system. Every method raises SystemFailed when the system fails."""

    @property
    def batch(self) -> int:
        """The maximum number of records per push: a pause waits for the end of a batch, and a crash repeats one."""

    def watermark(self, last: Token | None = None, overlap: timedelta = timedelta(), /) -> Token | None:
        """The present watermark of changes; `last` is the watermark of the last scan. None without a cursor.

        The next scan of changes starts where it is safe: a change that this scan has missed has a cursor later than the
        watermark, or earlier by at most the overlap.
        """

    def scan(self, after: Token | None, limit: int, window: Window | None) -> Page:
        """A page of all records, or of those whose cursor is in the window; `after` None is the first page.

        A record that exists from the first page to the last must be on at least one of them: what a whole scan has
        missed counts as deleted. An order in which edited records keep their place, such as that of the keys,
        guarantees this. A connector without this guarantee says so on the last page (`doubt`); then the scan proves no
        absence and moves no watermark. A later process may use a token; an expired token restarts the scan.
        """

    def get(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The records with these keys that exist."""

    def find(self, wanted: Sequence[tuple[Value, ...]]) -> Sequence[Record]:
        """Records whose match fields may equal one of these; the caller compares their normal forms.

        No matching record may be missing, not even one created a moment ago: it would be created again.
        """

    def create(self, records: Sequence[Sequence[Value]]) -> Sequence[Record | Rejected | Postponed]:
        """Create records; return what the system stored, in the same order.

        A Rejected create leaves nothing behind, because every run retries it.
        """

    def update(self, writes: Sequence[Write]) -> Sequence[Record | Changed | Rejected]:
        """Compare-and-set of each record; return what the system stored, in the same order."""

    def delete(self, expected: Sequence[Record]) -> Sequence[Changed | Rejected | None]:
        """Delete the records that are still as expected; None for one that is certainly gone, even before the call."""


@runtime_checkable
class Typed(Protocol):
    """A Collection with field types. Without field types, every value is assumed to arrive unchanged."""

    def field_types(self) -> Sequence[FieldType]:
        """The fields' types, in the order in which they are declared."""

    def cursor_type(self) -> FieldType | None:
        """The type of the cursor; None without a cursor."""


@runtime_checkable
class MayNotRead(Protocol):
    """A Collection whose `get` may be unable to read single records, such as one on which an API fails."""

    @property
    def unread(self) -> Mapping[Key, str]:
        """The records that the last `get` could not read and omitted, each with a sentence that says why."""


@runtime_checkable
class MayShowLate(Protocol):
    """A Collection whose `find` may show a new record late, as a search index does."""

    def doubt(self, wanted: Sequence[tuple[Value, ...]], /) -> None:
        """These may have been created without an answer: from now on `find` looks for them without the search."""


@runtime_checkable
class Triable(Protocol):
    """A Collection with requests that no first page needs, such as a search that the configuration describes."""

    def try_requests(self, records: Sequence[Record], /) -> Sequence[str]:
        """Send them for records that were just read. Returns a sentence about each that does not work."""


@runtime_checkable
class FindsReferring(Protocol):
    """A Collection whose system may delete records together with one that they refer to, as foreign keys do."""

    def referring(self, field: int, keys: Sequence[Key], /) -> Sequence[Record]:
        """All records whose field may hold one of these ids, those outside the filter included.

        The caller compares their normal forms.
        """


def unread(collection: Collection) -> Mapping[Key, str]:
    """The records that the last `get` could not read: they exist, and their values are unknown."""
    return collection.unread if isinstance(collection, MayNotRead) else {}


class Connector(Protocol):
    """A connection to one system for the length of a run."""

    def open(self, description: Description) -> Collection:
        """One object's records. Raises ConfigurationError when the system lacks its table, path or fields."""

    def close(self) -> None:
        """Close all connections."""


@runtime_checkable
class Identified(Protocol):
    """A Connector that can identify the system that it has reached."""

    def system(self, description: Description, /) -> Mapping[str, str]:
        """Signals that tell the system of an object's records from others of its kind, such as {"database": "crm"}.

        Names and values are shown to users; a secret value is given as its `fingerprint`. Signals stay the same when a
        password, a user or the network path to the same system changes. A signal that cannot be read is omitted.
        """


@runtime_checkable
class Interruptible(Protocol):
    """A Connector that writes each record by a request of its own, which may take seconds, and can stop between two."""

    def stop_when(self, interrupted: Callable[[], bool], /) -> None:
        """Once `interrupted` returns true, start nothing: unsent writes are Postponed, and reads raise Paused.

        A write that was sent is completed, so that its batch can be acknowledged.
        """


class Connect(Protocol):
    """Connects to a system by its settings. Raises ConfigurationError; need not reach the system yet."""

    def __call__(self, settings: Any, environ: Mapping[str, str], name: str, /) -> Connector:
        """Connect to the system that has this name in the configuration."""


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """A kind of system: the models of its settings, and the function that connects to it."""

    settings: type[Part]
    object_settings: type[Part]
    connect: Connect
    # Whether new records get the description's constants.
    takes_constants: bool = False
