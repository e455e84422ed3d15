"""Durations and times as Kubernetes writes them."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.base import format_duration, format_time, parse_duration
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.api.status import HandledRequests, SyncIntegrationStatus

_OPERATOR = Path(__file__).parents[3] / "operator/tidegate"

# Longer ones have more than five digits of hours.
DURATIONS = st.timedeltas(timedelta(0), timedelta(hours=99_999)).map(
    lambda duration: timedelta(milliseconds=duration // timedelta(milliseconds=1))
)


class TestDurations:
    @given(DURATIONS)
    def test_a_written_duration_is_read_back_unchanged(self, duration: timedelta) -> None:
        assert parse_duration(format_duration(duration)) == duration

    @given(st.from_regex(r"\A([0-9]{1,5}(h|m|s|ms)){1,4}\Z"))
    def test_every_duration_that_the_pattern_allows_is_read(self, text: str) -> None:
        duration = parse_duration(text)
        assert isinstance(duration, timedelta)
        assert duration >= timedelta(0)

    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("0s", timedelta(0)),
            ("5m", timedelta(minutes=5)),
            ("1h30m", timedelta(minutes=90)),
            ("250ms", timedelta(milliseconds=250)),
            ("1h1m1s1ms", timedelta(hours=1, minutes=1, seconds=1, milliseconds=1)),
            ("90m", timedelta(minutes=90)),
        ],
    )
    def test_examples(self, text: str, duration: timedelta) -> None:
        assert parse_duration(text) == duration

    @pytest.mark.parametrize(
        "text", ["", "soon", "-5s", "5", "1.5h", "5 m", "5m ", "5m\n", "1d", "5M", "1h2h3h4h5h", "123456s", "٣s"]
    )
    def test_another_notation_is_refused_with_the_correct_one(self, text: str) -> None:
        with pytest.raises(ValueError, match="write it like 30s, 5m or 1h30m"):
            parse_duration(text)

    def test_the_shortest_notation_is_written(self) -> None:
        assert format_duration(timedelta(minutes=90)) == "1h30m"
        assert format_duration(timedelta(0)) == "0s"
        assert format_duration(timedelta(seconds=1, microseconds=400)) == "1s"


class TestTimes:
    @given(st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)))
    def test_a_time_is_written_to_the_second_in_utc(self, time: datetime) -> None:
        assert datetime.fromisoformat(format_time(time)) == time.replace(microsecond=0)

    def test_another_time_zone_is_the_same_time(self) -> None:
        noon = datetime(2026, 11, 24, 12, tzinfo=timezone(timedelta(hours=2)))
        assert format_time(noon) == "2026-11-24T10:00:00Z"


class TestWireFormat:
    SPEC = {"status": "ON", "delay": "90s", "offPolicy": "PauseRun", "runTimeout": "1h"}

    def test_a_model_reads_what_it_writes(self) -> None:
        spec = SyncIntegrationSpec.model_validate(self.SPEC)
        assert SyncIntegrationSpec.model_validate(spec.to_wire()) == spec

    def test_it_writes_camel_case_and_nothing_for_none(self) -> None:
        wire = SyncIntegrationSpec.model_validate(self.SPEC).to_wire()
        assert (wire["offPolicy"], wire["delay"], wire["runTimeout"]) == ("PauseRun", "1m30s", "1h")
        assert "template" not in wire

    def test_unknown_fields_are_dropped_like_the_api_server_prunes_them(self) -> None:
        assert "shape" not in SyncIntegrationSpec.model_validate({**self.SPEC, "shape": "round"}).to_wire()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("status", "Maybe"),
            ("status", "on"),
            ("status", 1),
            ("mode", "Both"),
            ("delay", "-5s"),
            ("retries", -1),
            ("retries", 101),
            ("activityLimit", 0),
            ("activityLimit", 51),
        ],
    )
    def test_values_that_the_api_server_refuses_are_refused(self, field: str, value: object) -> None:
        with pytest.raises(ValueError, match=field):
            SyncIntegrationSpec.model_validate({**self.SPEC, field: value})


class TestReplacingFields:
    BEFORE = SyncIntegrationStatus(runs=7, activations=2)

    def test_other_fields_are_unchanged(self) -> None:
        assert self.BEFORE.replace(partial(SyncIntegrationStatus, runs=8)) == SyncIntegrationStatus(
            runs=8, activations=2
        )
        assert SyncIntegrationStatus(runs=7, activations=2) == self.BEFORE

    def test_a_misspelt_field_fails_the_type_check(self) -> None:
        # `make lint` fails when one of these is not an error: it reports a `type: ignore` that nothing needs.
        partial(SyncIntegrationStatus, rums=8)  # type: ignore[call-arg]
        partial(SyncIntegrationStatus, runs="8")  # type: ignore[arg-type]
        self.BEFORE.replace(partial(HandledRequests))  # type: ignore[arg-type]

    def test_no_code_changes_a_model_by_unchecked_names(self) -> None:
        unchecked = [path for path in _OPERATOR.rglob("*.py") if "model_copy(" in path.read_text()]
        assert unchecked == [_OPERATOR / "api/base.py"]
