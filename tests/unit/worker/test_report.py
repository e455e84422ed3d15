"""What a run says of itself: never more than a termination message can hold, and never a reason for a run to fail."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.run.progress import Progress
from tidegate.worker.run.report import WAITING_LINES, Report

LIMIT = 4096


class Written:
    """A report, and what has become of it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "message"
        self.out = io.StringIO()
        self.now = 0.0
        self.report = Report(self.path, self.out, lambda: self.now)

    @property
    def message(self) -> dict[str, Any]:
        data = self.path.read_bytes()
        assert len(data) < LIMIT
        message = json.loads(data)
        assert isinstance(message, dict)
        return message

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def progress(*names: str) -> Progress:
    return Progress(
        run=7, scope="full", push=True,
        read=dict.fromkeys(names, 120_000), changed=dict.fromkeys(names, 31),
        pushed={name: {"create": 3, "update": 29, "delete": 0} for name in names},
        seconds=2.10049,
    )  # fmt: skip


def test_a_checkpoint_reports_the_progress_of_the_run(written: Written) -> None:
    written.report.checkpoint(progress("crm", "erp"), "scan crm contact > 118400", 1, 2)
    assert written.message == {
        "v": 1, "run": 7, "outcome": "running", "scope": "full", "push": True, "phase": "scan",
        "read": {"crm": 120000, "erp": 120000}, "changed": {"crm": 31, "erp": 31},
        "pushed": {"crm": {"create": 3, "update": 29, "delete": 0}, "erp": {"create": 3, "update": 29, "delete": 0}},
        "conflicts": 0, "setAside": 1, "waiting": 2, "parked": 2,
        "checkpoint": "scan crm contact > 118400", "seconds": 2.1,
    }  # fmt: skip


def test_what_is_not_allowed_is_counted_by_connector_and_operation(written: Written) -> None:
    written.report.checkpoint(progress("crm", "erp"), "push", 0, 0, {"crm": {"create": 2, "update": 1}})
    written.report.end("complete", "")
    assert written.message["withheld"] == {"crm": {"create": 2, "update": 1}}


def test_the_final_message_keeps_the_last_committed_counts(written: Written) -> None:
    written.report.checkpoint(progress("crm", "erp"), "push", 0, 0)
    written.report.end("halted", "crm has no contact any more")
    assert (written.message["outcome"], written.message["reason"]) == ("halted", "crm has no contact any more")
    assert written.message["read"] == {"crm": 120000, "erp": 120000}
    assert written.lines[-1] == {"type": "end", **written.message}


def test_a_run_that_ends_before_it_starts_names_its_number(written: Written) -> None:
    written.report.begin(7, "full", push=False)
    written.report.end("failed", "the configuration is not JSON")
    reason = "the configuration is not JSON"
    assert written.message == {"v": 1, "run": 7, "scope": "full", "push": False, "outcome": "failed", "reason": reason}


def test_progress_is_logged_once_a_second_at_most(written: Written) -> None:
    for n in range(100):
        written.now = n / 20
        written.report.checkpoint(progress("crm", "erp"), "push", 0, 0)
    assert [line["type"] for line in written.lines] == ["progress"] * 5


def test_progress_shows_the_rate_since_the_last_line(written: Written) -> None:
    so_far = progress("crm", "erp")
    for n in range(3):
        written.now = 2.0 * n
        so_far.read["crm"] += 1000
        so_far.pushed["erp"]["create"] += 200
        written.report.checkpoint(so_far, "push", 0, 0)
    assert [line["recordsPerSecond"] for line in written.lines] == [0, 600, 600]


def test_parked_records_are_logged_once_and_beyond_a_hundred_only_counted(written: Written) -> None:
    for n in [*range(150), *range(150)]:
        written.report.parked("contact", "crm", n, "phone", "it was changed on both sides, to different values")
    assert len(written.lines) == 100
    assert written.lines[0] == {
        "type": "parked", "object": "contact", "connector": "crm", "id": 0, "field": "phone",
        "reason": "it was changed on both sides, to different values",
    }  # fmt: skip


def test_what_waits_is_named_whatever_was_named_before_and_once(written: Written) -> None:
    for n in range(150):
        written.report.parked("contact", "crm", n, "phone", "it was changed on both sides, to different values")
    for n in range(200):
        written.report.waits("contact", "crm", n, "phone", "it was changed on both sides, to different values")
    assert [line["id"] for line in written.lines] == [*range(200)]


def test_a_record_that_is_parked_as_a_whole_has_no_field(written: Written) -> None:
    written.report.parked("contact", "crm", "a-1", "", "erp refuses it: too long")
    assert "field" not in written.lines[0]


# Lone surrogates and control characters too.
texts = st.builds(lambda text, times: text * times, st.text(st.characters(), max_size=9), st.integers(0, 2000))


@given(texts, st.text(max_size=63), texts)
def test_a_message_is_always_json_within_the_limit(
    tmp_path_factory: pytest.TempPathFactory, reason: str, name: str, position: str
) -> None:
    written = Written(tmp_path_factory.mktemp("report"))
    written.report.begin(7, "full", push=True)
    written.report.checkpoint(progress(name, "erp"), position, 2**63, 2**63)
    assert written.message["read"] == {name: 120_000, "erp": 120_000}
    written.report.end("failed", reason)
    assert written.message["outcome"] == "failed"


@pytest.mark.parametrize("character", ["x", "ü", "\0", "\ud800", '"', "\n", "🙂"])
def test_a_long_reason_is_truncated_at_its_end(written: Written, character: str) -> None:
    written.report.checkpoint(progress("crm", "erp"), "push", 0, 0)
    written.report.end("failed", "it failed because " + character * 10_000)
    assert written.message["reason"].startswith("it failed because ")
    assert written.message["reason"].endswith("…")
    assert len(written.message["reason"]) > 200
    assert "read" in written.message


def test_what_an_undo_leaves_as_it_is_is_named_up_to_a_number(written: Written) -> None:
    for n in range(WAITING_LINES + 3):
        written.report.left_alone("contact", "crm", f"{n} " + "x" * 10_000, "", "it was edited since")
    left = [line for line in written.lines if line["type"] == "left"]
    assert len(left) == WAITING_LINES
    assert max(len(line["id"]) for line in left) < 310
    assert [line["reason"] for line in written.lines if line["type"] == "warning"] == [
        "more was left as it is than the 5000 records and fields that this log names"
    ]


def test_a_message_that_cannot_be_written_causes_one_warning_and_fails_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path / "nowhere")
    for _ in range(3):
        written.report.checkpoint(progress("crm", "erp"), "push", 0, 0)
    warnings = [line for line in written.lines if line["type"] == "warning"]
    assert len(warnings) == 1
    assert warnings[0]["reason"].startswith("the termination message cannot be written: ")


def test_unread_output_fails_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path)

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    report = Report(written.path, Broken())
    report.checkpoint(progress("crm", "erp"), "push", 0, 0)
    report.end("complete", "")
    assert written.message["outcome"] == "complete"
