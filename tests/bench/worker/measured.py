"""Run a program to its end, and tell what it took."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock and on the processor, for the program and its children; the most memory it ever had."""

    seconds: float
    user_seconds: float
    system_seconds: float
    peak_bytes: int


def run(command: Sequence[str], variables: Mapping[str, str], log: Path) -> Measured:
    """Run a command. Raises RuntimeError with the end of its output when it fails."""
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=out, stderr=out)
        try:
            # The peak is never below that of the process that starts it: we ourselves have to stay small.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    return Measured(seconds, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)
