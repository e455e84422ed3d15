"""What the visitor sees: acts, the commands that they would type, and proofs; colour on a terminal only."""

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text


class Screen:
    """Standard output, in the few forms that the demo speaks in."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._acts = 0

    def title(self, text: str) -> None:
        self._print(text, "bold")

    def act(self, heading: str, *sentences: str) -> None:
        """Begin the next act."""
        self._acts += 1
        self._print("")
        self._print(f"{self._acts}  {heading}", "bold cyan")
        for sentence in sentences:
            self._print(f"   {sentence}", "dim")

    def command(self, words: Sequence[str]) -> None:
        """A command that is about to be run, as one would type it."""
        self._print(f"   $ {shlex.join(words)}", "yellow")

    def output(self, text: str) -> None:
        """What a command printed."""
        for line in text.rstrip().splitlines():
            self._print(f"   {line}")

    def fact(self, text: str) -> None:
        """Something that is so, and is not a claim of ours."""
        self._print(f"   · {text}")

    def proof(self, text: str) -> None:
        """A claim that has just been checked."""
        self._print(f"   ✓ {text}", "green")

    def say(self, text: str = "") -> None:
        self._print(text)

    def failure(self, text: str) -> None:
        self._print("")
        self._print(f"✗ {text}", "bold red")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))
