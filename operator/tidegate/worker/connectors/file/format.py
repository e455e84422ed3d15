"""What the file connector requires of a format: to find the records in a file, parse them, and write them.

`comma_separated` and `json_lines` implement it. A file is a head followed by records, each of one or more whole lines.
Unedited records are copied byte for byte, so what the sync does not know about stays unchanged.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from tidegate.worker.connectors import Key, Record
from tidegate.worker.errors import ConfigurationError, SystemFailed
from tidegate.worker.values.normal_form import Value


class UnreadableFile(SystemFailed):
    """A file does not have the expected content, and may still be written: the run is retried."""


class BadDataError(ConfigurationError):
    """A file that is not being written does not have the expected content: a retry cannot help."""


class MalformedError(ValueError):
    """A format cannot read a file from `offset` on, in bytes; the format does not know the file's name."""

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset


class Entry(NamedTuple):
    """The position of a record in its file, in bytes."""

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
    """Reads and writes the records of one file, as its head describes them. Raises MalformedError."""

    newline: bytes
    encoding: str
    type_name: str  # of all its fields
    is_json: bool

    def entries(self, file: BinaryIO) -> Iterator[Entry | BadEntry]:
        """All records from the file's position, the end of its head, to its end."""

    def records(self, texts: Sequence[bytes]) -> list[Record]:
        """Parse records."""

    def key(self, value: Value) -> Key:
        """A value as a record's id. Raises ValueError when it cannot be an id."""

    def stored(self, field: int, value: Value) -> Value:
        """The value as the file would store it. Raises ValueError when the format cannot hold it."""

    def create(self, key: Key, values: Sequence[Value]) -> bytes:
        """The text of a new record. Raises ValueError when the format cannot hold a value."""

    def update(self, text: bytes, values: Mapping[int, Value]) -> bytes:
        """The text of a record with some values changed. Raises ValueError when the format cannot hold a value."""


class Format(Protocol):
    """A file format, with an object's settings."""

    def empty(self) -> bytes:
        """The head of a new file."""

    def begin(self, file: BinaryIO) -> Layout:
        """Read the head, and leave the file positioned after it. Raises ConfigurationError when a column is missing."""
