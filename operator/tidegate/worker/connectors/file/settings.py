"""What users write for a place that has files, and for a file of it.

```yaml
connectors:
  exports:
    type: file
    url: /data                         # or any URL that fsspec knows, such as s3://bucket/exports
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


class Settings(Part):
    """A directory, bucket or the like. A file is read and replaced as a whole.

    `storageOptions` are the options of the URL's fsspec file system; {env: NAME} stands for a value of the environment
    at any depth. `timezone` is what cursors are in that are times without a zone; the conflict policy `newest` needs it
    for them.
    """

    type: Literal["file"]
    url: Text
    storage_options: dict[str, Any] = Field(default_factory=dict)
    timezone: TimeZone | None = None


def _ascii_compatible(encoding: str) -> str:
    try:
        known = codecs.lookup(encoding)
        if known.decode(b',\n"')[0] == ',\n"':
            return "utf-8" if known.name == "utf-8-sig" else encoding  # its mark is kept in any case
    except (LookupError, UnicodeError):
        pass
    raise ValueError(f"{encoding!r} is not supported; write utf-8, or another in which a line break is one byte")


Encoding = Annotated[str, AfterValidator(_ascii_compatible)]


class FileSettings(Part):
    """An object's file: its path below the connector's url, and its unique id column or field.

    A file has no changes to ask for: it is always read whole. `cursor` names the column that says when a record was
    changed; it serves the conflict policy `newest` only. New records get the next whole number as their id where all
    ids are such, else a UUID; `newId` decides for a file that is empty. A file that is not there is an error, unless
    `create` is true: then it is an empty one. A row that cannot be read stops the sync; with `badRows: setAside` it
    stays in the file as it is, the others are synced, and no record that it may have been counts as deleted. Nor does
    one that is missing while the file was changed less than `settled` ago: it may be still being written.
    """

    incidental: ClassVar[frozenset[str]] = frozenset(
        {"cursor", "new_id", "create", "encoding", "delimiter", "bad_rows", "settled"}
    )

    path: str
    format: Literal["csv", "jsonl"] | None = None
    id: str
    cursor: str | None = None
    new_id: Literal["number", "uuid"] | None = None
    create: bool = False
    bad_rows: Literal["stop", "setAside"] = "stop"
    settled: Duration = timedelta(seconds=10)
    encoding: Encoding = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","

    @property
    def kind(self) -> Literal["csv", "jsonl"]:
        """The format, by the path's ending where it is not written."""
        return self.format or ("csv" if self.path.lower().endswith((".csv", ".tsv", ".txt")) else "jsonl")

    @model_validator(mode="after")
    def _fits(self) -> "FileSettings":
        if self.format is None and not self.path.lower().endswith((".csv", ".tsv", ".txt", ".jsonl", ".ndjson")):
            raise ValueError("format must be csv or jsonl, which the path's ending does not tell")
        if self.kind == "jsonl" and self.encoding.lower().replace("-", "") != "utf8":
            raise ValueError("encoding: JSON Lines are UTF-8")
        return self
