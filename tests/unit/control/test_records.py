"""A check mark means that all was done: what a run set aside is shown wherever its success is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.runs import RunReport
from tidegate.api.status import RecordTotals, SyncIntegrationStatus
from tidegate.control.observation import JobState
from tidegate.control.records import totals_after
from tidegate.control.report import report
from tidegate.control.step import Announce
from tidegate.control.untrusted import LARGEST_NUMBER

from .situations import CAUGHT_UP, FINISHED, FIRST, NOW, SECOND, Situation, failed, job, pod


def said(**fields: Any) -> str:
    return json.dumps({"read": {"crm": 400, "erp": 0}, "pushed": {"erp": {"create": 0}}, **fields})


def full(**fields: Any) -> Situation:
    """The full sync has just succeeded, and its worker says this."""
    return FINISHED.but(pods=(pod(FIRST, 0, message=said(**fields)),))


def incremental(before: SyncIntegrationStatus, **fields: Any) -> Situation:
    """Run 2 has just succeeded, and its worker says this."""
    jobs = (job(SECOND, JobState.COMPLETE),)
    remembered = before.model_copy(update={"run": SECOND, "runs": 2, "activation": CAUGHT_UP})
    return FINISHED.but(jobs=jobs, pods=(pod(SECOND, 0, message=said(**fields)),), status=remembered)


def shown(given: Situation) -> SyncIntegrationStatus:
    return report(given.observe(), given.decide(), NOW)


def ready(status: SyncIntegrationStatus) -> tuple[str, str]:
    (condition,) = (c for c in status.conditions if c.type == "Ready")
    return condition.status, condition.reason


def events(given: Situation) -> list[str]:
    return [a.note for a in given.decide().actions if isinstance(a, Announce) and a.reason == "RecordsWaiting"]


@pytest.mark.parametrize(
    ("given", "activity"),
    [
        (full(), "✓ run 1"),
        (full(setAside=3, waiting=10), "✓ run 1 (3 set aside)"),
        (full(setAside=0, waiting=10), "✓ run 1 (10 waiting)"),
        (failed(1, said(setAside=3, waiting=3)), "✗ run 1 (3 set aside)"),
    ],
)
def test_the_row_shows_how_many_records_were_set_aside(given: Situation, activity: str) -> None:
    assert shown(given).activity == activity


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (1, "; 1 record waits for a decision: kubectl sync conflicts crm-to-billing"),
        (10, "; 10 records wait for a decision: kubectl sync conflicts crm-to-billing"),
    ],
)
def test_the_message_counts_waiting_records_and_names_the_command_that_lists_them(waiting: int, words: str) -> None:
    message = shown(full(waiting=waiting)).message
    assert message is not None
    assert message.endswith(words)


def test_an_event_reports_an_increase_of_waiting_records_only() -> None:
    first = full(setAside=3, waiting=3)
    assert events(first) == [
        "3 records wait for a decision, 3 more than before run 1: kubectl sync conflicts crm-to-billing"
    ]
    assert events(incremental(shown(first), waiting=3)) == []
    assert events(incremental(shown(first), waiting=2)) == []
    assert events(full(setAside=1, waiting=1)) == [
        "1 record waits for a decision, 1 more than before run 1: kubectl sync conflicts crm-to-billing"
    ]
    assert events(incremental(shown(first), setAside=1, waiting=4)) == [
        "4 records wait for a decision, 1 more than before run 2: kubectl sync conflicts crm-to-billing"
    ]


def test_settled_records_no_longer_wait() -> None:
    settled = shown(incremental(shown(full(waiting=3)), waiting=0))
    assert settled.waiting_records == 0
    assert settled.message is not None
    assert "wait for a decision" not in settled.message


@pytest.mark.parametrize("words", ["", "connection refused", '{"reason": "connection refused"}'])
def test_a_run_that_failed_before_counting_settles_nothing(words: str) -> None:
    before = shown(full(waiting=3))
    again = failed(1, words).but(status=before.model_copy(update={"run": FIRST}))
    assert shown(again).waiting_records == 3


class TestEverythingSetAside:
    def test_a_full_sync_that_set_aside_all_that_it_read_has_not_caught_up(self) -> None:
        status = shown(full(setAside=400, waiting=400))
        assert ready(status) == ("False", "EverythingSetAside")
        assert status.activation is not None
        assert not status.activation.caught_up
        assert status.message == (
            "run 1 set aside everything that it read, so the full sync is still owed; retrying at "
            "2026-11-24T12:05:01Z; 400 records wait for a decision: kubectl sync conflicts crm-to-billing"
        )

    def test_the_next_run_that_sets_nothing_more_aside_has_not_caught_up_either(self) -> None:
        assert ready(shown(full(setAside=0, waiting=400))) == ("False", "EverythingSetAside")

    @pytest.mark.parametrize(
        "fields",
        [
            {"setAside": 399, "waiting": 399},
            {"setAside": 400, "waiting": 400, "pushed": {"erp": {"create": 1}}},
            {"read": {}, "setAside": 0, "waiting": 0},
            {"read": {"crm": 0, "erp": 0}},
        ],
    )
    def test_a_full_sync_that_synced_some_records_has_caught_up(self, fields: dict[str, Any]) -> None:
        assert ready(shown(full(**fields))) == ("True", "CaughtUp")

    def test_an_incremental_sync_whose_only_change_was_set_aside_is_caught_up(self) -> None:
        few = incremental(shown(full()), read={"crm": 1}, setAside=1, waiting=1)
        assert ready(shown(few)) == ("True", "CaughtUp")


class TestTotals:
    def test_totals_add_up_over_runs(self) -> None:
        created = {"erp": {"create": 390, "update": 5}}
        first = shown(full(pushed=created, withheld={"crm": {"create": 4, "delete": 1}}, setAside=5, waiting=5))
        edited, withheld = {"erp": {"update": 2, "delete": 1}}, {"crm": {"update": 2}}
        second = shown(incremental(first, read={"crm": 2, "erp": 1}, pushed=edited, withheld=withheld))
        assert second.record_totals == RecordTotals(
            read={"crm": 402, "erp": 1},
            created={"crm": 0, "erp": 390},
            updated={"crm": 0, "erp": 7},
            deleted={"crm": 0, "erp": 1},
            withheld={"crm": 7, "erp": 0},
            set_aside=5,
        )

    def test_a_run_without_a_report_adds_nothing(self) -> None:
        before = shown(full())
        assert totals_after(before, None) == totals_after(before, RunReport(reason="boom")) == before.record_totals

    def test_a_removed_connector_leaves_the_totals(self) -> None:
        renamed = totals_after(shown(full()), RunReport(read={"hubspot": 1}))
        assert renamed.read == {"hubspot": 1}

    @given(st.lists(st.integers(0, LARGEST_NUMBER), max_size=5))
    def test_totals_never_decrease_and_can_always_be_stored(self, counts: list[int]) -> None:
        status = SyncIntegrationStatus()
        for count in counts:
            totals = totals_after(status, RunReport(read={"crm": count}, set_aside=count))
            assert LARGEST_NUMBER >= totals.read["crm"] >= status.record_totals.read.get("crm", 0)
            assert LARGEST_NUMBER >= totals.set_aside >= status.record_totals.set_aside
            status = status.model_copy(update={"record_totals": totals})
