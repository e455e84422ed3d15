"""Settings for a directory or bucket and the files in it.

```yaml
connectors:
  exports:
    type: file
    url: /data                         # or any URL that fsspec supports, such as s3://bucket/exports
    storageOptions: {key: {env: KEY}, secret: {env: SECRET}}
objects:
- exports: {path: contacts.csv, id: id}
```
"""

import codecs
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from tidegate.worker.connectors import Part
from tidegate.worker.connectors.settings import Duration, Text, TimeZone
from tidegate.worker.connectors.where import Condition


class Settings(Part):
    """A directory, bucket or the like. A file is read and replaced as a whole."""

    type: Literal["file"]
    """file: CSV and JSON Lines files."""
    url: Text
    """A directory in a volume of the Pod, such as /data, or a URL that fsspec supports, such as s3://bucket/exports; or
    {env: NAME} to read it from an environment variable."""
    storage_options: dict[str, Any] = Field(default_factory=dict)
    """Options of the URL's fsspec file system; {env: NAME} stands for the value of an environment variable at any
    depth."""
    timezone: TimeZone | None = None
    """The time zone of cursors that are times without a zone; the conflict policy newest needs it for them."""


def _ascii_compatible(encoding: str) -> str:
    try:
        known = codecs.lookup(encoding)
        if known.decode(b',\n"')[0] == ',\n"':
            return "utf-8" if known.name == "utf-8-sig" else encoding  # its byte order mark is kept in any case
    except (LookupError, UnicodeError):
        pass
    raise ValueError(f"{encoding!r} is not supported; write utf-8, or another in which a line break is one byte")


Encoding = Annotated[str, AfterValidator(_ascii_compatible)]


class FileSettings(Part):
    """The settings of an object's file. A file cannot be asked for changes: it is always read whole."""

    incidental: ClassVar[frozenset[str]] = frozenset(
        {"cursor", "new_id", "create", "encoding", "delimiter", "bad_rows", "settled", "where"}
    )

    path: str
    """The file's path below the connector's url."""
    format: Literal["csv", "jsonl"] | None = None
    """csv or jsonl; without it the path's ending decides: .csv, .tsv and .txt, or .jsonl and .ndjson."""
    id: str
    """The column or field that identifies a record."""
    cursor: str | None = None
    """The column that says when a record was changed, for the conflict policy newest only."""
    where: list[Condition] = Field(default=[])
    """The conditions that all records must meet to be synced; a record that leaves them is unlinked, not deleted."""
    new_id: Literal["number", "uuid"] | None = None
    """The id of a new record: the next whole number or a UUID. Without it, a number where all ids are numbers, and
    otherwise a UUID."""
    create: bool = False
    """true: a file that does not exist counts as empty. Without it, a missing file is an error."""
    bad_rows: Literal["stop", "setAside"] = "stop"
    """What to do about a row that cannot be read: stop ends the run. With setAside the row stays in the file as it is,
    the others are synced, and no record that the row may contain counts as deleted."""
    settled: Duration = timedelta(seconds=10)
    """How long a file must be unchanged before a record that is missing from it counts as deleted: the file may still
    be written."""
    encoding: Encoding = "utf-8"
    """How a CSV file's text is encoded, such as utf-8 or cp1252."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """The separator between the columns of a CSV file."""

    @property
    def kind(self) -> Literal["csv", "jsonl"]:
        """The format; by default the one of the path's suffix."""
        return self.format or ("csv" if self.path.lower().endswith((".csv", ".tsv", ".txt")) else "jsonl")

    @model_validator(mode="after")
    def _fits(self) -> "FileSettings":
        if self.format is None and self.path.lower().endswith((".xlsx", ".xlsm", ".xls", ".ods")):
            raise ValueError(f"path: {self.path} is a spreadsheet; save the sheet as CSV in UTF-8, and name that file")
        if self.format is None and not self.path.lower().endswith((".csv", ".tsv", ".txt", ".jsonl", ".ndjson")):
            raise ValueError("format must be csv or jsonl, which the path's ending does not tell")
        if self.kind == "jsonl" and self.encoding.lower().replace("-", "") != "utf8":
            raise ValueError("encoding: JSON Lines are UTF-8")
        return self
