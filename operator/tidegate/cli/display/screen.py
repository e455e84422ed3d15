"""Screen: the two streams. Results go to stdout, everything else to stderr; colours and movement only on a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console, RenderableType
from rich.text import Text

from tidegate.api import names
from tidegate.cli.decisions.integration import Integration

# Wider than any table: rich would cut cells off to make it fit.
_UNBOUNDED = 100_000


class Format(StrEnum):
    """What `-o` chooses from."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


# What a command offers that prints SyncIntegrations, and one that prints other data.
OBJECT_FORMATS = (Format.JSON, Format.YAML, Format.NAME)
DATA_FORMATS = (Format.JSON, Format.YAML)


class Screen:
    """Where a command speaks."""

    def __init__(self, *, color: bool = True) -> None:
        """`color` is an upper limit: without a terminal, or with NO_COLOR, there is none."""
        no_color = None if color else True
        self.out = Console(highlight=False, no_color=no_color)
        self.err = Console(highlight=False, no_color=no_color, stderr=True)
        # To rich a dumb terminal is 80 columns wide, whatever is asked for; it has no colours either.
        terminal = False if self.out.is_dumb_terminal else None
        self._unbounded = Console(highlight=False, no_color=no_color, width=_UNBOUNDED, force_terminal=terminal)

    @property
    def asks(self) -> bool:
        """Whether there is a person to ask."""
        return sys.stdin.isatty() and self.err.is_terminal

    def say(self, text: str) -> None:
        """One line of a result."""
        self.out.print(Text(inert(text)), soft_wrap=True)

    def result(self, text: str, output: Format) -> None:
        """The outcome of a command that acts: on stdout, unless the objects go there."""
        if output in (Format.TEXT, Format.WIDE):
            self.say(text)
        else:
            self.note(text)

    def raw(self, pieces: Iterable[bytes]) -> None:
        """What a program reads, as it arrives."""
        for piece in pieces:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        """Something to know that is not the result."""
        self.err.print(Text(inert(text)), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Something that the user may not expect."""
        self.err.print(Text.assemble(("Warning: ", "yellow"), inert(text)), soft_wrap=True)

    def error(self, text: str) -> None:
        """Why something was not done."""
        self.err.print(Text.assemble(("Error: ", "red"), inert(text)), soft_wrap=True)

    def show(self, table: RenderableType, *, wrapped: bool = False) -> None:
        """A table as wide as it is, as kubectl prints them; `wrapped`: within the width of a terminal, if it is one."""
        if wrapped and self.out.is_terminal:
            self.out.print(table)
            return
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
    """Text of any origin, without what a terminal would interpret."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _shown(integration: Integration) -> dict[str, Any]:
    """Without managedFields, as kubectl prints it."""
    metadata = {key: value for key, value in integration.body["metadata"].items() if key != "managedFields"}
    return {**integration.body, "metadata": metadata}
