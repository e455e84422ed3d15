"""The operations on a file system; `local` and `remote` implement them."""

from collections.abc import Callable, Iterable
from typing import BinaryIO, Protocol, TypeAlias

# Metadata of a file that changes with its content.
Facts: TypeAlias = tuple[tuple[str, str], ...]


class Files(Protocol):
    """A file system. Raises the exceptions of its library."""

    def facts(self, path: str) -> Facts | None:
        """A file's metadata; None when it does not exist."""

    def identify(self, facts: Facts, moment: float) -> bool:
        """Whether metadata that was read at this moment identifies the content: a later change would alter it."""

    def changed_at(self, path: str) -> float:
        """The modification time, in seconds since 1970."""

    def beside(self, path: str) -> list[str]:
        """The names of the files in the same directory."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    def replace(self, path: str, content: Iterable[bytes], is_still: Callable[[], bool]) -> bool:
        """Replace a file's content, unless `is_still` returns false right before the replacement.

        No file system rules out a change between that last check and the replacement.
        """
