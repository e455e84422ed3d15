"""The pages of the documentation: what stands on them, and their commands, typed in order by a reader who follows them.

A block `sh` has commands that succeed; a block `console` shows what its commands, after a `$`, print.
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from cluster.command_line import CommandLine, Started
from devcluster.paths import ROOT

_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_SHOWN = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.M)


@dataclass(frozen=True)
class Command:
    """A command of a page, and what it prints there; None where the page does not show it."""

    text: str
    printed: str | None = None


@dataclass(frozen=True)
class Page:
    """A page, or a part of one."""

    name: str
    text: str

    @classmethod
    def read(cls, name: str) -> "Page":
        """A page by its path in the repository."""
        return cls(name, (ROOT / name).read_text())

    def section(self, title: str) -> "Page":
        """What stands under a heading, up to the next one of its level or above."""
        headings = list(self._headings())
        level, start = next((level, n + 1) for n, level, words in headings if words == title)
        end = next((n for n, other, _ in headings if n >= start and other <= level), None)
        return Page(f"{self.name}: {title}", "".join(self.text.splitlines(keepends=True)[start:end]))

    def _headings(self) -> Iterator[tuple[int, int, str]]:
        """Line, level and words; a comment in a block is none."""
        within = False
        for n, line in enumerate(self.text.splitlines()):
            within ^= line.lstrip().startswith("```")
            if not within and (found := re.match(r"(#+) (.*)$", line)):
                yield n, len(found[1]), found[2]

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language, in order."""
        return [dedent(block["text"]) for block in _BLOCK.finditer(self.text) if block["language"] == language]

    def commands(self) -> Iterator[Command]:
        """Every command, in order; continued lines are one."""
        for block in _BLOCK.finditer(self.text):
            text = dedent(block["text"])
            if block["language"] == "sh":
                yield from map(Command, text.replace("\\\n", " ").splitlines())
            if block["language"] == "console":
                yield from (Command(command, printed) for command, printed in _SHOWN.findall(text))

    def rows(self, columns: int) -> list[tuple[str, ...]]:
        """The rows of its tables with so many columns, without their heads."""
        lines = [line for line in self.text.splitlines() if line.startswith("|")]
        cells = [tuple(re.split(r" *(?<!\\)\| *", line.strip("| "))) for line in lines]
        rules = [i for i, line in enumerate(lines) if set(line) <= set("|- ")]
        heads = {*rules, *(i - 1 for i in rules)}
        return [row for i, row in enumerate(cells) if i not in heads and len(row) == columns]

    def sentences(self) -> str:
        """The text without its blocks."""
        return _BLOCK.sub("", self.text)


@dataclass(frozen=True)
class Shell:
    """A reader's shell."""

    directory: Path
    environment: Mapping[str, str]

    @classmethod
    def open(cls, kubeconfig: Path, directory: Path, *programs: Path) -> "Shell":
        """In this directory, with these programs and `kubectl sync` on the path."""
        environment = CommandLine(kubeconfig).environment()
        path = [*(str(program.parent) for program in programs), environment["PATH"]]
        return cls(directory, environment | {"PATH": os.pathsep.join(path)})

    def start(self, command: str) -> Started:
        """Start a command as it is typed, with both streams on the same screen."""
        process = subprocess.Popen(
            ["bash", "-euc", command],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Started(process)


def nothing() -> None:
    """Nothing happens."""


@dataclass(frozen=True)
class Scene:
    """What happens in the cluster around a command: before it, when it has said something, and after it."""

    command: str
    before: Callable[[], None] = nothing
    says: str = ""
    meanwhile: Callable[[], None] = nothing
    after: Callable[[], None] = nothing


def play(
    page: Page,
    shell: Shell,
    scenes: Sequence[Scene] = (),
    *,
    typed: Callable[[str], str] = str,
    shown: Callable[[str], str] = str,
) -> Iterator[tuple[str, str]]:
    """Type every command of the page; yields each with what it printed, which is what the page shows if it does.

    Scenes come in the page's order. `typed` may change a command where the test's cluster asks for it, and `shown` puts
    both what is printed and what the page shows into a form in which they are compared.
    """
    left = list(scenes)
    for command in page.commands():
        scene = left.pop(0) if left and left[0].command == command.text else Scene(command.text)
        scene.before()
        started = shell.start(typed(command.text))
        heard = started.hear_out(scene.says) if scene.says else []
        scene.meanwhile()
        ended = started.end()
        printed = "".join(heard) + ended.out
        if command.printed is None:
            assert ended.code == 0, f"{page.name}: {command.text}\n{printed}"
        else:
            assert shown(printed) == shown(command.printed), f"{page.name}: {command.text}\n{printed}"
        scene.after()
        yield command.text, printed
    assert not left, f"{page.name} has no command {left[0].command!r} any more"
