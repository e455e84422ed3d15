"""`make bench-worker`, small: it runs, and its report has every figure. How fast is no matter here."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from bench.worker.measured import Measured
from bench.worker.report import MIB, Case, Memory, Speed, show

_TESTS = Path(__file__).parents[1]


def test_the_benchmark_reports_every_speed_and_all_memory() -> None:
    sizes = ["--records", "2000", "--more-records", "3000", "--waiting", "500"]
    command = [sys.executable, "-m", "bench.worker", "--no-opponents", *sizes]
    variables = {**os.environ, "PYTHONPATH": str(_TESTS)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    speeds = re.findall(r"^(.+?)  +([\d,]+) (pairs|records)/s +([\d,]+)", done.stdout, re.M)
    assert [case for case, *_ in speeds] == [
        "unchanged full sync",
        "unchanged full sync, PostgreSQL",
        "first read-only full sync",
        "first read-write full sync",
        "500 parked and 500 unpaired",
    ]
    for _, by_clock, _, by_processor in speeds:
        assert 10 < _number(by_clock) < 10_000_000
        assert 10 < _number(by_processor) < 10_000_000
    floors = re.findall(r"(the drivers? alone.*?): ([\d,]+) +[\d.]+ ×", done.stdout)
    assert [floor for floor, _ in floors] == [
        "the driver alone, which reads both sides",
        "the driver alone, which reads both sides",
        "the drivers alone, with COPY",
    ]
    memory = re.findall(r"^(.+?)  +(\d+) MiB", done.stdout, re.M)
    assert len(memory) == 6
    assert all(20 < _number(peak) < 1000 for _, peak in memory)
    assert re.search(r"cache: \d+ bytes per record and side", done.stdout)


def test_other_tools_are_compared_by_wall_clock_and_targets_are_marked() -> None:
    def speed(done: int) -> Speed:
        return Speed(done, Measured(seconds=2.0, user_seconds=0.5, system_seconds=0.5, peak_bytes=0))

    out = io.StringIO()
    case = Case("a case", "pairs/s", speed(8000), 5000, {"one": speed(2000), "another": speed(16_000)})
    memory = [Memory("little", 100 * MIB, 150 * MIB), Memory("much", 200 * MIB, 150 * MIB)]
    show([case], memory, Console(file=out, width=150))
    first, second, *_, little, much = [re.split(r"  +", line.strip()) for line in out.getvalue().splitlines()[1:]]
    assert first == ["a case", "4,000 pairs/s", "8,000", "≥ 5,000", "✗", "one: 1,000", "4.0 ×"]
    assert second == ["another: 8,000", "0.5 ×"]
    assert little == ["little", "100 MiB", "≤ 150 MiB", "✓"]
    assert much == ["much", "200 MiB", "≤ 150 MiB", "✗"]


def _number(text: str) -> int:
    return int(text.replace(",", ""))
