"""One run at a time, whatever crashes: claims, strays, refusals, history, deletion."""

from dataclasses import replace
from datetime import timedelta

from tidegate.api.contract import ExitCode
from tidegate.api.runs import RunKind
from tidegate.api.status import HandledRequests, Phase
from tidegate.control.observation import JobState

from ..situations import (
    CLAIMED,
    CLAIMED_ONLY,
    FINISHED,
    FIRST,
    IS_OFF,
    NEW,
    NOW,
    OFF,
    ON,
    PAUSE,
    RUNNING,
    SECOND,
    WAITING,
    Situation,
    activation,
    at_rest,
    job,
    last_run,
    pod,
    refusal,
    run,
    status,
)
from .notation import LATER, ORPHAN, Row, asked

ONE_RUN_AT_A_TIME = [
    Row(
        "a claim whose Job the watch has not shown: the API server is asked",
        CLAIMED,
        "Syncing | keeps 1 full push | look up Job 1",
        again="10s",
    ),
    Row(
        "the Job does not exist: claimed again, as a fence, and created under the same name",
        CLAIMED_ONLY,
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "the Job does not exist, nor does the cache",
        CLAIMED_ONLY.but(cache=None),
        "Syncing | claims 1 full push | create cache, create Job 1",
    ),
    Row(
        "the Job does not exist, but its Pod is alive: the Job was deleted during the run",
        CLAIMED_ONLY.but(pods=ORPHAN),
        "Syncing | keeps 1 full push | nothing",
        again="1s",
    ),
    Row(
        "its Job was deleted before its result was recorded: the same run is repeated",
        CLAIMED_ONLY.but(pods=(pod(FIRST, 0, job_uid="gone"),)),
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "OFF, and there is a claim: another operator may be about to create its Job",
        CLAIMED.but(spec=OFF).remembering(run=run(1, ago=29)),
        "TurningOff | keeps 1 full push | nothing",
        again="1s",
    ),
    Row(
        "OFF, and the claim is too old for that: the API server is asked",
        CLAIMED.but(spec=OFF).remembering(run=run(1, ago=30)),
        "TurningOff | keeps 1 full push | look up Job 1",
        again="10s",
    ),
    Row(
        "OFF, and there is no Job: the claim is released",
        CLAIMED_ONLY.but(spec=OFF),
        "Off | none | nothing",
        activation="none",
        activity="✗ 1",
    ),
    Row(
        "OFF, there is no Job, but a Pod of it is alive",
        CLAIMED_ONLY.but(spec=OFF, pods=ORPHAN),
        "TurningOff | keeps 1 full push | nothing",
        again="1s",
    ),
    Row(
        "OFF, and the clock was set back after the claim: not waited for longer than the patience",
        CLAIMED.but(spec=OFF).remembering(run=run(1, ago=-3600)),
        "TurningOff | claims 1 full push | nothing",
        again="30s",
    ),
    Row(
        "the number of a released claim is not used again",
        IS_OFF.but(spec=ON).remembering(runs=2),
        "Syncing | claims 3 full push | create Job 3",
    ),
    Row(
        "an unfinished Job that no claim names is the run",
        Situation(ON, status(Phase.OFF), jobs=(job(run(7)),), pods=(pod(run(7)),)),
        "Syncing | keeps 7 full push | nothing",
    ),
    Row(
        "… also while OFF",
        Situation(OFF, status(Phase.OFF), jobs=(job(run(7)),), pods=(pod(run(7)),)),
        "TurningOff | keeps 7 full push | nothing",
    ),
    Row(
        "… also one that is paused",
        Situation(PAUSE, status(Phase.OFF), jobs=(at_rest(run(7)),)),
        "Paused | keeps 7 full push | nothing",
    ),
    Row(
        "a newer unfinished Job than the claimed one: the claim is out of date",
        RUNNING.but(jobs=(job(FIRST), job(SECOND)), pods=(pod(SECOND),)),
        "Syncing | keeps 2 changes | suspend Job 1",
    ),
    Row(
        "an older unfinished Job beside the claimed one: it is suspended at once",
        RUNNING.remembering(run=SECOND, runs=2).but(jobs=(job(FIRST), job(SECOND)), pods=(pod(SECOND),)),
        "Syncing | keeps 2 changes | suspend Job 1",
    ),
    Row(
        "… and deleted when it is at rest",
        RUNNING.remembering(run=SECOND, runs=2).but(jobs=(at_rest(FIRST), job(SECOND)), pods=(pod(SECOND),)),
        "Syncing | keeps 2 changes | delete Job 1",
    ),
    Row(
        "an older unfinished Job, and the claimed one does not exist: it is not created before the older is gone",
        CLAIMED.remembering(run=SECOND, runs=2).but(jobs=(job(FIRST),), absent_job=SECOND.job_name),
        "Syncing | keeps 2 changes | suspend Job 1",
    ),
    Row(
        "the Job of a released claim appears late: it is suspended",
        IS_OFF.remembering(runs=2).but(jobs=(job(SECOND),)),
        "TurningOff | none | suspend Job 2",
    ),
    Row(
        "… also while ON, and nothing starts beside it",
        IS_OFF.but(spec=ON, jobs=(job(SECOND),)).remembering(runs=2),
        "Waiting | none | suspend Job 2",
    ),
    Row(
        "… until it is gone",
        IS_OFF.remembering(runs=2).but(jobs=(at_rest(SECOND),)),
        "TurningOff | none | delete Job 2",
    ),
    Row(
        "an unfinished Job of a run whose end is recorded: it does not repeat that run",
        WAITING.but(jobs=(job(FIRST),)),
        "Waiting | none | suspend Job 1",
        at=LATER,
    ),
    Row(
        "… and while it exists OFF is not honoured",
        WAITING.but(spec=OFF, jobs=(job(FIRST),)),
        "TurningOff | none | suspend Job 1",
    ),
    Row(
        "status lost, a Job left: its number is not used again",
        Situation(ON, status(), jobs=(job(run(7), JobState.COMPLETE),)),
        "Syncing | claims 8 full push | create Job 8",
    ),
    Row(
        "status lost, a Job left: its cache epoch stays",
        Situation(ON, status(), jobs=(job(run(7, cache_epoch=3), JobState.COMPLETE),)),
        "Syncing | claims 8 full push epoch 3 | create Job 8",
    ),
    Row(
        "the Job under the claimed name is from before the status was lost, unfinished: its annotations count",
        CLAIMED.but(jobs=(job(run(1, push=False, cache_epoch=4, ago=9999)),), pods=(pod(FIRST),)),
        "Syncing | keeps 1 full read-only epoch 4 | nothing",
    ),
    Row(
        "the Job under the claimed name is from before the status was lost, finished: its number is used up",
        CLAIMED.but(jobs=(job(run(1, ago=9999), JobState.COMPLETE),), pods=(pod(FIRST, 0),)),
        "Syncing | claims 2 full push | create Job 2",
    ),
]

OWN_WORKER = {"spec": {"containers": [{"name": "sync", "image": "registry.example/worker:1"}]}}

THIRD = run(3, RunKind.INCREMENTAL)
REFUSED_BY_QUOTA = WAITING.remembering(run=THIRD, runs=3, last_run=last_run(2)).but(
    jobs=(job(SECOND, JobState.COMPLETE), job(FIRST, JobState.COMPLETE)),
    absent_job=THIRD.job_name,
    refusal=replace(
        refusal(needs_human=False, run_number=3),
        message="exceeded quota: jobs, requested: count/jobs.batch=1, used: count/jobs.batch=2, limited: 2",
    ),
)

DELETED_JOB = job(FIRST, deleting=True, finalizers=("example.com/keep",))

BEING_DELETED = [
    Row(
        "the running run's Job is being deleted, and its Pod lives: OFF waits",
        RUNNING.but(spec=OFF, jobs=(DELETED_JOB,)),
        "TurningOff | keeps 1 full push | nothing",
    ),
    Row(
        "its Pod has been stopped, and a finalizer keeps the Job: OFF is honoured",
        RUNNING.but(spec=OFF, jobs=(DELETED_JOB,), pods=(pod(FIRST, ExitCode.PAUSED),)),
        "Off | none | nothing",
        activity="✗ 1",
    ),
    Row(
        "its Pod has succeeded, and a finalizer keeps the Job: the run has succeeded",
        RUNNING.but(spec=OFF, jobs=(DELETED_JOB,), pods=(pod(FIRST, 0),)),
        "Off | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "… and is not created again while ON",
        RUNNING.but(jobs=(DELETED_JOB,), pods=(pod(FIRST, 0),)),
        "Waiting | none | nothing",
        activation="1 PastAndFuture caught-up",
        activity="✓ 1",
    ),
    Row(
        "its Pod has halted, and a finalizer keeps the Job: the run has halted",
        RUNNING.but(jobs=(DELETED_JOB,), pods=(pod(FIRST, ExitCode.HALTED),)),
        "Waiting | none | nothing",
        activity="✗ 1",
        again="never",
        stalled=True,
    ),
    Row("… and stays so", IS_OFF.remembering(runs=2).but(jobs=(DELETED_JOB,)), "Off | none | nothing"),
    Row(
        "ON: the run is created again when the Job's name is free",
        RUNNING.but(jobs=(DELETED_JOB,), pods=(pod(FIRST, 1),)),
        "Waiting | keeps 1 full push | nothing",
    ),
]

REFUSED = [
    Row(
        "a Job that is refused permanently",
        CLAIMED.but(refusal=refusal(needs_human=True)),
        "Waiting | keeps 1 full push | nothing",
        again="5s",
        stalled=True,
    ),
    Row(
        "a Job that is refused temporarily",
        CLAIMED.but(refusal=refusal(needs_human=False)),
        "Waiting | keeps 1 full push | nothing",
        again="5s",
    ),
    Row(
        "the next attempt is due",
        CLAIMED_ONLY.but(refusal=refusal(needs_human=True)),
        "Waiting | claims 1 full push | create Job 1",
        stalled=True,
        at=NOW + timedelta(seconds=5),
    ),
    Row(
        "a changed spec is retried at once",
        CLAIMED_ONLY.but(refusal=refusal(needs_human=True), generation=2),
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "a requested sync is retried at once",
        CLAIMED_ONLY.but(refusal=refusal(needs_human=False), requests=asked(sync="now")),
        "Waiting | claims 1 full push | create Job 1",
    ),
    Row(
        "… once",
        CLAIMED_ONLY.but(refusal=refusal(needs_human=False), requests=asked(sync="now")).remembering(
            handled=HandledRequests(sync_requested_at="now")
        ),
        "Waiting | keeps 1 full push | nothing",
    ),
    Row(
        "a quota on Jobs refuses it: the oldest finished one is deleted before the next attempt",
        REFUSED_BY_QUOTA,
        "Waiting | claims 3 changes | delete Job 1, create Job 3",
        at=NOW + timedelta(seconds=5),
    ),
    Row(
        "… and not before",
        REFUSED_BY_QUOTA,
        "Waiting | keeps 3 changes | nothing",
    ),
    Row(
        "the built-in worker without a cache: nothing is started",
        NEW.but(spec={**ON, "cache": {"none": True}, "sync": {"objects": []}}, cache=None),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "a custom worker without a cache",
        NEW.but(spec={**ON, "cache": {"none": True}, "sync": {}, "template": OWN_WORKER}, cache=None),
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "the refusal was of another run",
        CLAIMED_ONLY.but(refusal=refusal(needs_human=True, run_number=7)),
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "OFF: the claim is released",
        CLAIMED_ONLY.but(spec=OFF, refusal=refusal(needs_human=True)),
        "Off | none | nothing",
        activation="none",
    ),
    Row(
        "OFF before the first run of a reset exists: it has deleted nothing, and never will",
        CLAIMED_ONLY.but(spec=OFF)
        .remembering(run=run(5, cache_epoch=5), runs=5, cache_epoch=5, activation=activation(reset=True))
        .but(absent_job=run(5).job_name),
        "Off | none | nothing",
    ),
]

HISTORY_RUNS = [run(number, ago=1000 - number) for number in range(1, 6)]

HISTORY = (
    WAITING.declaring(activityLimit=2)
    .but(jobs=tuple(job(done, JobState.COMPLETE) for done in HISTORY_RUNS))
    .remembering(runs=5, last_run=last_run(5))
)

HISTORY_OF_JOBS = [
    Row("finished Jobs beyond the limit", HISTORY, "Waiting | none | delete Job 3, delete Job 2, delete Job 1"),
    Row(
        "the limit was lowered: it applies at once",
        HISTORY.declaring(activityLimit=1),
        "Waiting | none | delete Job 4, delete Job 3, delete Job 2, delete Job 1",
    ),
    Row("the limit was raised", HISTORY.declaring(activityLimit=10), "Waiting | none | nothing"),
    Row(
        "the newest finished Job stays until the next exists: its name is a lock",
        WAITING.declaring(activityLimit=1),
        "Waiting | none | nothing",
    ),
    Row(
        "a Job whose end the API server does not hold yet stays",
        FINISHED.declaring(activityLimit=1),
        "Waiting | none | nothing",
    ),
    Row(
        "a Job whose successor was claimed a moment ago stays: another operator may be about to create it again",
        HISTORY.but(jobs=(*HISTORY.jobs[:2], job(run(3, ago=10), JobState.COMPLETE), *HISTORY.jobs[3:])),
        "Waiting | none | delete Job 3, delete Job 1",
        again="20s",
    ),
]

DELETED = [
    Row(
        "deleted while running: the garbage collector ends the run",
        RUNNING.but(deleting=True),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row("deleted while OFF", IS_OFF.but(deleting=True), "Off | none | nothing"),
    Row("deleted while due", WAITING.but(deleting=True), "Waiting | none | nothing", at=LATER),
    Row("deleted before the operator has observed it", NEW.but(spec=ON, deleting=True), "Off | none | nothing"),
]
