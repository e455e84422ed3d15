"""When the next run falls due: never before the delay is over, and not with a thousand others in the same instant."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.runs import LastRun
from tidegate.api.spec import SyncIntegrationSpec
from tidegate.control.due import due_at
from tidegate.control.observation import Integration

from .situations import NOW, WAITING, last_run

LAST = last_run(1, ago=0)
uids = st.uuids().map(str)
delays = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(hours=99_999))


def sync(uid: str, delay: timedelta) -> Integration:
    spec = SyncIntegrationSpec.model_validate({"status": "ON"}).model_copy(update={"delay": delay})
    return replace(WAITING.observe().integration, uid=uid, spec=spec)


def due(uid: str, delay: timedelta, failures: int = 0) -> datetime:
    integration = sync(uid, delay)
    return due_at(integration, integration.status.model_copy(update={"consecutive_failures": failures}), LAST)


@given(uid=uids, delay=delays, failures=st.integers(0, 30))
def test_the_next_run_is_never_earlier_than_the_delay(uid: str, delay: timedelta, failures: int) -> None:
    assert due(uid, delay, failures) - NOW >= delay + timedelta(seconds=1)


@given(uid=uids, delay=delays)
def test_the_offset_is_at_most_a_hundredth_of_the_delay_and_a_minute(uid: str, delay: timedelta) -> None:
    widest = min(max(delay / 100, timedelta(seconds=1)), timedelta(minutes=1))
    assert due(uid, delay) - NOW <= delay + timedelta(seconds=1) + widest


@given(uid=uids)
def test_no_delay_means_at_once(uid: str) -> None:
    assert due(uid, timedelta(0)) == NOW


@given(uid=uids, delay=delays)
def test_a_sync_has_the_same_offset_each_time(uid: str, delay: timedelta) -> None:
    assert due(uid, delay) == due(uid, delay)


@given(uid=uids, delay=delays, end=st.timedeltas(timedelta(0), timedelta(seconds=1)))
def test_the_offset_does_not_depend_on_fractions_of_a_second(uid: str, delay: timedelta, end: timedelta) -> None:
    """Otherwise each run would cost one more write, of another `nextRunAt`."""
    integration = sync(uid, delay)
    last = LAST.model_copy(update={"finished_at": NOW + end})
    stored = LastRun.model_validate(last.to_wire())
    assert due_at(integration, integration.status, last) == due_at(integration, integration.status, stored)


def test_a_thousand_syncs_with_equal_delays_are_spread_over_it() -> None:
    hour = timedelta(hours=1)
    earliest = NOW + hour + timedelta(seconds=1)
    places = [due(str(UUID(int=number << 64 | 1 << 80)), hour) - earliest for number in range(1000)]
    seconds = Counter(int(place.total_seconds()) for place in places)
    assert len(seconds) == 36  # a hundredth of an hour
    assert max(seconds.values()) < 3 * 1000 / 36
    assert len(set(places)) > 990  # finer than a second
