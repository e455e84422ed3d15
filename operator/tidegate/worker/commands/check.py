"""`tidegate-worker check`: try a manifest on its systems, and print what was found, as lines or as JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TextIO

from tidegate.worker.commands.shown import inert
from tidegate.worker.run.check import Checked, check, words


def print_check(
    text: bytes, environ: Mapping[str, str], out: TextIO, interrupted: Callable[[], bool], *, as_json: bool
) -> int:
    """Print what was found; returns the exit code that a run of this configuration would end with. Raises Paused."""
    checked = check(text, environ, interrupted)
    if as_json:
        print(json.dumps(_data(checked), ensure_ascii=False, default=str), file=out)
        return checked.exit_code
    for side in checked.read:
        print(*map(inert, words(side)), sep="\n", file=out)
    for complaint in checked.complaints:
        print(f"✗ {inert(complaint)}", file=out)
    if not checked.complaints:
        print("✓ the configuration fits both systems; nothing was written", file=out)
    return checked.exit_code


def _data(checked: Checked) -> Mapping[str, object]:
    return {
        "fits": not checked.complaints,
        "complaints": checked.complaints,
        "read": [asdict(each) for each in checked.read],
    }
