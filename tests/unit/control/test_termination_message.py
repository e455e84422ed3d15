"""What a worker leaves behind is bounded and rendered inert, and its exit code is found where it stands."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.control.observation import JobState
from tidegate.control.termination_message import exit_code_of, report_of
from tidegate.control.untrusted import LARGEST_NUMBER

from .situations import FIRST, job, pod


class TestExitCode:
    WORDS = "Container sync for pod sales/crm-1-12-abcde failed with exit code 3 matching FailJob rule at index 0"

    def test_the_exit_code_is_the_newest_pod_s(self) -> None:
        assert exit_code_of(job(FIRST, JobState.FAILED), (pod(FIRST, 1), pod(FIRST, 2))) == 1

    def test_the_exit_code_of_a_decisive_failure_is_in_the_job_s_message(self) -> None:
        failed = job(FIRST, JobState.FAILED, failure_message=self.WORDS)
        assert exit_code_of(failed, ()) == 3
        assert exit_code_of(failed, (pod(FIRST, 1),)) == 3

    @pytest.mark.parametrize("words", ["", "exit code 3", "Job was active longer than specified deadline"])
    def test_other_messages_contain_no_exit_code(self, words: str) -> None:
        assert exit_code_of(job(FIRST, JobState.FAILED, failure_message=words), ()) is None


class TestTerminationMessage:
    def test_json_of_the_contract_is_a_report(self) -> None:
        said = {
            "outcome": "complete",
            "reason": "all is well",
            "read": {"crm": 3},
            "changed": {"crm": 2, "erp": 0},
            "pushed": {"erp": {"create": 1, "update": 2, "delete": 0}},
            "withheld": {"crm": {"create": 2, "delete": 3}},
            "conflicts": 4,
            "setAside": 2,
            "waiting": 7,
            "seconds": 1.5,
        }
        report = report_of((pod(FIRST, 0, message=json.dumps(said)),))
        assert report is not None
        assert report.to_wire() == {
            "reason": "all is well",
            "read": {"crm": 3},
            "changed": {"crm": 2, "erp": 0},
            "pushed": {"erp": 3},
            "created": {"erp": 1},
            "updated": {"erp": 2},
            "deleted": {"erp": 0},
            "withheld": {"crm": 5},
            "conflicts": 4,
            "setAside": 2,
            "waiting": 7,
        }

    def test_an_empty_message_is_no_report(self) -> None:
        assert report_of(()) is None
        assert report_of((pod(FIRST, 0),)) is None

    def test_the_newest_ended_pod_s_message_counts(self) -> None:
        old = replace(pod(FIRST, 1, message="old"), created_at=pod(FIRST).created_at - timedelta(hours=1))
        newest_first = (pod(FIRST), pod(FIRST, 1, message="new"), old)
        report = report_of(newest_first)
        assert report is not None
        assert report.reason == "new"

    @pytest.mark.parametrize("message", ["boom", "[1, 2]", '"text"', "3", "null", "{", "\ufeff{}", "[" * 4000])
    def test_any_other_message_is_shown_as_a_reason(self, message: str) -> None:
        report = report_of((pod(FIRST, 1, message=message),))
        assert report is not None
        assert report.reason == message[:512].replace("\ufeff", "").strip() or message.startswith("\ufeff")

    @pytest.mark.parametrize(
        "said",
        [
            {"read": "many"},
            {"read": {"crm": "3"}},
            {"read": {"crm": -1}},
            {"read": {"crm": True}},
            {"read": {"crm": 2**53}},
            {"pushed": {"erp": {"create": 10**30}}},
            {"pushed": [1, 2]},
            {"withheld": "many"},
            {"withheld": {"crm": {"create": -1}}},
            {"conflicts": 10**30},
            {"conflicts": -1},
            {"conflicts": "many"},
            {"conflicts": float("nan")},
            {"conflicts": True},
            {"setAside": 10**30},
            {"setAside": -1},
            {"waiting": "many"},
            {"waiting": True},
            {"reason": 3},
            {"reason": ""},
        ],
    )
    def test_characters_that_the_api_server_rejects_are_removed(self, said: dict[str, Any]) -> None:
        report = report_of((pod(FIRST, 1, message=json.dumps(said)),))
        assert report is not None
        assert report.to_wire() == {
            "read": {},
            "changed": {},
            "pushed": {"erp": 0} if isinstance(said.get("pushed"), dict) else {},
            "created": {},
            "updated": {},
            "deleted": {},
            "withheld": {"crm": 0} if isinstance(said.get("withheld"), dict) else {},
            "conflicts": 0,
            "setAside": 0,
            "waiting": 0,
        }

    def test_the_number_of_sides_is_limited(self) -> None:
        said = {"read": {f"{'side' * 40}{number}": 1 for number in range(100)}}
        report = report_of((pod(FIRST, 0, message=json.dumps(said)),))
        assert report is not None
        assert len(report.read) <= 8
        assert all(len(side) <= 63 for side in report.read)

    @given(
        st.text(max_size=4096)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["read", "pushed"]), inner),
        ).map(json.dumps)
        | st.fixed_dictionaries(
            {},
            optional={
                key: st.integers() | st.text() | st.dictionaries(st.text(), st.integers() | st.text())
                for key in ("reason", "read", "changed", "pushed", "withheld", "conflicts", "setAside", "waiting")
            },
        ).map(json.dumps)
    )
    def test_any_message_can_be_stored_and_shown(self, message: str) -> None:
        report = report_of((pod(FIRST, 1, message=message),))
        if report is None:
            assert message == ""
            return
        stored = report.to_wire()
        reason = stored.pop("reason", "")
        assert reason.isprintable()
        assert len(reason) <= 512
        for name in ("conflicts", "setAside", "waiting"):
            assert 0 <= stored.pop(name) <= LARGEST_NUMBER
        for counts in stored.values():
            assert len(counts) <= 8
            assert all(0 <= count <= LARGEST_NUMBER for count in counts.values())
            assert all(side.isprintable() and len(side) <= 63 for side in counts)
