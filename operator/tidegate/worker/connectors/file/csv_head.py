"""The head of a CSV file: the byte order mark, Excel's line `sep=;`, and the header.

These are where exports of spreadsheets and CRMs most often differ from the configuration, so each message says which
setting to write.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tidegate.worker.connectors import Description
from tidegate.worker.connectors.file.not_text import SIGNATURE, not_text
from tidegate.worker.connectors.file.settings import FileSettings
from tidegate.worker.errors import ConfigurationError

_MARK = b"\xef\xbb\xbf"  # Excel begins UTF-8 files with it
_SEPARATOR = re.compile(rb'"?sep=(.)"?\r?\n')
_DELIMITERS = ";,\t|"


@dataclass(frozen=True, slots=True)
class Head:
    """What a file's first lines say about the others."""

    names: Sequence[str]
    delimiter: str
    newline: bytes


class Lines:
    """A file's lines as texts, for the csv module; `length` is the number of bytes read so far.

    Iteration continues with the next line after an error. Bytes that `errors` lets through become surrogates, which no
    valid text has.
    """

    def __init__(self, file: BinaryIO, encoding: str, errors: str = "strict") -> None:
        self._file = file
        self._encoding = encoding
        self._errors = errors
        self.length = file.tell()
        self.last = b""
        self.has_zero = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._file)
        self.length += len(self.last)
        self.has_zero = self.has_zero or b"\0" in self.last
        return self.last.decode(self._encoding, self._errors)


def undecodable(error: UnicodeDecodeError, encoding: str, *, is_first_line: bool = True) -> str:
    """Why a row cannot be decoded, and where in its line; of a row that spans lines only the first line is named."""
    column = len(error.object[: error.start].decode(encoding, "replace")) + 1
    where = f", column {column}" if is_first_line else ""
    advice = "; write encoding: cp1252 if a spreadsheet on Windows wrote it" if is_utf8(encoding) else ""
    return f"is not CSV in {encoding}: {error.reason} at 0x{error.object[error.start]:02x}{where}{advice}"


def place_of(line: str, delimiter: str) -> str:
    """Where a line is not CSV: the position of the first character after a cell's closing quote."""
    cell = re.compile(rf'(?:"(?:[^"]|"")*"|[^"{re.escape(delimiter)}\r\n][^{re.escape(delimiter)}\r\n]*|)')
    end = 0
    while (found := cell.match(line, end)) and line[found.end() : found.end() + 1] == delimiter:
        end = found.end() + 1
    return f"column {(found.end() if found else end) + 1}"


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8 under another name."""
    return codecs.lookup(encoding).name == "utf-8"


def read_head(file: BinaryIO, description: Description) -> Head:
    """Read the head, and leave the file positioned after it. Raises ConfigurationError."""
    settings = description.settings
    assert isinstance(settings, FileSettings)  # noqa: S101
    try:
        return _read(file, settings)
    except ValueError as error:
        raise ConfigurationError(f"{description.title}: {settings.path} {error}") from None


def _read(file: BinaryIO, settings: FileSettings) -> Head:
    start = file.read(SIGNATURE)
    if problem := not_text(start, "CSV in UTF-8"):
        raise ValueError(problem)
    is_marked = start.startswith(_MARK)
    if is_marked and not is_utf8(settings.encoding):
        raise ValueError(f"begins with the mark of UTF-8, and encoding is {settings.encoding}; write encoding: utf-8")
    file.seek(len(_MARK) if is_marked else 0)
    delimiter = _declared(file, settings)
    lines = Lines(file, settings.encoding)
    try:
        names = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except UnicodeDecodeError as error:
        raise ValueError(f"has a header that {undecodable(error, settings.encoding)}") from None
    except csv.Error as error:
        if re.search(rb"\r[^\r\n]", lines.last):
            raise ValueError("has lines that end in CR alone; save it with LF or CRLF") from None
        raise ValueError(f"has a header that is not CSV: {error}") from None
    if not any(names):
        raise ValueError("is empty; its first line must be a header")
    if lines.has_zero:
        raise ValueError("has a zero byte in its header, which no text has")
    file.seek(lines.length)
    return Head(names, delimiter, b"\r\n" if lines.last.endswith(b"\r\n") else b"\n")


def _declared(file: BinaryIO, settings: FileSettings) -> str:
    """The delimiter that the file declares, or the configured one."""
    position = file.tell()
    found = _SEPARATOR.fullmatch(file.readline())
    if found is None:
        file.seek(position)
        return settings.delimiter
    declared = found[1].decode("latin-1")
    if "delimiter" in settings.model_fields_set and settings.delimiter != declared:
        raise ValueError(
            f"says in its first line that cells are separated by {json.dumps(declared)}, and delimiter is "
            f"{json.dumps(settings.delimiter)}; leave delimiter out"
        )
    return declared


def complaints(head: Head, description: Description) -> list[str]:
    """Columns that the object needs and the header lacks or has twice. Other columns may be duplicated or unnamed."""
    settings, title = description.settings, description.title
    assert isinstance(settings, FileSettings)  # noqa: S101
    fields = description.fields
    beside = [*("where" for _ in settings.where), *("constant" for _ in description.constants)]
    mapped = fields[: len(fields) - len(beside)]
    uses = [("id", settings.id), *([("cursor", settings.cursor)] if settings.cursor else [])]
    uses += [(f"field {field.name}", field.name) for field in mapped]
    uses += [(use, field.name) for use, field in zip(beside, fields[len(mapped) :], strict=True)]
    there = ", ".join(name or '""' for name in head.names)
    found = [
        f"{title}: {use}: {settings.path} has no column {name}; it has {there}{_advice(head, name)}"
        for use, name in uses
        if name not in head.names
    ]
    needed = dict.fromkeys(name for _, name in uses)
    return found + [f"{title}: {settings.path} has two columns {name}" for name in needed if head.names.count(name) > 1]


def _advice(head: Head, name: str) -> str:
    """Advice to set another delimiter, if the header has the column with it."""
    if len(head.names) == 1:
        for each in _DELIMITERS:
            if name in next(csv.reader([head.names[0]], delimiter=each)):
                return f"; write delimiter: {json.dumps(each)}"
    return ""
