"""The decision table: design section 3, row by row, and how section 4 is kept.

Read a row as: in this situation the phase is …, the claimed run is …, and the operator does …. A run "claims 2" when
its claim is written now, and "keeps 1" when it was claimed before. Run 1 is a read-write full sync and the delay is
5 minutes, unless a row says otherwise.
"""

import pytest

from .decision_table import chain, pausing, safety, toggle
from .decision_table.notation import Row, activation_words, activity_words, again_words, plan_words

TABLE = {
    "turning ON": toggle.TURNING_ON,
    "while ON": toggle.WHILE_ON,
    "turning OFF": toggle.TURNING_OFF,
    "pausing and resuming": pausing.PAUSING_AND_RESUMING,
    "giving up a paused run": pausing.GIVING_UP_A_PAUSED_RUN,
    "delay": chain.DELAY,
    "the end of a run": chain.END_OF_A_RUN,
    "failures": chain.FAILURES,
    "only a human helps": chain.ONLY_A_HUMAN_HELPS,
    "requests": chain.REQUESTS,
    "one run at a time": safety.ONE_RUN_AT_A_TIME,
    "refused by the API server": safety.REFUSED,
    "history": safety.HISTORY_OF_JOBS,
    "deleted": safety.DELETED,
}


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{section}: {row.words}") for section, rows in TABLE.items() for row in rows]
)
def test_the_table(row: Row) -> None:
    plan = row.given.decide(row.at)
    assert plan_words(plan, row.at) == row.expected
    assert (plan.stalled is not None) == row.stalled
    if row.activation is not None:
        assert activation_words(plan) == row.activation
    if row.activity is not None:
        assert activity_words(plan) == row.activity
    if row.again is not None:
        assert again_words(plan, row.at) == row.again


def test_every_row_says_something_of_its_own() -> None:
    words = [(section, row.words) for section, rows in TABLE.items() for row in rows if not row.words.startswith("…")]
    assert len(words) == len(set(words))
