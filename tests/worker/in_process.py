"""Runs of the worker in the tests' own process, with a cache and a configuration in a directory."""

import io
import json
from pathlib import Path
from typing import Any

from tidegate.worker.main import work

NOTHING = {side: {"create": 0, "update": 0, "delete": 0} for side in ("crm", "erp")}


def run(directory: Path, config: Any, number: int, scope: str = "full") -> tuple[int, dict[str, Any], str]:
    """One run: its exit code, its message, and what it said."""
    (directory / "cache").mkdir(exist_ok=True)
    (directory / "sync.json").write_text(json.dumps(config))
    environment = {
        "SYNC_PROTOCOL": "1", "SYNC_RUN": str(number), "SYNC_SCOPE": scope, "SYNC_PUSH": "true",
        "SYNC_CACHE_DIR": str(directory / "cache"), "SYNC_CACHE_EPOCH": "1",
        "SYNC_CONFIG": str(directory / "sync.json"), "SYNC_TERMINATION_LOG": str(directory / "message"),
    }  # fmt: skip
    lines = io.StringIO()
    code = work(environment, lines, lambda: False)
    return code, json.loads((directory / "message").read_text()), lines.getvalue()
