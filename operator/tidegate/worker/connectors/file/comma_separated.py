"""CSV: all values are texts, and an empty cell is no value. A format of `file`.

The dialect is RFC 4180's, read strictly: a stray quote or a missing cell more often means a half-written file than an
intended value.
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import BinaryIO

from tidegate.worker.connectors import Description, Key, Record
from tidegate.worker.connectors.file.csv_head import Head, Lines, complaints, place_of, read_head, undecodable
from tidegate.worker.connectors.file.format import BadEntry, Entry, MalformedError
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.errors import ConfigurationError
from tidegate.worker.values.normal_form import Value, normal

csv.field_size_limit(sys.maxsize)

_ZERO = "has a zero byte, which no text has; a file that was not written to its end may have some"


class CommaSeparated:
    """The Format for CSV."""

    def __init__(self, description: Description) -> None:
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        self._settings = settings
        self._description = description

    def empty(self) -> bytes:
        settings = self._settings
        names = [settings.id, *(field.name for field in self._description.fields)]
        names += [settings.cursor] if settings.cursor else []
        return _written(list(dict.fromkeys(names)), settings, b"\n", settings.delimiter)

    def begin(self, file: BinaryIO) -> "Cells":
        head = read_head(file, self._description)
        if found := complaints(head, self._description):
            raise ConfigurationError(*found)
        return Cells(head, self._description)


class Cells:
    """The Layout of one CSV file."""

    type_name = "CSV"
    is_json = False

    def __init__(self, head: Head, description: Description) -> None:
        settings, header = description.settings, head.names
        assert isinstance(settings, FileSettings)  # noqa: S101
        self.newline = head.newline
        self.encoding = settings.encoding
        self._settings = settings
        self._delimiter = head.delimiter
        self._width = len(header)
        self._id = header.index(settings.id)
        self._cursor = header.index(settings.cursor) if settings.cursor else None
        self._fields = [header.index(field.name) for field in description.fields]
        self._written = [field.written for field in description.fields]

    def entries(self, file: BinaryIO) -> Iterator[Entry | BadEntry]:
        encoding = self._settings.encoding
        lines, end = Lines(file, encoding), file.tell()
        rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        width, id_ = self._width, self._id
        problem_of_text = ""
        while True:
            start = end
            try:
                row = next(rows)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                # The row is read again, with a surrogate in place of each such byte, because it may continue on the
                # next lines.
                is_first_line = lines.length - start == len(lines.last)
                problem_of_text = undecodable(error, encoding, is_first_line=is_first_line)
                file.seek(start)
                lines = Lines(file, encoding, "surrogateescape")
                rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
                continue
            except csv.Error as error:
                end = lines.length
                if end - start > len(lines.last) or lines.last.count(b'"') % 2:
                    # The next lines may be the rest of this row.
                    raise MalformedError(f"is not CSV in {encoding}: {error}", start) from None
                where = place_of(lines.last.decode(encoding, "replace"), self._delimiter)
                yield BadEntry(f"is not CSV in {encoding}: {error}, {where}", start, end - start)
                continue
            end = lines.length
            has_zero, lines.has_zero = lines.has_zero, False
            if has_zero:
                yield BadEntry(_ZERO, start, end - start, self._certain_key(row, lines.last))
            elif problem_of_text and any(map(_has_surrogate, row)):
                yield BadEntry(problem_of_text, start, end - start, self._certain_key(row, lines.last))
            elif (len(row) == width or self._fits(row)) and row[id_]:
                yield Entry(row[id_], start, end - start)
            elif any(row):  # not an empty line, nor a spreadsheet's row of separators, such as `;;;`
                cells = f"has {len(row)} cells, and the header has {width}"
                problem = f"has no {self._settings.id}" if self._fits(row) else cells
                yield BadEntry(problem, start, end - start, self._certain_key(row, lines.last))

    def _fits(self, row: Sequence[str]) -> bool:
        """Whether a row has a cell for each column; spreadsheets may add empty cells at the end."""
        return len(row) >= self._width and not any(row[self._width :])

    def _certain_key(self, row: Sequence[str], line: bytes) -> Key | None:
        """The id of a malformed row; None where cells before it, or the end of the line, may be missing."""
        is_certain = self._id == 0 and len(row) > 1 and line.endswith(b"\n") and not _has_surrogate(row[0])
        return row[0] or None if is_certain else None

    def records(self, texts: Sequence[bytes]) -> list[Record]:
        id_, cursor, encoding = self._id, self._cursor, self._settings.encoding
        # A second column makes itemgetter return a tuple even for one field.
        pick = itemgetter(*self._fields, id_)
        records = []
        for row in csv.reader([text.decode(encoding) for text in texts], delimiter=self._delimiter):
            values = pick(row)[:-1]
            if "" in values:
                values = tuple(value or None for value in values)
            records.append(Record(row[id_], values, None if cursor is None else row[cursor] or None))
        return records

    def key(self, value: Value) -> Key:
        return str(normal(value))

    def stored(self, field: int, value: Value) -> Value:
        text = str(value) if isinstance(value, str) else normal(value)
        _encoded(text or "", self._settings)
        return text or None

    def create(self, key: Key, values: Sequence[Value]) -> bytes:
        row = [""] * self._width
        self._fill(row, dict(enumerate(values)))
        row[self._id] = str(key)
        return self._text(row, self.newline)

    def update(self, text: bytes, values: Mapping[int, Value]) -> bytes:
        (row,) = csv.reader([text.decode(self._settings.encoding)], delimiter=self._delimiter)
        self._fill(row, values)
        # A file may mix both line endings.
        own = next((each for each in (b"\r\n", b"\n") if text.endswith(each)), self.newline)
        return self._text(row, own)

    def _text(self, row: Sequence[str], newline: bytes) -> bytes:
        return _written(row, self._settings, newline, self._delimiter)

    def _fill(self, row: list[str], values: Mapping[int, Value]) -> None:
        for i, value in values.items():
            if self._written[i]:
                row[self._fields[i]] = value if isinstance(value, str) else normal(value) or ""


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def _written(row: Sequence[str], settings: FileSettings, newline: bytes, delimiter: str) -> bytes:
    text = io.StringIO()
    # With this line terminator the csv module quotes cells that contain either of its characters.
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(row)
    return _encoded(text.getvalue().removesuffix("\r\n"), settings) + newline


def _encoded(text: str, settings: FileSettings) -> bytes:
    try:
        return text.encode(settings.encoding)
    except UnicodeEncodeError as error:
        raise ValueError(f"{settings.encoding} has no {error.object[error.start]!r}") from None
