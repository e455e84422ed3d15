"""The decision table: design section 3, row by row, and how section 4 is kept.

Read a row as: in this situation the phase is …, the claimed run is …, and the operator does …. A run "claims 2" when
its claim is written now, and "keeps 1" when it was claimed before. Run 1 is a read-write full sync and the delay is
5 minutes, unless a row says otherwise.
"""

import pytest

from tidegate.control.observation import JobState

from .decision_table import chain, duplicate, ending, pausing, planning, safety, starting, toggle, undoing
from .decision_table.notation import Row, activation_words, activity_words, again_words, step_words
from .situations import CLAIMED_ONLY, IS_OFF, OFF, ON, activation, job, pod, run

TABLE = {
    "turning ON": toggle.TURNING_ON,
    "while ON": toggle.WHILE_ON,
    "turning OFF": toggle.TURNING_OFF,
    "pausing and resuming": pausing.PAUSING_AND_RESUMING,
    "giving up a paused run": pausing.GIVING_UP_A_PAUSED_RUN,
    "cannot start": starting.CANNOT_START_IS_TOLD,
    "giving up what never started": starting.GIVING_UP_WHAT_NEVER_STARTED,
    "a Pod does not end": ending.A_POD_DOES_NOT_END,
    "a run has two Pods": duplicate.A_RUN_HAS_TWO_PODS,
    "delay": chain.DELAY,
    "the end of a run": chain.END_OF_A_RUN,
    "failures": chain.FAILURES,
    "only a human helps": chain.ONLY_A_HUMAN_HELPS,
    "corrections": chain.CORRECTIONS,
    "requests": chain.REQUESTS,
    "a plan is requested": planning.REQUESTED,
    "a plan is in progress": planning.IN_PROGRESS,
    "a plan gives way": planning.GIVES_WAY,
    "a plan ends": planning.ENDS,
    "an undo is requested": undoing.REQUESTED,
    "an undo is in progress": undoing.IN_PROGRESS,
    "an undo ends": undoing.ENDS,
    "one run at a time": safety.ONE_RUN_AT_A_TIME,
    "being deleted": safety.BEING_DELETED,
    "refused by the API server": safety.REFUSED,
    "history": safety.HISTORY_OF_JOBS,
    "deleted": safety.DELETED,
}


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{section}: {row.words}") for section, rows in TABLE.items() for row in rows]
)
def test_the_table(row: Row) -> None:
    step = row.given.decide(row.at)
    assert step_words(step, row.at) == row.expected
    assert (step.stalled is not None) == row.stalled
    if row.activation is not None:
        assert activation_words(step) == row.activation
    if row.activity is not None:
        assert activity_words(step) == row.activity
    if row.again is not None:
        assert again_words(step, row.at) == row.again


def test_every_row_is_distinct() -> None:
    words = [(section, row.words) for section, rows in TABLE.items() for row in rows if not row.words.startswith("…")]
    assert len(words) == len(set(words))


class TestAResetIsDoneOnce:
    """Invariant I4: an epoch whose Pod may have started never goes back."""

    RESETTING = CLAIMED_ONLY.remembering(
        run=run(5, cache_epoch=5), runs=5, cache_epoch=5, oldest_cache_epoch=2, activation=activation(reset=True)
    ).but(absent_job=run(5).job_name)

    def test_a_reset_remembers_the_epoch_that_it_replaces(self) -> None:
        resets = IS_OFF.but(spec={**ON, "reset": True}).remembering(runs=4, cache_epoch=2).decide().status
        assert (resets.cache_epoch, resets.oldest_cache_epoch) == (5, 2)

    def test_when_off_cancels_the_first_run_of_the_epoch_the_epoch_stays(self) -> None:
        given_up = self.RESETTING.but(spec=OFF).decide().status
        assert (given_up.run, given_up.cache_epoch, given_up.oldest_cache_epoch) == (None, 5, 2)

    @pytest.mark.parametrize(("exit_code", "oldest"), [(0, None), (1, None), (None, 2)])
    def test_the_first_worker_that_runs_settles_the_epoch(self, exit_code: int | None, oldest: int | None) -> None:
        resetting = run(5, cache_epoch=5)
        state = JobState.FAILED if exit_code != 0 else JobState.COMPLETE
        ended = self.RESETTING.but(
            jobs=(job(resetting, state, ago=60),),
            pods=() if exit_code is None else (pod(resetting, exit_code),),
            absent_job=None,
        ).decide()
        assert ended.status.last_run is not None
        assert ended.status.oldest_cache_epoch == oldest
