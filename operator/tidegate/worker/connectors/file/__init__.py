"""The `file` connector: CSV and JSON Lines, on this machine or on any storage that fsspec supports.

`records` reads and writes one file's records through `spool`, which has a copy of the file; `storage` reads and
replaces the file itself; `comma_separated` and `json_lines` are its formats.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.worker.connectors import ConnectorType, Description
from tidegate.worker.connectors.file.comma_separated import CommaSeparated
from tidegate.worker.connectors.file.filter import as_read
from tidegate.worker.connectors.file.format import Format
from tidegate.worker.connectors.file.json_lines import JsonLines
from tidegate.worker.connectors.file.records import FileRecords
from tidegate.worker.connectors.file.settings import FileSettings, Settings
from tidegate.worker.connectors.file.spool import Spool
from tidegate.worker.connectors.file.storage import Storage
from tidegate.worker.connectors.settings import FromEnvironment, text_of
from tidegate.worker.errors import SystemFailed


def connect(settings: Settings, environ: Mapping[str, str], name: str) -> "Directory":
    """Open the directory that these settings describe. Raises ConfigurationError."""
    secrets: list[str] = []

    def resolved(option: Any) -> Any:
        if isinstance(option, dict) and list(option) == ["env"] and isinstance(option["env"], str):
            secrets.append(text_of(FromEnvironment(env=option["env"]), environ, name))
            return secrets[-1]
        return {key: resolved(inner) for key, inner in option.items()} if isinstance(option, dict) else option

    url = text_of(settings.url, environ, name)
    if isinstance(settings.url, FromEnvironment):
        secrets.append(url)
    return Directory(name, Storage(name, url, resolved(settings.storage_options), secrets))


class Directory:
    """A Connector for one directory or bucket."""

    def __init__(self, name: str, storage: Storage) -> None:
        self._name = name
        self._storage = storage
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="tidegate-")
        except OSError as error:
            raise SystemFailed(f"connector {name}: there is no room for temporary files: {error}") from error
        self._spools: list[Spool] = []

    def open(self, description: Description) -> FileRecords:
        """Return one file's records."""
        settings = description.settings
        assert isinstance(settings, FileSettings)  # noqa: S101
        path = self._storage.path(settings.path)
        read = as_read(description, settings.where)
        format: Format = CommaSeparated(read) if settings.kind == "csv" else JsonLines(read)
        directory = Path(self._temporary.name) / str(len(self._spools))
        directory.mkdir()
        sets_aside = settings.bad_rows == "setAside"
        spool = Spool(self._name, self._storage, path, format, directory, sets_aside=sets_aside)
        self._spools.append(spool)

        def missing() -> str:
            there = self._storage.beside(path)
            return f"there is no file {path}; beside it there is {there}; write create: true to have the run create it"

        return FileRecords(self._name, spool, missing, description)

    def system(self, _: Description, /) -> Mapping[str, str]:
        """Return the location of the files."""
        return self._storage.place

    def close(self) -> None:
        """Remove the temporary files."""
        for spool in self._spools:
            spool.close()
        self._temporary.cleanup()


TYPE = ConnectorType(settings=Settings, object_settings=FileSettings, connect=connect, takes_constants=True)
