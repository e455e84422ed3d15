"""CSV: all values are texts, and an empty cell is no value. A format of `file`.

The dialect is RFC 4180's, read strictly: a stray quote or a missing cell is more often a file that is half written
than one that is meant so.
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import BinaryIO

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.file.format import BadEntry, Entry, MalformedError
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value, normal

_MARK = b"\xef\xbb\xbf"  # Excel begins UTF-8 with it

csv.field_size_limit(sys.maxsize)


class CommaSeparated:
    """A Format."""

    def __init__(self, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        self._settings = settings
        self._description = description

    def empty(self) -> bytes:
        """See Format."""
        settings = self._settings
        names = [settings.id, *(field.name for field in self._description.fields)]
        names += [settings.cursor] if settings.cursor else []
        return _written(list(dict.fromkeys(names)), settings, b"\n")

    def begin(self, file: BinaryIO) -> "Cells":
        """See Format."""
        settings = self._settings
        if file.read(len(_MARK)) != _MARK:
            file.seek(0)
        lines = _Lines(file, settings.encoding)
        try:
            header = next(csv.reader(lines, delimiter=settings.delimiter, strict=True), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._description.title}: the header of {settings.path}: {error}") from None
        file.seek(lines.length)
        self._check(header)
        return Cells(header, lines.last.endswith(b"\r\n"), self._description)

    def _check(self, header: Sequence[str]) -> None:
        settings, title = self._settings, self._description.title
        uses = [("id", settings.id), *([("cursor", settings.cursor)] if settings.cursor else [])]
        fields = self._description.fields
        mapped = fields[: len(fields) - len(settings.where)]
        uses += [(f"field {field.name}", field.name) for field in mapped]
        uses += [("where", condition.field) for condition in settings.where]
        if not header:
            raise ConfigurationError(f"{title}: {settings.path} is empty; its first line must be a header")
        complaints = [
            f"{title}: {use}: {settings.path} has no column {name}; it has {', '.join(header)}"
            for use, name in uses
            if name not in header
        ]
        twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
        complaints += [f"{title}: {settings.path} has two columns {name}" for name in twice]
        if complaints:
            raise ConfigurationError(*complaints)


class _Lines:
    """A file's lines as texts, for the csv module; `length` is how many bytes have been read.

    After an error it goes on with the next line. What `errors` lets through becomes surrogates, which no text has.
    """

    def __init__(self, file: BinaryIO, encoding: str, errors: str = "strict") -> None:
        self._file = file
        self._encoding = encoding
        self._errors = errors
        self.length = file.tell()
        self.last = b""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._file)
        self.length += len(self.last)
        return self.last.decode(self._encoding, self._errors)


class Cells:
    """A Layout."""

    type_name = "CSV"
    is_json = False

    def __init__(self, header: Sequence[str], carriage_returns: bool, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        self.newline = b"\r\n" if carriage_returns else b"\n"
        self._settings = settings
        self._width = len(header)
        self._id = header.index(settings.id)
        self._cursor = header.index(settings.cursor) if settings.cursor else None
        self._fields = [header.index(field.name) for field in description.fields]
        self._written = [field.written for field in description.fields]

    def entries(self, file: BinaryIO) -> Iterator[Entry | BadEntry]:
        """See Layout."""
        encoding = self._settings.encoding
        lines, end = _Lines(file, encoding), file.tell()
        rows = csv.reader(lines, delimiter=self._settings.delimiter, strict=True)
        width, id_ = self._width, self._id
        undecodable = ""
        while True:
            start = end
            try:
                row = next(rows)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                # The row is read again, now with a surrogate for each such byte: it may go on in the next lines.
                undecodable = f"is not CSV in {encoding}: {error.reason} at 0x{error.object[error.start]:02x}"
                file.seek(start)
                lines = _Lines(file, encoding, "surrogateescape")
                rows = csv.reader(lines, delimiter=self._settings.delimiter, strict=True)
                continue
            except csv.Error as error:
                end = lines.length
                if end - start > len(lines.last) or lines.last.count(b'"') % 2:
                    # What follows may be the rest of this row.
                    raise MalformedError(f"is not CSV in {encoding}: {error}", start) from None
                yield BadEntry(f"is not CSV in {encoding}: {error}", start, end - start)
                continue
            end = lines.length
            if undecodable and any(map(_has_surrogate, row)):
                yield BadEntry(undecodable, start, end - start, self._certain_key(row, lines.last))
            elif len(row) == width and row[id_]:
                yield Entry(row[id_], start, end - start)
            elif row:  # not an empty line
                is_short = len(row) != width
                problem = (
                    f"has {len(row)} cells, and the header has {width}" if is_short else f"has no {self._settings.id}"
                )
                yield BadEntry(problem, start, end - start, self._certain_key(row, lines.last))

    def _certain_key(self, row: Sequence[str], line: bytes) -> Key | None:
        """The id of a row that is wrong somewhere: none where cells before it, or the line's end, may be missing."""
        is_certain = self._id == 0 and len(row) > 1 and line.endswith(b"\n") and not _has_surrogate(row[0])
        return row[0] or None if is_certain else None

    def records(self, texts: Sequence[bytes]) -> list[Record]:
        """See Layout."""
        id_, cursor, encoding = self._id, self._cursor, self._settings.encoding
        # With a second column it is a tuple that comes back, also for one field.
        pick = itemgetter(*self._fields, id_)
        records = []
        for row in csv.reader([text.decode(encoding) for text in texts], delimiter=self._settings.delimiter):
            values = pick(row)[:-1]
            if "" in values:
                values = tuple(value or None for value in values)
            records.append(Record(row[id_], values, None if cursor is None else row[cursor] or None))
        return records

    def key(self, value: Value) -> Key:
        """See Layout."""
        return str(normal(value))

    def stored(self, field: int, value: Value) -> Value:
        """See Layout."""
        text = str(value) if isinstance(value, str) else normal(value)
        _encoded(text or "", self._settings)
        return text or None

    def create(self, key: Key, values: Sequence[Value]) -> bytes:
        """See Layout."""
        row = [""] * self._width
        self._fill(row, dict(enumerate(values)))
        row[self._id] = str(key)
        return _written(row, self._settings, self.newline)

    def update(self, text: bytes, values: Mapping[int, Value]) -> bytes:
        """See Layout."""
        (row,) = csv.reader([text.decode(self._settings.encoding)], delimiter=self._settings.delimiter)
        self._fill(row, values)
        return _written(row, self._settings, self.newline)

    def _fill(self, row: list[str], values: Mapping[int, Value]) -> None:
        for i, value in values.items():
            if self._written[i]:
                row[self._fields[i]] = value if isinstance(value, str) else normal(value) or ""


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def _written(row: Sequence[str], settings: FileSettings, newline: bytes) -> bytes:
    text = io.StringIO()
    # By this line terminator both of its characters are put in quotes.
    csv.writer(text, delimiter=settings.delimiter, lineterminator="\r\n").writerow(row)
    return _encoded(text.getvalue().removesuffix("\r\n"), settings) + newline


def _encoded(text: str, settings: FileSettings) -> bytes:
    try:
        return text.encode(settings.encoding)
    except UnicodeEncodeError as error:
        raise ValueError(f"{settings.encoding} has no {error.object[error.start]!r}") from None
