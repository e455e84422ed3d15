"""Tables and lines, as people read them."""

import io
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from tidegate.cli import run_log
from tidegate.cli.display import activity as recent
from tidegate.cli.display import overview, show
from tidegate.cli.display.screen import inert

from .situations import (
    NOW,
    RESET_REQUEST,
    ago,
    conditions,
    entry,
    halted,
    integration,
    off,
    paused,
    plan,
    run,
    side,
    syncing,
    waiting,
)

CANNOT_START = waiting(conditions=conditions(reason="PodCannotStart"))
RETRYING = waiting(conditions=conditions(reason="Retrying"))


def rendered(table: RenderableType, width: int = 1000) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_overview_has_one_row_per_sync() -> None:
    synced = waiting(activity="✓ run 12", lastSyncedAt=ago(minutes=4, seconds=10))
    of = [integration(status=synced), integration(status=off(), mode="FutureOnly", switch="OFF"), integration()]
    assert rendered(overview.overview(of, NOW)) == [
        "NAME      STATUS  PHASE         READY  REASON  ACTIVITY  UNRESOLVED  LAST-SYNC  NEXT-RUN",
        "contacts  ON      Waiting       True   Reason  ✓ run 12  -           4m10s      5m",
        "contacts  OFF     Off           True   Reason  -         -           -          -",
        "contacts  ON      not seen yet  -      -       -         -           -          -",
    ]


def test_the_wide_overview_of_all_namespaces_adds_columns() -> None:
    heading, row = rendered(overview.overview([integration(status=halted())], NOW, wide=True, namespaces=True))
    assert heading.split() == [
        *("NAMESPACE", "NAME", "STATUS", "PHASE", "READY", "REASON", "ACTIVITY", "UNRESOLVED", "LAST-SYNC", "NEXT-RUN"),
        *("MODE", "DELAY", "AGE", "MESSAGE"),
    ]
    assert row.startswith("sales      contacts  ON      Waiting (stalled)  False")
    assert "  5m     3d   run 12 stopped: 900 gone; approve" in row


def test_the_mode_is_that_of_the_activation() -> None:
    of = [integration(status=waiting("FutureOnly"), mode="PastAndFuture")]
    assert "FutureOnly" in rendered(overview.overview(of, NOW, wide=True))[1]


def test_records_that_wait_for_a_decision_are_counted() -> None:
    _, row = rendered(overview.overview([integration(status=waiting(waitingRecords=1200))], NOW))
    assert row.split()[6] == "1,200"


@pytest.mark.parametrize(
    ("reason", "status", "words", "style"),
    [
        ("Halted", halted(), "Waiting (stalled)", "bold red"),
        (
            "PodCannotStart",
            waiting(conditions=conditions(reason="PodCannotStart")),
            "Waiting (cannot start)",
            "bold red",
        ),
        ("Retrying", waiting(conditions=conditions(reason="Retrying")), "Waiting (retrying)", "yellow"),
        ("CaughtUp", waiting(), "Waiting", "green"),
    ],
)
def test_a_blocked_sync_does_not_look_like_a_waiting_one(
    reason: str, status: dict[str, Any], words: str, style: str
) -> None:
    phase = show.phase(integration(status=status))
    assert (phase.plain, phase.style) == (words, style)


TROUBLED = (
    ("d-stalled", halted()),
    ("c-cannot-start", CANNOT_START),
    ("b-retrying", RETRYING),
    ("a-unresolved", waiting(waitingRecords=3)),
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 300])
@pytest.mark.parametrize("height", [4, 9, 24])
def test_a_live_screen_shows_problems_first_and_truncates_no_word(width: int, height: int) -> None:
    fine = [(f"sync-{n}", waiting(activity="✓ run 12", lastSyncedAt=ago(minutes=4))) for n in range(10)]
    of = [integration(name=name, status=status) for name, status in (*fine, *TROUBLED)]
    console = Console(file=io.StringIO(), width=width, height=height)
    table, left_out = overview.fitting(of, NOW, console)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    heading, *rows = console.file.getvalue().splitlines()
    names = [name for name, _ in TROUBLED] + [f"sync-{n}" for n in range(10)]
    assert [row.split()[0] for row in rows] == names[: len(rows)]
    assert len(rows) + left_out == len(of)
    assert len(rows) < height
    assert {"NAME", "PHASE", "ACTIVITY"} <= set(heading.split()) <= {*overview._USUAL, "MESSAGE"}
    assert all(len(row) <= width for row in rows)
    if "MESSAGE" not in heading:
        assert "…" not in "".join(rows)
    assert ("MESSAGE" in heading) == (width >= 160)


def test_details_of_a_sync_between_two_runs() -> None:
    report: dict[str, Any] = {
        "read": {"crm": 3500, "billing": 3499},
        "pushed": {"crm": 3},
        "conflicts": 2,
        "setAside": 1,
        "waiting": 4,
    }
    last = {**entry(12, **report, reason="erp was slow"), "duration": "47s411ms"}
    status = waiting(recentActivity=[last], lastSyncedAt=ago(minutes=1), waitingRecords=4)
    assert rendered(show.details(integration(status=status), NOW)) == [
        "Name         sales/contacts",
        "Status       ON",
        "Phase        Waiting",
        "Ready        True  Reason",
        "Message      waiting until 2026-11-24T12:05:00Z for the next run",
        "Mode         PastAndFuture; caught up; turned ON 120m ago",
        "Delay        5m",
        "Next run     in 5m",
        "Last run     ✓ run 12  Incremental  Succeeded  47s  60s ago",
        "  read       crm 3,500, billing 3,499",
        "  pushed     crm 3",
        "  conflicts  2",
        "  set aside  1",
        "  remark     erp was slow",
        "Unresolved   4 records wait for a decision: kubectl sync conflicts contacts -n sales",
        "Last sync    60s ago",
    ]


@pytest.mark.parametrize(
    ("status", "spec", "words"),
    [
        (syncing(activity="▶ run 13", run=run(13, push=False)), {}, "▶ run 13  Incremental, read-only  started 3m ago"),
        (paused(activity="⏸ run 13"), {"switch": "OFF"}, "⏸ run 13  Incremental  started 3m ago"),
        (paused(activity="⏸ run 13 (2 set aside)"), {"switch": "OFF"}, "⏸ run 13  Incremental  started 3m ago"),
        (syncing(activity="✓ run 12"), {}, "▶ run 13  Incremental  started 3m ago"),
        (syncing(activity="▷ run 13"), {}, "▷ run 13  Incremental  started 3m ago"),
        (off(), {"switch": "OFF"}, "PastAndFuture, from the next ON"),
        ({}, {}, "the operator has not picked it up yet: is it running, and does it serve this namespace?"),
        (waiting(observedGeneration=0), {}, "(the operator has not picked up the latest change yet)"),
        (waiting(consecutiveFailures=3), {}, "3 in a row"),
        (
            off(plan=plan(side("erp", create=1180, set_aside=24), finishedAt=ago(minutes=5))),
            {},
            "Last plan  run 13  Succeeded  5m ago; 1,180 to push, 24 to set aside\n",
        ),
        (waiting(plan=plan(side("erp", update=4), undo=9)), {}, "5s ago; the undo of run 9 would write 4\n"),
        (
            off(plan=plan(check=True)),
            {},
            "Last check  run 13  Succeeded  5s ago; the configuration fits both systems\n",
        ),
        (
            off(plan=plan(check=True, wouldHalt=["no table a"])),
            {},
            "Last check  run 13  Succeeded  5s ago; no table a\n",
        ),
        (off(plan=plan(wouldHalt=["900 gone"])), {}, "5s ago; 0 to push, 0 to set aside; 900 gone\n"),
        (off(plan=plan(outcome="Failed", reason="no route")), {}, "run 13  Failed  5s ago; no route\n"),
        (
            off(plan=plan(run=None, outcome="ConfigurationError", reason="the worker plans nothing")),
            {},
            "refused  5s ago; the worker plans nothing\n",
        ),
    ],
)
def test_details_show_unusual_settings(status: dict[str, Any], spec: dict[str, Any], words: str) -> None:
    assert words in "\n".join(rendered(show.details(integration(status=status, **spec), NOW)))


def test_a_plan_is_not_the_last_run() -> None:
    status = waiting(recentActivity=[entry(13, kind="Plan"), entry(12)], plan=plan())
    lines = rendered(show.details(integration(status=status), NOW))
    assert [line for line in lines if line.startswith("Last")] == [
        "Last run   ✓ run 12  Incremental  Succeeded  1m  60s ago",
        "Last plan  run 13  Succeeded  5s ago; 0 to push, 0 to set aside",
        "Last sync  never",
    ]


def test_settled_conflicts_are_not_mentioned() -> None:
    status = waiting(recentActivity=[entry(12, conflicts=4, waiting=0)])
    assert "kubectl sync conflicts" not in "\n".join(rendered(show.details(integration(status=status), NOW)))


def test_details_repeat_nothing() -> None:
    failed = waiting(message="run 13 failed: no route", recentActivity=[entry(13, "Failed", "✗", reason="no route")])
    assert "\n".join(rendered(show.details(integration(status=failed), NOW))).count("no route") == 1


def test_a_long_message_wraps_in_its_column() -> None:
    lines = rendered(show.details(integration(status=waiting(message="word " * 30)), NOW), width=80)
    begins = next(n for n, line in enumerate(lines) if line.startswith("Message  "))
    assert lines[begins + 1].startswith("           word")


def test_details_show_the_progress_of_the_run() -> None:
    shown = rendered(show.details(integration(status=syncing()), NOW, "read crm 250; pushed erp 3"))
    assert "  progress  read crm 250; pushed erp 3" in shown


def test_details_show_a_reset_that_is_still_pending() -> None:
    annotations = {RESET_REQUEST: "now"}
    seen = integration(status=off(), annotations=annotations, switch="OFF")
    assert "requested: all cached data is deleted at the next ON" in "\n".join(rendered(show.details(seen, NOW)))


ENTRIES = [
    entry(
        13,
        "ConfigurationError",
        "✗",
        reason="there is no table produkt; the database has contact, product, and many more besides that go on and on",
    ),
    entry(
        12, read={"crm": 3500, "billing": 3499}, changed={"crm": 1}, pushed={"billing": 1}, conflicts=1200, waiting=3
    ),
]


def test_activity_has_a_line_per_run_followed_by_its_counts() -> None:
    entries = integration(status=waiting(recentActivity=ENTRIES)).status.recent_activity
    assert rendered(recent.activity(entries, NOW)) == [
        "RUN       KIND         OUTCOME             ENDED    TOOK",
        "✗ run 13  Incremental  ConfigurationError  60s ago  1m",
        "    there is no table produkt; the database has contact, product, and many more besides that go on and on",
        "✓ run 12  Incremental  Succeeded           60s ago  1m",
        "    read crm 3,500, billing 3,499; changed crm 1; pushed billing 1",
        "    1,200 fields in conflict; 3 records wait for a decision in all",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_activity_is_readable_on_a_terminal(width: int) -> None:
    entries = integration(status=waiting(recentActivity=ENTRIES)).status.recent_activity
    heading, *lines = rendered(recent.activity(entries, NOW), width=width)
    assert heading.split() == ["RUN", "KIND", "OUTCOME", "ENDED", "TOOK"]
    assert all(len(line) <= width for line in lines)
    assert all(line.startswith(("✗ run 13  ", "✓ run 12  ", "    ")) for line in lines)
    assert "    there is no table produkt; " in "\n".join(lines)


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
def test_ages_are_formatted_like_kubectl_s(duration: timedelta, expected: str) -> None:
    assert show.age(duration) == expected


@given(st.text())
def test_control_sequences_never_reach_a_terminal(text: str) -> None:
    shown = inert(text)
    assert len(shown) == len(text)
    assert all(character.isprintable() or character == "\n" for character in shown)


@given(st.binary(), st.lists(st.integers(min_value=0)))
def test_lines_do_not_depend_on_how_the_input_is_chunked(text: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    whole = text.removesuffix(b"\n").split(b"\n") if text else []
    assert list(run_log.lines(pieces)) == [line.decode(errors="replace") for line in whole]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(milliseconds=411), "411ms"),
        (timedelta(seconds=47, milliseconds=411), "47s"),
        (timedelta(seconds=59, milliseconds=700), "1m"),
        (timedelta(hours=1, seconds=5), "1h5s"),
        (timedelta(0), "0s"),
    ],
)
def test_a_duration_is_rounded(duration: timedelta, expected: str) -> None:
    assert show.took(duration) == expected
