"""The pace: a limit of records per second, and SIGTERM obeyed between batches. Time is a number here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.errors import Paused
from tidegate.worker.run.throttle import Pace


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.interrupt_at = float("inf")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, rate: int | None) -> Pace:
        return Pace(rate, lambda: self.now >= self.interrupt_at, lambda: self.now, self.sleep)


@given(st.integers(1, 10_000), st.lists(st.integers(1, 5000), min_size=1, max_size=20))
def test_the_rate_is_averaged_over_the_run(rate: int, wanted: list[int]) -> None:
    time = Time()
    pace = time.pace(rate)
    done = 0
    for size in wanted:
        pace.wait()
        done += pace.batch(size)
        pace.took(pace.batch(size))
    pace.wait()
    assert done / rate <= time.now + 1e-6
    assert time.now <= done / rate + 1e-6


def test_time_spent_in_the_systems_is_not_waited_for_again() -> None:
    time = Time()
    pace = time.pace(100)
    pace.took(50)
    time.now += 10
    pace.wait()
    assert time.now == 10
    pace.took(50)
    pace.wait()
    assert time.now == pytest.approx(10.5)


@pytest.mark.parametrize(("rate", "batch"), [(None, 5000), (100, 50), (3, 1), (1, 1), (100_000, 5000)])
def test_a_batch_lasts_half_a_second_at_most(rate: int | None, batch: int) -> None:
    assert Time().pace(rate).batch(5000) == batch


def test_without_a_limit_there_is_no_wait() -> None:
    time = Time()
    pace = time.pace(None)
    pace.took(1_000_000)
    pace.wait()
    assert time.now == 0


def test_a_signal_ends_the_run_before_the_next_batch() -> None:
    time = Time()
    time.interrupt_at = 0
    with pytest.raises(Paused, match="everything done so far is committed"):
        time.pace(None).wait()


def test_a_signal_is_obeyed_within_a_moment_while_waiting() -> None:
    time = Time()
    pace = time.pace(1)
    pace.took(3600)
    time.interrupt_at = 5
    with pytest.raises(Paused):
        pace.wait()
    assert time.now < 5.1
