"""What is asked of a file system; `local` and `remote` are the two kinds."""

from collections.abc import Callable, Iterable
from typing import BinaryIO, Protocol, TypeAlias

# What a file system tells of a file that changes with its content.
Facts: TypeAlias = tuple[tuple[str, str], ...]


class Files(Protocol):
    """A file system. Raises what its library raises."""

    def facts(self, path: str) -> Facts | None:
        """The facts of a file; None when it is not there."""

    def identify(self, facts: Facts, moment: float) -> bool:
        """Whether a file that had these facts at this moment cannot be changed later and have them still."""

    def changed_at(self, path: str) -> float:
        """When the file was last written to, in seconds since 1970."""

    def beside(self, path: str) -> list[str]:
        """The names of the files in the same directory."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading."""

    def replace(self, path: str, content: Iterable[bytes], is_still: Callable[[], bool]) -> bool:
        """Put new content in the place of what is there, unless `is_still` then says that this is another.

        No file system can promise that nothing happens between that last look and the replacement.
        """
