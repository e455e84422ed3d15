"""`make bench-operator`, small: it runs, and its report has every figure. How fast is no matter here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.cluster import Cluster

_TESTS = Path(__file__).parents[1]


@pytest.mark.long
def test_the_benchmark_reports_every_figure(control_plane: Cluster) -> None:
    """The control plane is there to show that one can be had; the benchmark starts its own."""
    sizes = ["--at-once=20", "--resources=20", "--rate=2", "--seconds=10", "--idle", "20", "40"]
    command = [sys.executable, "-m", "bench.operator", "--no-cron-jobs", *sizes]
    variables = {**os.environ, "PYTHONPATH": str(_TESTS)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    late = re.findall(r"^(.+?)  +([\d,]+) ms +([\d,]+) ms", done.stdout, re.M)
    assert [case for case, *_ in late] == ["20 syncs at once", "one after the other", "OFF honoured"]
    assert re.search(r"CPU of the operator: [\d.]+ ms per start, [\d.]+ ms per run", done.stdout)
    assert re.search(r"requests per run: .*\d patch", done.stdout)
    scales = re.findall(r"^(\d+)((?: +[\d.]+ s){5}) .* (\d+) MiB", done.stdout, re.M)
    assert [scale for scale, *_ in scales] == ["20", "40"]
    assert re.search(r"^× 2((?: +× [\d.]+){6})", done.stdout, re.M)
