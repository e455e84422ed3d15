"""Turning ON, what is declared while ON, turning OFF."""

from dataclasses import replace

from tidegate.api.runs import Outcome
from tidegate.api.status import CacheUse, Phase

from ..situations import (
    FINISHED,
    FIRST,
    IS_OFF,
    NEW,
    OFF,
    ON,
    PAUSE,
    RUNNING,
    WAITING,
    activation,
    at_rest,
    failed,
    failing,
    job,
    last_run,
    pod,
    refusal,
    run,
)
from .notation import FUTURE_ONLY, LATER, ORPHAN, RESET, WITH_RESET, Row

HELD = replace(at_rest(FIRST), held_by="somebody")

TURNING_ON = [
    Row("a new resource that is OFF", NEW, "Off | none | nothing", activation="none", again="never"),
    Row("a new resource that is ON", NEW.but(spec=ON), "Syncing | claims 1 full push | create Job 1"),
    Row(
        "the first run has no cache yet: the cache is created before the Job",
        NEW.but(spec=ON, cache=None),
        "Syncing | claims 1 full push | create cache, create Job 1",
    ),
    Row(
        "cache: {none: true}",
        NEW.but(spec={**ON, "cache": {"none": True}}, cache=None),
        "Syncing | claims 1 full push | create Job 1",
    ),
    Row(
        "ON while Off, PastAndFuture: a read-write full sync",
        IS_OFF.but(spec=ON),
        "Syncing | claims 2 full push | create Job 2",
        activation="2 PastAndFuture",
    ),
    Row(
        "ON while Off, FutureOnly: a read-only full sync",
        IS_OFF.but(spec={**ON, **FUTURE_ONLY}),
        "Syncing | claims 2 full read-only | create Job 2",
        activation="2 FutureOnly",
    ),
    Row(
        "ON while Off, with reset: a new cache epoch, named by its first run",
        IS_OFF.but(spec={**ON, **RESET}),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "ON while Off, FutureOnly with reset",
        IS_OFF.but(spec={**ON, **FUTURE_ONLY, **RESET}),
        "Syncing | claims 2 full read-only epoch 2 | create Job 2",
        activation="2 FutureOnly reset",
    ),
    Row(
        "ON after a reset that was cancelled with an unknown result: the cache of either epoch is kept",
        IS_OFF.but(spec=ON).remembering(runs=5, cache_epoch=5, oldest_cache_epoch=2),
        "Syncing | claims 6 full push epoch 5 or from 2 on | create Job 6",
    ),
    Row(
        "… with another reset: the cache of either epoch is deleted",
        IS_OFF.but(spec={**ON, **RESET}).remembering(runs=5, cache_epoch=5, oldest_cache_epoch=2),
        "Syncing | claims 6 full push epoch 6 | create Job 6",
    ),
    Row(
        "ON a second after the last run's end: the delay lies between runs of an activation",
        IS_OFF.but(spec=ON).remembering(last_run=last_run(1, ago=1)),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "ON after an activation whose full sync had failed: its failures are forgotten",
        IS_OFF.but(spec=ON).remembering(last_run=last_run(1, Outcome.FAILED, ago=1)),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "ON after a permanent failure: turning OFF and ON retries it",
        IS_OFF.but(spec=ON).remembering(last_run=last_run(1, Outcome.HALTED)),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "ON while a Pod of an earlier run is still alive",
        IS_OFF.but(spec=ON, pods=ORPHAN),
        "Waiting | none | nothing",
        again="1s",
    ),
]

WHILE_ON = [
    Row("a run is running", RUNNING, "Syncing | keeps 1 full push | nothing", again="never"),
    Row(
        "reset declared while running: the run finishes first",
        RUNNING.declaring(**RESET),
        "Syncing | keeps 1 full push | nothing",
        activation="1 PastAndFuture",
    ),
    Row(
        "reset declared while running, the run has finished: a new activation with reset, at once",
        FINISHED.declaring(**RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
        activity="✓ 1",
    ),
    Row(
        "reset declared while running, the run has failed: likewise",
        failed(1).declaring(**RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
        activity="✗ 1",
    ),
    Row(
        "reset declared while waiting",
        WAITING.declaring(**RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "reset declared while waiting to retry",
        failing(3).declaring(**RESET),
        "Syncing | claims 4 full push epoch 4 | create Job 4",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "reset left at true in an activation with reset",
        WAITING.declaring(**RESET).remembering(activation=activation(reset=True, caught_up=True)),
        "Waiting | none | nothing",
        activation="1 PastAndFuture reset caught-up",
    ),
    Row(
        "a retry in an activation with reset keeps its epoch: one wipe per activation",
        failing(2, ago=60).declaring(**RESET).remembering(activation=WITH_RESET, cache_epoch=2),
        "Syncing | claims 3 full push epoch 2 | create Job 3",
        activation="1 PastAndFuture reset",
    ),
    Row(
        "reset removed while the run with reset is running",
        RUNNING.remembering(activation=WITH_RESET),
        "Syncing | keeps 1 full push | nothing",
        activation="1 PastAndFuture reset",
    ),
    Row(
        "mode changed while waiting: it applies to the next activation",
        WAITING.declaring(**FUTURE_ONLY).remembering(last_run=last_run(1, ago=600)),
        "Syncing | claims 2 changes | create Job 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "mode changed while a full sync is still owed",
        failing(1, ago=60).declaring(**FUTURE_ONLY),
        "Syncing | claims 2 full push | create Job 2",
        activation="1 PastAndFuture",
    ),
    Row(
        "a mode changed together with reset: both apply to the new activation",
        FINISHED.declaring(**RESET, **FUTURE_ONLY),
        "Syncing | claims 2 full read-only epoch 2 | create Job 2",
        activation="2 FutureOnly reset",
    ),
    Row(
        "sync or template changed while running: the running run is not touched",
        RUNNING.declaring(sync={"objects": []}, template={"spec": {}}).but(generation=2),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "the limits of a run changed while running: likewise",
        RUNNING.declaring(retries=9, runTimeout="1m").but(generation=2),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "another controller has suspended the Job while ON: only that controller resumes it",
        RUNNING.but(jobs=(HELD,), pods=()),
        "Waiting | keeps 1 full push | nothing",
        again="never",
    ),
    Row(
        "… and has resumed it",
        RUNNING.but(jobs=(job(FIRST, pods=1),), pods=()),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "another controller has suspended the Job, and OFF: nothing has run, so the run is cancelled",
        RUNNING.but(spec=OFF, jobs=(HELD,), pods=()),
        "TurningOff | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "another controller has suspended the Job during the run, and OFF: the run finishes after it is resumed",
        RUNNING.but(spec=OFF, jobs=(HELD,), pods=()).remembering(run=run(1, interrupted=True)),
        "TurningOff | keeps 1 full push interrupted | nothing",
    ),
    Row(
        "… and OFF with PauseRun: it is paused",
        RUNNING.but(spec=PAUSE, jobs=(HELD,), pods=()).remembering(run=run(1, interrupted=True)),
        "TurningOff | keeps 1 full push interrupted | suspend Job 1",
    ),
    Row(
        "another controller has suspended the Job, and its Pod is ending: the status records that its worker has run",
        RUNNING.but(jobs=(replace(HELD, pods=1),), pods=(pod(FIRST, terminating=True),)),
        "Waiting | keeps 1 full push interrupted | nothing",
    ),
    Row(
        "another controller has suspended the Job, and the spec is changed: the Job is created again from the new spec",
        RUNNING.but(jobs=(HELD,), pods=(), generation=2),
        "Syncing | keeps 1 full push cancelling | delete Job 1",
    ),
    Row(
        "the cache was replaced since the last run: a full sync is owed again, in a new epoch",
        WAITING.remembering(cache=CacheUse(volume="another", run=1)),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="1 PastAndFuture",
        at=LATER,
    ),
    Row(
        "the cache is gone since the last run: it is created before a run is claimed",
        WAITING.remembering(cache=CacheUse(volume="another", run=1)).but(cache=None),
        "Waiting | none | create cache",
        at=LATER,
    ),
    Row(
        "the cache was deleted while running: it is created again",
        RUNNING.but(cache=None),
        "Syncing | keeps 1 full push | create cache",
    ),
    Row(
        "the cache is refused while running: not retried before the next attempt is due",
        RUNNING.but(cache=None, refusal=refusal(needs_human=False)),
        "Syncing | keeps 1 full push | nothing",
        again="5s",
    ),
]

TURNING_OFF = [
    Row("OFF while a run is running", RUNNING.but(spec=OFF), "TurningOff | keeps 1 full push | nothing", again="never"),
    Row(
        "the run has finished: its end and the honoured OFF are one write",
        FINISHED.but(spec=OFF),
        "Off | none | nothing",
        activation="none",
        activity="✓ 1",
    ),
    Row(
        "the run has failed: likewise",
        failed(1).but(spec=OFF),
        "Off | none | nothing",
        activation="none",
        activity="✗ 1",
    ),
    Row(
        "the run needs manual action: OFF is honoured", failed(3).but(spec=OFF), "Off | none | nothing", activity="✗ 1"
    ),
    Row(
        "the watch has not shown the end of the run's Pod",
        FINISHED.but(spec=OFF, pods=(pod(FIRST),)),
        "TurningOff | keeps 1 full push | nothing",
        again="1s",
    ),
    Row("OFF while waiting", WAITING.but(spec=OFF), "Off | none | nothing", activation="none", again="never"),
    Row(
        "OFF while a Pod of a deleted Job is alive: the check mark would lie",
        WAITING.but(spec=OFF, pods=ORPHAN),
        "TurningOff | none | nothing",
    ),
    Row("OFF, and OFF again", IS_OFF, "Off | none | nothing", activation="none", again="never"),
    Row(
        "ON while turning off: the activation continues",
        RUNNING.remembering(phase=Phase.TURNING_OFF),
        "Syncing | keeps 1 full push | nothing",
        activation="1 PastAndFuture",
    ),
    Row(
        "ON while turning off, the run has just finished: the activation continues",
        FINISHED.remembering(phase=Phase.TURNING_OFF),
        "Waiting | none | nothing",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "OFF with a reset declared: nothing is deleted before the next ON",
        WAITING.but(spec={**OFF, **RESET}),
        "Off | none | nothing",
    ),
    Row(
        "the cache is deleted while turning OFF: the run's Pod would wait for it forever",
        RUNNING.but(spec=OFF, cache=None),
        "TurningOff | keeps 1 full push | create cache",
    ),
]
