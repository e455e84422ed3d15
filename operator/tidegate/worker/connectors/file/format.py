"""What the file connector asks of a format: where the records of a file are, what one says, and how one is written.

`comma_separated` and `json_lines` are the two. A file is a head and then records, each of one or more whole lines,
that are copied byte by byte when they are not edited: what the sync does not know of stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from tidegate.worker.connectors import Key, Record
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import Value


class UnreadableFile(SystemFailed):
    """A file does not hold what it should, and may be still being written: the run is retried."""


class BadDataError(ConfigurationError):
    """A file that is not being written does not hold what it should: retrying cannot help."""


class MalformedError(ValueError):
    """A file cannot be read from somewhere on, said by a format, which does not know the file; `offset` is in bytes."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset


class Entry(NamedTuple):
    """Where a record is in its file, in bytes."""

    key: Key
    offset: int
    length: int


class BadEntry(NamedTuple):
    """A row that cannot be read: why, where, and its id if that is certain."""

    problem: str
    offset: int
    length: int
    key: Key | None = None


class Layout(Protocol):
    """How the records of one file are written, by its head. Raises MalformedError where they are not."""

    newline: bytes
    encoding: str
    type_name: str  # of all its fields
    is_json: bool

    def entries(self, file: BinaryIO) -> Iterator[Entry | BadEntry]:
        """All records from the file's position on, which is the end of its head."""

    def records(self, texts: Sequence[bytes]) -> list[Record]:
        """What records say."""

    def key(self, value: Value) -> Key:
        """A value as a record's id. Raises ValueError when it cannot be one."""

    def stored(self, field: int, value: Value) -> Value:
        """What a value becomes in the file. Raises ValueError when the format cannot hold it."""

    def create(self, key: Key, values: Sequence[Value]) -> bytes:
        """A new record. Raises ValueError when the format cannot hold a value."""

    def update(self, text: bytes, values: Mapping[int, Value]) -> bytes:
        """A record with other values of some fields. Raises ValueError when the format cannot hold a value."""


class Format(Protocol):
    """A format, with an object's settings."""

    def empty(self) -> bytes:
        """The head of a file that is made."""

    def begin(self, file: BinaryIO) -> Layout:
        """Read the head, and leave the file at its end. Raises ConfigurationError when a column is missing."""
