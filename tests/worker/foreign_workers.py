"""The workers of docs/workers/ as they run outside their images: with their pinned needs, asked as the operator asks.

What they need is installed once, into the user's cache, and not among what the project is developed with.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devcluster.lock import file_lock
from devcluster.paths import ROOT, cache_home
from devcluster.progress import for_stderr
from tidegate.api.contract import PROTOCOL, Environment
from tidegate.worker.commands.conformance.checks import CHECKS
from tidegate.worker.main import main

EXAMPLES = ROOT / "docs" / "workers"


def installed(name: str) -> Path:
    """The directory of programs of an example's environment; it is made when there is none, or not for these needs."""
    requirements = EXAMPLES / name / "requirements.txt"
    needs = f"{sys.version} {sys.prefix}".encode() + requirements.read_bytes()
    home = cache_home() / "workers"
    environment = home / f"{name}-{hashlib.sha256(needs).hexdigest()[:12]}"
    programs, complete = environment / "bin", environment / "complete"
    if complete.exists():
        return programs
    home.mkdir(parents=True, exist_ok=True)
    reporter = for_stderr()
    with file_lock(home / f"{name}.lock", reporter, f"installs what the worker around {name} needs"):
        if not complete.exists():
            shutil.rmtree(environment, ignore_errors=True)  # of one who was killed at it
            with reporter.step(f"Installing what the worker around {name} needs", "half a minute and 200 MB, once"):
                _run(sys.executable, "-m", "venv", str(environment))
                pip = [str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check"]
                _run(*pip, "--require-hashes", "--requirement", str(requirements))
            complete.touch()
    return programs


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.fail(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")


@dataclass(frozen=True)
class Ended:
    """How a run has ended."""

    code: int
    said: dict[str, Any]
    log: str


@dataclass
class Worker:
    """A worker with its cache and configuration, in a directory of its own."""

    name: str
    directory: Path
    config: Mapping[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.programs = installed(self.name)
        self.cache = self.directory / "cache"
        self.message = self.directory / "message"
        self.config_file = self.directory / "sync.json"
        self.cache.mkdir()
        self.config_file.write_text(json.dumps(self.config))

    @property
    def command(self) -> list[str]:
        return [str(self.programs / "python"), str(EXAMPLES / self.name / "worker.py")]

    @property
    def environment(self) -> dict[str, str]:
        """What its image would have, with what a Pod template adds."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "HOME": str(self.directory), **self.variables}

    def begin(
        self, number: int, scope: str = "changes", *, push: bool = True, allow: str = ""
    ) -> "subprocess.Popen[str]":
        """Start a run; all of it dies with its process group."""
        self.message.write_text("")
        order = {
            Environment.PROTOCOL: PROTOCOL,
            Environment.RUN: str(number),
            Environment.SCOPE: scope,
            Environment.PUSH: "true" if push else "false",
            Environment.CACHE_DIR: str(self.cache),
            Environment.CACHE_EPOCH: "1",
            Environment.CONFIG: str(self.config_file),
            Environment.TERMINATION_LOG: str(self.message),
        }
        if allow:
            order[Environment.ALLOW_DELETES] = allow
        return subprocess.Popen(
            self.command,
            env={**self.environment, **order},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, number: int, scope: str = "changes", *, push: bool = True, allow: str = "") -> Ended:
        """A run, to its end."""
        process = self.begin(number, scope, push=push, allow=allow)
        log, _ = process.communicate()
        return Ended(process.returncode, json.loads(self.message.read_text()), log)

    def reset(self) -> None:
        """As the operator's init container does."""
        shutil.rmtree(self.cache)
        self.cache.mkdir()


def conformance(systems: Sequence[str], command: Sequence[str], *options: str) -> None:
    """Have the worker checked; how to reset, show and edit its systems are commands for a shell."""
    reset, state, edit = systems
    main(
        ["conformance", "--interruptions", "2", "--reset", reset, "--state", state, "--edit", edit,
         *options, "--", *command]
    )  # fmt: skip


def passed(only: str = "") -> list[str]:
    """What is printed when it keeps the contract without a warning."""
    return [
        *(f"ok          {check.sentence}" for check in CHECKS if only in check.sentence),
        "the contract is kept, as far as it was checked",
    ]
