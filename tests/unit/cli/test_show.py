"""Tables and lines, as people read them."""

import io
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from tidegate.cli import progress, run_log, show
from tidegate.cli.screen import inert

from .situations import (
    NOW,
    RESET_REQUEST,
    ago,
    entry,
    halted,
    integration,
    off,
    paused,
    run,
    syncing,
    waiting,
)


def rendered(table: RenderableType) -> list[str]:
    console = Console(file=io.StringIO(), width=1000)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_overview_has_a_row_for_each() -> None:
    synced = waiting(activity="✓ run 12", lastSyncedAt=ago(minutes=4, seconds=10))
    of = [integration(status=synced), integration(status=off(), mode="FutureOnly", switch="OFF"), integration()]
    assert rendered(show.overview(of, NOW)) == [
        "NAME      STATUS  PHASE         MODE           ACTIVITY  LAST-SYNC  NEXT-RUN",
        "contacts  ON      Waiting       PastAndFuture  ✓ run 12  4m10s      5m",
        "contacts  OFF     Off           FutureOnly     -         -          -",
        "contacts  ON      not seen yet  PastAndFuture  -         -          -",
    ]


def test_the_wide_overview_of_all_namespaces_adds_columns() -> None:
    heading, row = rendered(show.overview([integration(status=halted())], NOW, wide=True, namespaces=True))
    assert heading.split() == [
        *("NAMESPACE", "NAME", "STATUS", "PHASE", "MODE", "ACTIVITY", "LAST-SYNC", "NEXT-RUN"),
        *("DELAY", "AGE", "MESSAGE"),
    ]
    assert row.startswith("sales      contacts  ON      Waiting (stalled)")
    assert "  5m     3d   run 12 stopped: 900 gone; confirm" in row


def test_the_mode_is_the_one_that_is_at_work() -> None:
    _, row = rendered(show.overview([integration(status=waiting("FutureOnly"), mode="PastAndFuture")], NOW))
    assert "FutureOnly" in row


def test_details_of_one_between_runs() -> None:
    last = entry(
        12, read={"crm": 3500, "billing": 3499}, pushed={"crm": 3}, conflicts=2, reason="1 waiting for a human"
    )
    status = waiting(recentActivity=[last], lastSyncedAt=ago(minutes=1))
    assert rendered(show.details(integration(status=status), NOW)) == [
        "Name         sales/contacts",
        "Status       ON",
        "Phase        Waiting",
        "Message      waiting until 2026-11-24T12:05:00Z for the next run",
        "Mode         PastAndFuture; caught up; turned ON 120m ago",
        "Delay        5m",
        "Next run     in 5m",
        "Last run     ✓ run 12  Incremental  Succeeded  1m  60s ago",
        "  read       crm 3,500, billing 3,499",
        "  pushed     crm 3",
        "  conflicts  2; what waits for a human: kubectl sync conflicts",
        "  remark     1 waiting for a human",
        "Last sync    60s ago",
    ]


@pytest.mark.parametrize(
    ("status", "spec", "words"),
    [
        (syncing(run=run(13, push=False)), {}, "▶ run 13  Incremental, read-only  3m ago"),
        (paused(), {"switch": "OFF"}, "run 13 is paused; turning ON continues it"),
        (off(), {"switch": "OFF"}, "PastAndFuture, when it is turned ON"),
        ({}, {}, "the operator has not seen it yet: is it running?"),
        (waiting(observedGeneration=0), {}, "(the operator has not taken notice of the newest change yet)"),
        (waiting(consecutiveFailures=3), {}, "3 in a row"),
    ],
)
def test_details_tell_what_is_particular(status: dict[str, Any], spec: dict[str, Any], words: str) -> None:
    assert words in "\n".join(rendered(show.details(integration(status=status, **spec), NOW)))


def test_details_tell_of_a_reset_that_is_still_to_come() -> None:
    annotations = {RESET_REQUEST: "now"}
    seen = integration(status=off(), annotations=annotations, switch="OFF")
    assert "requested: all cached data is deleted when it is turned ON" in "\n".join(rendered(show.details(seen, NOW)))


def test_activity_has_a_row_for_each_run() -> None:
    entries = integration(
        status=waiting(
            recentActivity=[
                entry(13, "Failed", "✗", reason="no route to crm"),
                entry(12, read={"crm": 3500}, changed={"crm": 1}, pushed={"billing": 1}, conflicts=1200),
            ]
        )
    ).status.recent_activity
    assert rendered(show.activity(entries, NOW)) == [
        "RUN       KIND         OUTCOME    ENDED    TOOK  READ       CHANGED  PUSHED     CONFLICTS  REMARK",
        "✗ run 13  Incremental  Failed     60s ago  1m    -          -        -          -          no route to crm",
        "✓ run 12  Incremental  Succeeded  60s ago  1m    crm 3,500  crm 1    billing 1  1,200",
    ]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(seconds=-3), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(seconds=120), "2m"),
        (timedelta(minutes=9, seconds=59), "9m59s"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3, minutes=5), "3h5m"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=400), "400d"),
    ],
)
def test_ages_read_as_kubectl_s(duration: timedelta, expected: str) -> None:
    assert show.age(duration) == expected


@given(st.text())
def test_no_text_can_give_orders_to_a_terminal(text: str) -> None:
    shown = inert(text)
    assert len(shown) == len(text)
    assert all(character.isprintable() or character == "\n" for character in shown)


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_lines_do_not_depend_on_the_pieces_that_arrive(text: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    whole = text.removesuffix(b"\n").split(b"\n") if text else []
    assert list(run_log.lines(pieces)) == [line.decode(errors="replace") for line in whole]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            '{"type": "progress", "read": {"crm": 1200, "billing": 0}, "pushed": {"crm": {"create": 2, "update": 1}}}',
            "read crm 1,200, billing 0; pushed crm 3",
        ),
        ('{"type": "parked"}', None),
        ("free text", None),
        ('{"read": 3, "pushed": null}', None),
    ],
)
def test_progress_lines_become_words(line: str, expected: str | None) -> None:
    assert progress.progress_of(line) == expected
