"""Reads a file whole, and replaces it whole unless it has changed meanwhile."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # fsspec has no type information
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]  # likewise
from fsspec.utils import infer_storage_options  # type: ignore[import-untyped]  # likewise

from tidegate.worker.connectors.file.files import Facts, Files
from tidegate.worker.connectors.file.format import UnreadableFile
from tidegate.worker.connectors.file.local import LocalFiles
from tidegate.worker.connectors.file.remote import RemoteFiles
from tidegate.worker.connectors.settings import fingerprint, hidden
from tidegate.worker.errors import ConfigurationError, SystemFailed

_CHUNK = 1 << 20

# How often to read a file again that changes while it is read.
_READINGS = 5
_PAUSE_SECONDS = 0.2

_CHECKSUM_BYTES = 16
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a file; `certain` if its metadata alone identifies it."""

    facts: Facts
    checksum: bytes
    certain: bool


# Options of fsspec's file systems that name a server: those of the URL, of S3, and of Azure.
_SERVERS = ("host", "port", "endpoint_url", "account_name")


class Storage:
    """A location of files. Its messages contain no secret."""

    def __init__(self, connector: str, url: str, options: Mapping[str, Any], secrets: Iterable[str]) -> None:
        """Raises ConfigurationError when there is no such file system."""
        self._connector = connector
        self._secrets = tuple(secrets)
        self._url, self._options = url, options
        try:
            file_system, self._root = url_to_fs(url, **options)
        except Exception as error:  # each file system has exceptions of its own
            raise ConfigurationError(f"connector {connector}: url or storageOptions: {self._said(error)}") from None
        local = isinstance(file_system, LocalFileSystem)
        self._files: Files = LocalFiles() if local else RemoteFiles(file_system)

    @property
    def place(self) -> dict[str, str]:
        """The identity of the location, without user and password. A URL from a Secret is not shown."""
        named = {**infer_storage_options(self._url), **self._options, **self._options.get("client_kwargs", {})}
        servers = [str(named[option]) for option in _SERVERS if named.get(option)]
        place = " ".join([*servers, self._root.rstrip("/") or "/"])
        return {"place": fingerprint(place) if self._url in self._secrets else place}

    def path(self, relative: str) -> str:
        """The full path of a file. Raises ConfigurationError when it is not below the root."""
        parts = PurePosixPath(relative)
        if parts.is_absolute() or ".." in parts.parts:
            raise ConfigurationError(f"connector {self._connector}: path {relative} must be below the connector's url")
        return f"{self._root.rstrip('/')}/{parts}"

    def beside(self, path: str) -> str:
        """The names of the files in the same directory, for a message."""
        names: list[str] = []
        with suppress(Exception):  # the names only improve a message
            names = self._files.beside(path)
        return ", ".join(names[:_SHOWN]) or "none"

    def changed_seconds_ago(self, path: str) -> float | None:
        """The age of the last change, by the clocks of the file system and this machine; None where unknown."""
        with suppress(Exception):
            return time.time() - self._files.changed_at(path)
        return None

    def read(self, path: str, target: BinaryIO) -> Version | None:
        """Copy the file to the target in one consistent state; None when it does not exist."""
        for _ in range(_READINGS):
            with self._speaking():
                before, moment = self._files.facts(path), time.time()
                if before is None:
                    return None
                target.seek(0)
                target.truncate()
                checksum = self._copy(path, target)
                if self._files.facts(path) == before:
                    return Version(before, checksum, self._files.identify(before, moment))
            time.sleep(_PAUSE_SECONDS)
        raise UnreadableFile(f"connector {self._connector}: {path} keeps being written")

    def check(self, path: str, version: Version | None) -> Version | None:
        """The same version, possibly with `certain` now true, if the file is unchanged; otherwise None."""
        with self._speaking():
            return self._check(path, version) if version is not None else None

    def _check(self, path: str, version: Version) -> Version | None:
        facts, moment = self._files.facts(path), time.time()
        if facts != version.facts:
            return None
        if version.certain:
            return version
        same = self._copy(path, None) == version.checksum
        return replace(version, certain=self._files.identify(facts, moment)) if same else None

    def replace(self, path: str, content: Iterable[bytes], version: Version | None) -> Version | None:
        """Replace this version with new content; return None, without a change, when the file has changed."""
        state = blake2b(digest_size=_CHECKSUM_BYTES)

        def summed() -> Iterator[bytes]:
            for chunk in content:
                state.update(chunk)
                yield chunk

        def is_still() -> bool:
            there = self._files.facts(path) is not None
            return not there if version is None else self._check(path, version) is not None

        with self._speaking():
            if not self._files.replace(path, summed(), is_still):
                return None
            # Not certain: another process may have replaced it since.
            return Version(self._files.facts(path) or (), state.digest(), certain=False)

    def _copy(self, path: str, target: BinaryIO | None) -> bytes:
        state = blake2b(digest_size=_CHECKSUM_BYTES)
        with self._files.open(path) as file:
            while chunk := file.read(_CHUNK):
                state.update(chunk)
                if target is not None:
                    target.write(chunk)
        return state.digest()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Translate the file system's errors into errors of the run."""
        try:
            yield
        except (SystemFailed, ConfigurationError):
            raise
        except (PermissionError, IsADirectoryError, NotADirectoryError, NotImplementedError) as error:
            raise ConfigurationError(f"connector {self._connector}: {self._said(error)}") from None
        except Exception as error:  # remote file systems raise the exceptions of their libraries
            raise SystemFailed(f"connector {self._connector}: {self._said(error)}") from None

    def _said(self, error: Exception) -> str:
        return hidden(str(error) or type(error).__name__, self._secrets)
