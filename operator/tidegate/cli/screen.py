"""Screen: the two streams. Results go to stdout, everything else to stderr; colours and movement only on a terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console, RenderableType
from rich.text import Text

from tidegate.api import names
from tidegate.cli.integration import Integration

# Wider than any table: rich would cut cells off to make it fit.
_UNBOUNDED = 100_000


class Format(StrEnum):
    """What `-o` chooses from."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Screen:
    """Where a command speaks."""

    def __init__(self, *, color: bool = True) -> None:
        """`color` is an upper limit: without a terminal, or with NO_COLOR, there is none."""
        no_color = None if color else True
        self.out = Console(highlight=False, no_color=no_color)
        self.err = Console(highlight=False, no_color=no_color, stderr=True)
        self._unbounded = Console(highlight=False, no_color=no_color, width=_UNBOUNDED)

    @property
    def asks(self) -> bool:
        """Whether there is a human to be asked."""
        return sys.stdin.isatty() and self.err.is_terminal

    def say(self, text: str) -> None:
        """One line of a result."""
        self.out.print(Text(inert(text)), soft_wrap=True)

    def result(self, text: str, output: Format) -> None:
        """What was done: a result in itself, or beside the objects that are."""
        if output in (Format.TEXT, Format.WIDE):
            self.say(text)
        else:
            self.note(text)

    def note(self, text: str) -> None:
        """Something to know that is no result."""
        self.err.print(Text(inert(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that may not be as its user believes."""
        self.err.print(Text.assemble(("Warning: ", "yellow"), inert(text)), soft_wrap=True)

    def error(self, text: str) -> None:
        """Why something was not done."""
        self.err.print(Text.assemble(("Error: ", "red"), inert(text)), soft_wrap=True)

    def show(self, table: RenderableType) -> None:
        """A table of `show`: as wide as it is, on a terminal too, as kubectl prints them."""
        with self._unbounded.capture() as captured:
            self._unbounded.print(table)
        for line in captured.get().splitlines():
            print(line.rstrip())

    def objects(self, of: Sequence[Integration], output: Format, single: bool) -> None:
        """The integrations themselves, as kubectl prints them: one that was named by itself, others in a list."""
        if output is Format.NAME:
            for integration in of:
                print(f"{names.SINGULAR}.{names.GROUP}/{integration.name}")
            return
        bodies = [_shown(integration) for integration in of]
        if single and len(bodies) == 1:
            self.data(bodies[0], output)
        else:
            self.data({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": bodies}, output)

    def data(self, data: Mapping[str, Any] | Sequence[Any], output: Format) -> None:
        """JSON or YAML."""
        if output is Format.JSON:
            print(json.dumps(data, indent=4, ensure_ascii=False, default=str))
        else:
            yaml.safe_dump(data, sys.stdout, allow_unicode=True)


def inert(text: str) -> str:
    """Text of any origin without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _shown(integration: Integration) -> dict[str, Any]:
    """Without what only machines read."""
    metadata = {key: value for key, value in integration.body["metadata"].items() if key != "managedFields"}
    return {**integration.body, "metadata": metadata}
