"""A bug as a change of one place in the code, and the tests that must catch it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SeededBug:
    """`old` is found exactly once in `file`, a path from the top of the tree; `tests` are pytest's arguments."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @contextmanager
    def seeded(self, tree: Path) -> Iterator[None]:
        """Have the bug in a tree meanwhile. Raises ValueError when the code has changed under it."""
        path = tree / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its place is {text.count(self.old)} times in {self.file}, not once")
        path.write_text(text.replace(self.old, self.new))
        try:
            yield
        finally:
            path.write_text(text)
