"""The fenced blocks of README.md, so that tests run what readers will type."""

import re
from dataclasses import dataclass

from devcluster.paths import ROOT


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    text: str


def blocks() -> list[Block]:
    """All of them, in order."""
    text = (ROOT / "README.md").read_text()
    return [Block(language, body) for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)]


def manifest() -> str:
    """The one manifest."""
    (only,) = (block.text for block in blocks() if block.language == "yaml")
    return only


def commands() -> list[str]:
    """Every shell command, in order; continued lines are one."""
    text = "".join(block.text for block in blocks() if block.language == "sh")
    return text.replace("\\\n", " ").splitlines()
