"""docs/gitops.md and the files beside it, followed by a reader who has namespaces of other names."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster import process
from devcluster.paths import ROOT
from devcluster.toolchain import kubectl

_PAGE = (ROOT / "docs" / "gitops.md").read_text()


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a section, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", _section(section), re.M | re.S)
    assert found, f"the page has no {language} under {section}"
    return found


def quoted(section: str, beginning: str) -> str:
    """What a section's sentences quote, by how it begins."""
    (found,) = re.findall(rf"`({re.escape(beginning)}[^`]*)`", _section(section))
    return str(found)


def commands_of_the_page() -> int:
    """How many blocks of commands there are, in whatever section."""
    return len(re.findall(r"^```sh$", _PAGE, re.M))


def _section(title: str) -> str:
    return _PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@dataclass(frozen=True)
class Reader:
    """Who has a checkout of this repository, and a cluster."""

    checkout: Path
    kubeconfig: Path
    namespaces: Mapping[str, str]  # by their names in the page

    @classmethod
    def with_copy(
        cls, directory: Path, kubeconfig: Path, namespaces: Mapping[str, str], repository: str = "https://git.example"
    ) -> "Reader":
        """A checkout in which the files name the reader's namespaces, and the repository."""
        reader = cls(directory, kubeconfig, namespaces)
        shutil.copytree(ROOT / "docs" / "gitops", directory / "docs" / "gitops")
        for file in directory.rglob("*.yaml"):
            file.write_text(reader.own(file.read_text()).replace("https://git.example/sales.git", repository))
        return reader

    def own(self, text: str) -> str:
        """With the reader's namespaces in place of the page's."""
        return re.sub(
            r"(namespace:? )([a-z-]+)", lambda found: found[1] + self.namespaces.get(found[2], found[2]), text
        )

    def environment(self) -> dict[str, str]:
        """With kubectl on the PATH, for this cluster."""
        return {**process.environment(kubectl().parent), "KUBECONFIG": str(self.kubeconfig)}

    def follow(self, command: str, directory: Path | None = None) -> None:
        """Type a block of commands."""
        done = subprocess.run(
            ["bash", "-euc", self.own(command)],
            cwd=directory or self.checkout,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def manifest(self, path: str) -> dict[str, Any]:
        """A file of docs/gitops."""
        manifest: dict[str, Any] = yaml.safe_load((self.checkout / "docs" / "gitops" / path).read_text())
        return manifest
