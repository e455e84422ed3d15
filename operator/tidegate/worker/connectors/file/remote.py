"""Remote files, through fsspec: object stores, SFTP and its other file systems."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, cast
from uuid import uuid4

from tidegate.worker.connectors.file.files import Facts


class RemoteFiles:
    """Files of an fsspec file system."""

    def __init__(self, file_system: Any) -> None:
        self._fs = file_system

    def facts(self, path: str) -> Facts | None:
        self._fs.invalidate_cache()
        try:
            info = self._fs.info(path)
        except FileNotFoundError:
            return None
        if info.get("type") == "directory":
            raise IsADirectoryError(f"{path} is a directory")
        return tuple(sorted((str(k), str(v)) for k, v in info.items() if "access" not in k.lower() and k != "atime"))

    def identify(self, facts: Facts, moment: float) -> bool:
        return any(name.lower() == "etag" for name, _ in facts)

    def changed_at(self, path: str) -> float:
        return float(self._fs.modified(path).timestamp())

    def beside(self, path: str) -> list[str]:
        found = self._fs.ls(path.rpartition("/")[0], detail=True)
        return sorted(str(file["name"]).rpartition("/")[2] for file in found if file.get("type") == "file")

    def open(self, path: str) -> BinaryIO:
        return cast(BinaryIO, self._fs.open(path, "rb"))

    def replace(self, path: str, content: Iterable[bytes], is_still: Callable[[], bool]) -> bool:
        """The time of one request passes between the last check and the replacement."""
        directory, _, name = path.rpartition("/")
        new = f"{directory}/.{name}.{uuid4().hex}.tidegate"
        try:
            with self._fs.open(new, "wb") as file:
                for chunk in content:
                    file.write(chunk)
            if not is_still():
                return False
            self._fs.mv(new, path)
        finally:
            with suppress(FileNotFoundError):
                self._fs.rm_file(new)
        return True
