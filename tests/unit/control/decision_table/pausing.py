"""OFF with PauseRun: pausing, resuming, and giving up a paused run for a reset."""

from dataclasses import replace
from datetime import timedelta

from tidegate.api.contract import ExitCode
from tidegate.api.status import Phase
from tidegate.control.observation import JobState

from ..situations import FINISHED, FIRST, NOW, OFF, ON, PAUSE, PAUSED, PAUSING, RUNNING, WAITING, at_rest, job, pod, run
from .notation import FUTURE_ONLY, ORPHAN, RESET, WITH_RESET, Row, asked

RESUMED = replace(job(FIRST), resumed_by="Kueue")

PAUSING_AND_RESUMING = [
    Row("OFF with PauseRun", RUNNING.but(spec=PAUSE), "TurningOff | keeps 1 full push | suspend Job 1"),
    Row(
        "… and another client resumes the Job: suspended again, it would be resumed again",
        RUNNING.but(spec=PAUSE, jobs=(RESUMED,)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row("its Pod has not ended yet", PAUSING, "TurningOff | keeps 1 full push | nothing", again="never"),
    Row(
        "the Job counts no Pod, but the watch shows a live one",
        PAUSING.but(jobs=(at_rest(FIRST),)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "the watch shows no Pod, but the Job controller has not acknowledged the suspension",
        PAUSING.but(jobs=(job(FIRST, suspended=True),), pods=()),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "its Pod has ended: paused",
        PAUSED.remembering(phase=Phase.TURNING_OFF),
        "Paused | keeps 1 full push | nothing",
        activation="1 PastAndFuture",
        activity="⏸ 1",
        again="never",
    ),
    Row("paused, and OFF again", PAUSED, "Paused | keeps 1 full push | nothing", again="never"),
    Row(
        "paused, for a year",
        PAUSED,
        "Paused | keeps 1 full push | nothing",
        at=NOW + timedelta(days=365),
        again="never",
    ),
    Row(
        "the run ended while it was being suspended",
        FINISHED.but(spec=PAUSE, jobs=(job(FIRST, JobState.COMPLETE, suspended=True),)),
        "Off | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "OFF with PauseRun, and the run has just finished: there is nothing to pause",
        FINISHED.but(spec=PAUSE),
        "Off | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "the worker succeeded as its Pod was stopped: there is nothing to continue",
        PAUSED.but(pods=(pod(FIRST, ExitCode.COMPLETE),)).remembering(phase=Phase.TURNING_OFF),
        "TurningOff | none | delete Job 1",
        activity="✓ 1",
    ),
    Row(
        "… before the Job controller has acknowledged the suspension: the Job stays until it has",
        PAUSING.but(jobs=(job(FIRST, suspended=True),), pods=(pod(FIRST, ExitCode.COMPLETE),)),
        "TurningOff | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "… and another Pod of the run is alive",
        PAUSING.but(pods=(pod(FIRST, ExitCode.COMPLETE), replace(pod(FIRST), name="other"))),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "… and ON is declared again: what follows is the next run",
        PAUSED.but(spec=ON, pods=(pod(FIRST, ExitCode.COMPLETE),)),
        "Waiting | none | delete Job 1",
        activity="✓ 1",
    ),
    *(
        Row(
            f"the worker ended with {code:d} as its Pod was stopped: another Pod would end so too",
            PAUSED.but(pods=(pod(FIRST, code, failed=True),)).remembering(phase=Phase.TURNING_OFF),
            "TurningOff | none | delete Job 1",
            activity="✗ 1",
        )
        for code in (ExitCode.CONFIGURATION_ERROR, ExitCode.HALTED, ExitCode.CACHE_UNUSABLE, ExitCode.CACHE_LOST)
    ),
    Row(
        "the worker failed as its Pod was stopped: ON tries again",
        PAUSED.but(pods=(pod(FIRST, 1, failed=True),)).remembering(phase=Phase.TURNING_OFF),
        "Paused | keeps 1 full push | nothing",
        activity="⏸ 1",
    ),
    Row(
        "the worker succeeded as another client suspended its Job",
        RUNNING.but(jobs=(replace(at_rest(FIRST), held_by="kueue"),), pods=(pod(FIRST, ExitCode.COMPLETE),)),
        "Waiting | none | delete Job 1",
        activity="✓ 1",
    ),
    Row("OFF with PauseRun while waiting", WAITING.but(spec=PAUSE), "Off | none | nothing", activation="none"),
    Row(
        "ON while paused: the same Job is resumed",
        PAUSED.but(spec=ON),
        "Syncing | claims 1 full push | resume Job 1",
        activation="1 PastAndFuture",
    ),
    Row(
        "ON while still pausing: the same Job is resumed",
        PAUSING.but(spec=ON),
        "Syncing | claims 1 full push | resume Job 1",
    ),
    Row(
        "resumed, and the Job controller has not observed it yet",
        RUNNING.but(jobs=(job(FIRST, suspension_seen=True),), pods=()),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "OFF again before the Job controller has observed the resume: the Job does not count as at rest",
        RUNNING.but(spec=PAUSE, jobs=(job(FIRST, suspension_seen=True),), pods=()),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "PauseRun changed to FinishRun while paused: OFF starts nothing",
        PAUSED.but(spec=OFF),
        "Paused | keeps 1 full push | nothing",
    ),
    Row(
        "PauseRun changed to FinishRun while pausing", PAUSING.but(spec=OFF), "TurningOff | keeps 1 full push | nothing"
    ),
    Row(
        "FinishRun changed to PauseRun while turning off",
        RUNNING.but(spec=PAUSE).remembering(phase=Phase.TURNING_OFF),
        "TurningOff | keeps 1 full push | suspend Job 1",
    ),
    Row("reset declared while paused and OFF", PAUSED.declaring(**RESET), "Paused | keeps 1 full push | nothing"),
    Row(
        "reset requested while paused and OFF",
        PAUSED.but(requests=asked(reset="now")),
        "Paused | keeps 1 full push | nothing",
    ),
    Row(
        "a sync requested while paused and OFF",
        PAUSED.but(requests=asked(sync="now")),
        "Paused | keeps 1 full push | nothing",
    ),
    Row(
        "mode changed while paused: the same run is resumed unchanged",
        PAUSED.but(spec={**ON, **FUTURE_ONLY}),
        "Syncing | claims 1 full push | resume Job 1",
        activation="1 PastAndFuture",
    ),
    Row(
        "ON with reset while paused: the cancellation is written before the Job is deleted",
        PAUSED.but(spec={**ON, **RESET}),
        "Syncing | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "ON while paused, and the activation's reset is left in place: it has been carried out",
        PAUSED.but(spec={**ON, **RESET}).remembering(activation=WITH_RESET),
        "Syncing | claims 1 full push | resume Job 1",
    ),
    Row(
        "… and another reset is requested: it has not been carried out",
        PAUSED.but(spec={**ON, **RESET}, requests=asked(reset="now")).remembering(activation=WITH_RESET),
        "Syncing | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "ON while still pausing, reset left in place: it has not been OFF",
        PAUSING.but(spec={**ON, **RESET}).remembering(activation=WITH_RESET),
        "Syncing | claims 1 full push | resume Job 1",
    ),
    Row(
        "ON with a requested reset while paused",
        PAUSED.but(spec=ON, requests=asked(reset="now")),
        "Syncing | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "ON with reset while still pausing: the Job is deleted after its Pod has ended",
        PAUSING.but(spec={**ON, **RESET}),
        "Syncing | keeps 1 full push cancelling | nothing",
    ),
]

CANCELLING = PAUSED.but(spec={**ON, **RESET}).remembering(run=run(1, cancelling=True))

CANCELLED = CANCELLING.but(jobs=(), pods=(), absent_job=FIRST.job_name)

FRESH = run(1, ago=10, cancelling=True)
STARTED_LATE = run(1, ago=10)

GIVING_UP_A_PAUSED_RUN = [
    Row(
        "cancelled soon after its claim: its Job stays while another creation may be in flight",
        PAUSED.remembering(run=FRESH, phase=Phase.TURNING_OFF).but(jobs=(at_rest(FRESH),)),
        "TurningOff | keeps 1 full push cancelling | nothing",
        again="20s",
    ),
    Row(
        "… also in the moment in which it is given up",
        PAUSED.but(spec={**ON, **RESET}, jobs=(at_rest(FRESH),)).remembering(run=STARTED_LATE),
        "Syncing | keeps 1 full push cancelling | nothing",
    ),
    Row(
        "… and of a run that never started, because another client has suspended its Job",
        PAUSED.but(spec=OFF, jobs=(replace(at_rest(FRESH), held_by="somebody"),), pods=()).remembering(
            run=STARTED_LATE, phase=Phase.WAITING
        ),
        "TurningOff | keeps 1 full push cancelling | nothing",
    ),
    Row(
        "… and of a run that never started, and whose Job another client resumes",
        PAUSED.remembering(run=FRESH, phase=Phase.TURNING_OFF).but(jobs=(replace(RESUMED, run=FRESH),), pods=()),
        "TurningOff | keeps 1 full push cancelling | nothing",
        again="20s",
    ),
    Row(
        "… which is deleted later: it would never come to rest",
        CANCELLING.but(jobs=(RESUMED,), pods=(pod(FIRST),)),
        "Syncing | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "… and of a run whose end is recorded",
        PAUSED.but(jobs=(at_rest(FRESH),), pods=(pod(FIRST, ExitCode.COMPLETE),)).remembering(
            run=STARTED_LATE, phase=Phase.TURNING_OFF
        ),
        "TurningOff | none | nothing",
        activity="✓ 1",
        again="20s",
    ),
    Row("its Job is still there", CANCELLING, "Syncing | keeps 1 full push cancelling | delete Job 1"),
    Row(
        "another client has resumed its Job",
        CANCELLING.but(jobs=(job(FIRST),), pods=(pod(FIRST),)),
        "Syncing | keeps 1 full push cancelling | suspend Job 1",
    ),
    Row(
        "its Job is gone, according to the watch",
        CANCELLED.but(absent_job=None),
        "Syncing | keeps 1 full push cancelling | look up Job 1",
        again="10s",
    ),
    Row(
        "its Job is gone, according to the API server: a new activation with reset",
        CANCELLED,
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
        activity="✗ 1",
    ),
    Row(
        "its Job is gone, but was claimed a moment ago: another operator may be about to create it",
        CANCELLED.remembering(run=run(1, cancelling=True, ago=10)),
        "Syncing | keeps 1 full push cancelling | nothing",
        again="20s",
    ),
    Row(
        "its Job is gone, but a Pod of it is alive",
        CANCELLED.but(pods=ORPHAN),
        "Syncing | keeps 1 full push cancelling | nothing",
        again="1s",
    ),
    Row(
        "reset removed after the run was cancelled: a new activation without it",
        CANCELLED.but(spec=ON),
        "Syncing | claims 2 full push | create Job 2",
        activation="2 PastAndFuture",
        activity="✗ 1",
    ),
    Row(
        "OFF again, its Job still there",
        CANCELLING.but(spec=PAUSE),
        "TurningOff | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "OFF again, its Job gone", CANCELLED.but(spec=PAUSE), "Off | none | nothing", activation="none", activity="✗ 1"
    ),
    Row(
        "it finished before it was cancelled: the new activation still follows",
        FINISHED.but(spec={**ON, **RESET}).remembering(run=run(1, cancelling=True), activation=WITH_RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
        activity="✓ 1",
    ),
]
