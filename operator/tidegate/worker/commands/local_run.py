"""`tidegate-worker run`: one full run of a manifest from this machine, without a cluster. `main` runs it."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tidegate.api.contract import PROTOCOL, Environment
from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.store import Cache

_EPOCH = "1"


def environment_of_a_run(text: bytes, directory: Path, *, push: bool, undo: int | None = None) -> Mapping[str, str]:
    """What the operator would put into the environment of the next run with the cache in `directory`.

    With `undo` it undoes that run. Raises RunEnded when there is a cache that cannot be read. A run that was
    interrupted is continued.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "sync.json"
    config.write_bytes(text)
    return {
        Environment.PROTOCOL: PROTOCOL,
        Environment.RUN: str(_next_run(directory, push=push, undo=undo)),
        Environment.SCOPE: "full",
        Environment.PUSH: json.dumps(push),
        Environment.CACHE_DIR: str(directory),
        Environment.CACHE_EPOCH: _EPOCH,
        Environment.CONFIG: str(config),
        Environment.TERMINATION_LOG: str(directory / "termination-message.json"),
        **({} if undo is None else {Environment.UNDO: str(undo)}),
    }


def _next_run(directory: Path, *, push: bool, undo: int | None) -> int:
    if not (directory / FILE).exists():
        return 1
    with closing(Cache(directory, None)) as cache:
        progress = cache.recall("progress") or {"run": 0, "phase": "complete"}
    same = progress.get("push") == push and progress.get("undo") == undo
    interrupted = progress["phase"] != "complete" and same
    return int(progress["run"]) if interrupted else int(progress["run"]) + 1
