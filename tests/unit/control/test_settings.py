"""The operator's settings, as it is started with them, and how its log then looks."""

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from tidegate.control.logs import JsonFormatter
from tidegate.control.settings import Settings, parse

IMAGES = {"TIDEGATE_OPERATOR_IMAGE": "operator:1", "TIDEGATE_WORKER_IMAGE": "worker:1"}


def started_with(*arguments: str, **environment: str) -> Settings:
    return parse(arguments, IMAGES | {f"TIDEGATE_{name.upper()}": value for name, value in environment.items()})


def test_only_the_images_are_required() -> None:
    assert started_with() == Settings("operator:1", "worker:1")


def test_an_argument_takes_precedence_over_the_environment() -> None:
    assert started_with("--log-level=error", log_level="debug").log_level == logging.ERROR


def test_a_pod_template_is_read_from_json() -> None:
    template = {"metadata": {"labels": {"team": "data"}}, "spec": {"priorityClassName": "low"}}
    assert started_with(run_template=json.dumps(template)).run_template == template
    assert started_with(run_template="").run_template == {}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("run-template", "{", "is not JSON"),
        ("run-template", "[]", "must be a JSON object of objects"),
        ("run-template", '{"spec": 1}', "must be a JSON object of objects"),
        ("run-template", '{"containers": {}}', "a Pod template has no containers: only metadata and spec"),
        ("log-level", "loud", "'loud' is not one of debug, info, warning, error"),
        ("port", "65536", "65536 is not a port: 1 to 65535"),
        ("log-format", "xml", "'xml' is not one of text, json"),
    ],
)
def test_an_invalid_value_is_refused_with_a_message(
    capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        started_with(f"--{option}={value}")
    assert exit_.value.code == 2
    assert f"--{option}: " in (said := capsys.readouterr().err)
    assert words in said


class TestLog:
    def said_by_a_process(self, level: str, line_format: str) -> list[str]:
        """What is written to stderr by a process that is configured like this, with a record of each level."""
        program = """
import logging, sys
from tidegate.control import logs, settings
logs.configure(settings.log_level(sys.argv[1]), settings.log_format(sys.argv[2]))
for name in ("tidegate", "kopf"):
    for level in ("debug", "info", "warning"):
        getattr(logging.getLogger(name), level)("%s of %s", level, name)
"""
        done = subprocess.run([sys.executable, "-c", program, level, line_format], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()

    @pytest.mark.parametrize(
        ("level", "there"),
        [
            ("debug", {f"{each} of {name}" for each in ("debug", "info", "warning") for name in ("tidegate", "kopf")}),
            ("info", {"info of tidegate", "warning of tidegate", "warning of kopf"}),
            ("warning", {"warning of tidegate", "warning of kopf"}),
            ("error", set()),
        ],
    )
    def test_it_has_records_of_its_level_and_only_warnings_from_kopf(self, level: str, there: set[str]) -> None:
        assert {json.loads(line)["message"] for line in self.said_by_a_process(level, "json")} == there

    def test_text_format_is_one_readable_line(self) -> None:
        assert self.said_by_a_process("info", "text")[0].endswith("INFO tidegate: info of tidegate")

    def test_json_format_is_one_object_per_line_even_for_a_traceback(self) -> None:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            record = logging.LogRecord("tidegate", logging.ERROR, __file__, 1, "failed: ü", (), sys.exc_info())
        record.created = 1_764_172_800.5
        line = JsonFormatter().format(record)
        said: dict[str, Any] = json.loads(line)
        assert "\n" not in line
        assert "ValueError: two\nlines" in said.pop("exception")
        assert said == {
            "time": "2025-11-26T16:00:00.500+00:00",
            "level": "error",
            "logger": "tidegate",
            "message": "failed: ü",
        }
