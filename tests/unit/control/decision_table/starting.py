"""A run whose Pod cannot start: it is told, holds up no OFF and no correction, and nothing that ran is thrown away."""

from dataclasses import replace
from datetime import timedelta

from tidegate.api.contract import ExitCode
from tidegate.api.runs import Outcome
from tidegate.control.history import entry_of
from tidegate.control.starting import SILENCE_PATIENCE, TROUBLE_PATIENCE

from ..situations import (
    CANNOT_START,
    FIRST,
    NOW,
    OFF,
    PAUSE,
    RUNNING,
    Situation,
    activation,
    at_rest,
    job,
    pod,
    run,
    unstarted_pod,
)
from .notation import RESET, Row, asked

NO_POD = RUNNING.but(pods=())
SILENT = RUNNING.but(pods=(unstarted_pod(FIRST, ""),))
PREPARED = RUNNING.but(pods=(replace(unstarted_pod(FIRST, "ErrImagePull: no such image"), begun=True),))
REPLACED = CANNOT_START.but(jobs=(job(FIRST, failures=1),), pods=(unstarted_pod(FIRST), pod(FIRST, 1)))
GIVEN_UP = run(1, cancelling=True, unstarted=True)
LEAVING = CANNOT_START.but(spec=OFF).remembering(run=GIVEN_UP)
GONE = LEAVING.but(jobs=(), pods=(), absent_job=FIRST.job_name)
CORRECTED = GONE.but(spec=RUNNING.spec, generation=2)


def of_reset(given: Situation) -> Situation:
    """The same, for the run that begins epoch 5, which may be done or not."""
    begins = given.status.run
    assert begins is not None
    return given.remembering(
        run=begins.model_copy(update={"cache_epoch": 5}),
        cache_epoch=5,
        oldest_cache_epoch=2,
        activation=activation(reset=True),
    )


CANNOT_START_IS_TOLD = [
    Row(
        "its volume was deleted, and the spec was fixed since: a new volume is created",
        CANNOT_START.but(generation=2, cache=None),
        "Waiting | keeps 1 full push | create cache",
    ),
    Row("its Pod is late, with a reason", CANNOT_START, "Waiting | keeps 1 full push | nothing", again="never"),
    Row(
        "its Pod is not late",
        RUNNING.but(pods=(unstarted_pod(FIRST, ago=5),)),
        "Syncing | keeps 1 full push | nothing",
        again=f"{TROUBLE_PATIENCE.total_seconds() - 5:g}s",
    ),
    Row(
        "its Pod gives no reason: a volume or an image may take its time",
        RUNNING.but(pods=(unstarted_pod(FIRST, "", ago=30),)),
        "Syncing | keeps 1 full push | nothing",
        again=f"{SILENCE_PATIENCE.total_seconds() - 30:g}s",
    ),
    Row(
        "… but not forever: a missing mounted Secret gives no reason",
        SILENT,
        "Waiting | keeps 1 full push | nothing",
    ),
    Row("its Job has no Pod", NO_POD, "Waiting | keeps 1 full push | nothing"),
    Row(
        "its Job has no Pod yet",
        NO_POD.remembering(run=run(1, claimed_at=NOW - timedelta(seconds=5))),
        "Syncing | keeps 1 full push | nothing",
        again=f"{TROUBLE_PATIENCE.total_seconds() - 5:g}s",
    ),
    Row(
        "its Pod failed, and the Job controller backs off: no problem is reported",
        NO_POD.but(jobs=(job(FIRST, failures=2),), pods=(pod(FIRST, 1, ended_at=NOW - timedelta(seconds=15)),)),
        "Syncing | keeps 1 full push | nothing",
        again="25s",
    ),
    Row(
        "the Job counts a Pod that the watch has not shown",
        NO_POD.but(jobs=(job(FIRST, pods=1),)),
        "Syncing | keeps 1 full push | nothing",
        again="never",
    ),
    Row(
        "its worker runs, and a sidecar cannot start",
        RUNNING.but(pods=(pod(FIRST, trouble=""),)),
        "Syncing | keeps 1 full push | nothing",
        again="never",
    ),
    Row(
        "an init container runs for a long time",
        RUNNING.but(pods=(replace(unstarted_pod(FIRST, ""), begun=True),)),
        "Syncing | keeps 1 full push | nothing",
        again="never",
    ),
    Row(
        "its worker's image cannot be pulled after its cache was prepared",
        PREPARED,
        "Waiting | keeps 1 full push | nothing",
    ),
    Row(
        "a Pod whose worker had started is deleted: only the status remembers that it had",
        RUNNING.but(pods=(pod(FIRST, terminating=True),)),
        "Syncing | keeps 1 full push interrupted | nothing",
    ),
]

GIVING_UP_WHAT_NEVER_STARTED = [
    *(
        Row(
            f"OFF ({words}): the run is given up, which is written before its Job goes",
            given.but(spec=off),
            "TurningOff | keeps 1 full push cancelling | suspend Job 1",
        )
        for words, given, off in (
            ("a Pod that cannot start", CANNOT_START, OFF),
            ("no Pod", NO_POD, OFF),
            ("a silent Pod", SILENT, OFF),
            ("a Pod whose cache is prepared", PREPARED, OFF),
            ("with PauseRun: there is nothing to pause", CANNOT_START, PAUSE),
        )
    ),
    Row(
        "OFF before it is late: it may be an ordinary start, which finishes",
        CANNOT_START.but(spec=OFF, pods=(unstarted_pod(FIRST, ago=5),)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "OFF, and a Pod of the run has failed before: its worker may have started",
        REPLACED.but(spec=OFF),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "OFF, and a Pod of the run was evicted while its worker ran",
        CANNOT_START.but(spec=OFF).remembering(run=run(1, interrupted=True)),
        "TurningOff | keeps 1 full push interrupted | nothing",
    ),
    Row(
        "OFF, and the run was paused before: its worker has started",
        CANNOT_START.but(spec=OFF).remembering(recent_activity=(entry_of(FIRST, Outcome.PAUSED, NOW),)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "… and PauseRun is the way out",
        CANNOT_START.but(spec=PAUSE).remembering(recent_activity=(entry_of(FIRST, Outcome.PAUSED, NOW),)),
        "TurningOff | keeps 1 full push | suspend Job 1",
    ),
    Row(
        "its Job is at rest",
        LEAVING.but(jobs=(at_rest(FIRST),), pods=()),
        "TurningOff | keeps 1 full push cancelling | delete Job 1",
    ),
    Row("its Job is gone: OFF", GONE, "Off | none | nothing", activation="none", activity="✗ 1"),
    Row(
        "its worker started between the observation and the suspension: it is paused, not cancelled",
        LEAVING.but(jobs=(job(FIRST, suspended=True, suspension_seen=True, pods=1),), pods=(pod(FIRST),)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "… and stays paused",
        LEAVING.but(jobs=(at_rest(FIRST),), pods=(pod(FIRST, ExitCode.PAUSED),)),
        "Paused | keeps 1 full push | nothing",
    ),
    Row(
        "ON again before its Job is gone: the activation continues with the next run",
        GONE.but(spec=RUNNING.spec),
        "Syncing | claims 2 full push | create Job 2",
        activation="1 PastAndFuture",
    ),
    Row(
        "the spec is fixed while ON: the run is retried with the fix",
        CANNOT_START.but(generation=2),
        "Syncing | keeps 1 full push cancelling | suspend Job 1",
    ),
    Row(
        "… as the next run of the activation",
        CORRECTED,
        "Syncing | claims 2 full push | create Job 2",
        activation="1 PastAndFuture",
    ),
    Row(
        "… in the activation's epoch",
        of_reset(CORRECTED),
        "Syncing | claims 2 full push epoch 5 | create Job 2",
        activation="1 PastAndFuture reset",
    ),
    Row(
        "the spec is fixed, and its worker may have started",
        REPLACED.but(generation=2),
        "Waiting | keeps 1 full push | nothing",
    ),
    Row(
        "a reset is declared while ON: it happens at once",
        CORRECTED.declaring(**RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "a reset is requested while ON: likewise",
        CANNOT_START.but(requests=asked(reset="now")),
        "Syncing | keeps 1 full push cancelling | suspend Job 1",
    ),
]
