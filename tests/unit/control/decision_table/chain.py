"""From run to run: how a run ends, and when the next one begins."""

from datetime import timedelta

from tidegate.api.runs import ObjectReset, Outcome
from tidegate.api.spec import Mode
from tidegate.api.status import HandledRequests
from tidegate.control.history import MESSAGE_PATIENCE
from tidegate.control.observation import JobState

from ..situations import (
    CANNOT_START,
    CAUGHT_UP,
    FINISHED,
    FIRST,
    IS_OFF,
    NEW,
    NOW,
    OFF,
    ON,
    RUNNING,
    SECOND,
    WAITING,
    activation,
    failed,
    failing,
    job,
    last_run,
    pod,
    run,
    stalled,
)
from .notation import LATER, ORPHAN, RESET, Row, asked

OWN_IMAGE = {"spec": {"containers": [{"name": "sync", "image": "registry.example/own:1"}]}}
SYNC = {"objects": [{"name": "contact"}, {"name": "account"}]}
WITH_OBJECTS = WAITING.declaring(sync=SYNC)
OF_CONTACT = asked(reset="now", reset_objects=("contact",))
CONTACT_RESET = (ObjectReset(object="contact", began=NOW - timedelta(minutes=1), push=True),)
KNOWS_APPROVALS = {"metadata": {"annotations": {"tidegate.dev/worker-approvals": "true"}}, **OWN_IMAGE}

DELAY = [
    Row("the delay is counted from the last run's end", WAITING, "Waiting | none | nothing", again="271s"),
    Row("the delay is over", WAITING, "Syncing | claims 2 changes | create Job 2", at=NOW + timedelta(seconds=271)),
    Row(
        "a moment before",
        WAITING,
        "Waiting | none | nothing",
        again="1e-06s",
        at=NOW + timedelta(seconds=271) - timedelta(microseconds=1),
    ),
    Row(
        "delay made shorter while waiting: it applies at once",
        WAITING.declaring(delay="10s"),
        "Syncing | claims 2 changes | create Job 2",
    ),
    Row("delay made longer while waiting", WAITING.declaring(delay="1h"), "Waiting | none | nothing", again="3571s"),
    Row(
        "delay 0s: the next run is claimed together with the end of the last",
        FINISHED.declaring(delay="0s"),
        "Syncing | claims 2 changes | create Job 2",
        activity="✓ 1",
    ),
    Row(
        "a delay below a second",
        FINISHED.declaring(delay="250ms"),
        "Waiting | none | nothing",
        again="1.25s",
        activity="✓ 1",
    ),
    Row(
        "due, but a Pod of a deleted Job is alive",
        WAITING.but(pods=ORPHAN),
        "Waiting | none | nothing",
        at=LATER,
        again="1s",
    ),
    Row(
        "the clock was set back by an hour: the wait is the delay, not an hour more",
        WAITING.remembering(last_run=last_run(1, ago=-3600)),
        "Waiting | none | nothing",
        again="301s",
    ),
    Row(
        "the Job controller's clock is an hour behind: the delay counts from when the end was observed",
        FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=3600),)),
        "Waiting | none | nothing",
        again="301s",
        activity="✓ 1",
    ),
    Row(
        "the Job controller's clock is an hour ahead: likewise",
        FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=-3600),)),
        "Waiting | none | nothing",
        again="301s",
        activity="✓ 1",
    ),
]

END_OF_A_RUN = [
    Row(
        "success of the full sync: caught up",
        FINISHED,
        "Waiting | none | nothing",
        activation="1 PastAndFuture caught-up",
        activity="✓ 1",
    ),
    Row(
        "success of an incremental run",
        WAITING.remembering(run=SECOND, runs=2).but(
            jobs=(job(FIRST, JobState.COMPLETE), job(SECOND, JobState.COMPLETE)), pods=(pod(SECOND, 0),)
        ),
        "Waiting | none | nothing",
        activation="1 PastAndFuture caught-up",
        activity="✓ 2",
    ),
    Row(
        "a read-only full sync does not replace a read-write one",
        FINISHED.remembering(run=run(1, push=False)).but(jobs=(job(run(1, push=False), JobState.COMPLETE),)),
        "Waiting | none | nothing",
        activation="1 PastAndFuture",
        activity="✓ 1",
    ),
    Row(
        "success, and everything was set aside: the full sync is still owed",
        FINISHED.but(pods=(pod(FIRST, 0, message='{"read": {"crm": 9}, "pushed": {}, "setAside": 9, "waiting": 9}'),)),
        "Waiting | none | nothing",
        activation="1 PastAndFuture",
        activity="✓ 1",
    ),
    Row(
        "failure: a full sync is still owed",
        failed(1),
        "Waiting | none | nothing",
        activation="1 PastAndFuture",
        again="301s",
    ),
    Row("killed", failed(137), "Waiting | none | nothing", activity="✗ 1"),
    Row(
        "retries exhausted",
        failed(1, failure_reason="BackoffLimitExceeded"),
        "Waiting | none | nothing",
        activity="✗ 1",
    ),
    Row(
        "over the time limit, its Pod having paused at SIGTERM",
        failed(75, failure_reason="DeadlineExceeded"),
        "Waiting | none | nothing",
        activity="✗ 1",
    ),
    Row("configuration error: retried later", failed(2), "Waiting | none | nothing", again="301s", stalled=True),
    Row("halted for safety", failed(3), "Waiting | none | nothing", again="never", stalled=True),
    Row(
        "cache lost: a full sync is owed again, after the backoff",
        failed(79).remembering(activation=CAUGHT_UP),
        "Waiting | none | nothing",
        activation="1 PastAndFuture",
        again="301s",
    ),
    Row("cache unusable", failed(4), "Waiting | none | nothing", again="never", stalled=True),
    Row(
        "the spec was fixed while the run was still failing: retried at once",
        failed(2).but(generation=2),
        "Syncing | claims 2 full push | create Job 2",
        activity="✗ 1",
    ),
    Row(
        "the watch has not shown the end of its Pod",
        FINISHED.but(pods=(pod(FIRST),)),
        "Syncing | keeps 1 full push | nothing",
        again="1s",
    ),
    Row(
        "the watch has shown no Pod of it: its termination message may still arrive",
        FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=1),), pods=()),
        "Syncing | keeps 1 full push | nothing",
        again="1s",
    ),
    Row(
        "… but not forever",
        FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=MESSAGE_PATIENCE.total_seconds()),), pods=()),
        "Waiting | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "… also where the Job controller's clock is far ahead",
        FINISHED.but(jobs=(job(FIRST, JobState.COMPLETE, ago=-3600),), pods=()),
        "Waiting | none | nothing",
        activity="✓ 1",
    ),
    Row(
        "the exit code is in the Job's message when its Pod is gone",
        failed(
            2, failure_message="Container sync for pod sales/x failed with exit code 3 matching FailJob rule at index 0"
        ).but(pods=()),
        "Waiting | none | nothing",
        at=NOW + MESSAGE_PATIENCE,
        stalled=True,
    ),
    Row(
        "… and counts more than that of a Pod which is not the newest",
        failed(
            3, failure_message="Container sync for pod sales/x failed with exit code 3 matching FailJob rule at index 0"
        ).but(pods=(pod(FIRST, 1),)),
        "Waiting | none | nothing",
        stalled=True,
    ),
]

FAILURES = [
    *(
        Row(f"{times} failures in a row", failing(times), "Waiting | none | nothing", again=f"{seconds + 1}s")
        for times, seconds in [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (99, 3600), (10**9, 3600)]
    ),
    Row("a delay longer than the backoff", failing(1, delay="5m"), "Waiting | none | nothing", again="301s"),
    Row("a delay shorter than the backoff", failing(5, delay="1m"), "Waiting | none | nothing", again="161s"),
    Row(
        "the retry is of the same kind: a full sync", failing(1, ago=60), "Syncing | claims 2 full push | create Job 2"
    ),
    Row(
        "the retry is of the same kind: a read-only full sync",
        failing(1, ago=60).remembering(activation=activation(mode=Mode.FUTURE_ONLY)),
        "Syncing | claims 2 full read-only | create Job 2",
    ),
    Row(
        "the retry is of the same kind: changes",
        failing(2, ago=60).remembering(activation=CAUGHT_UP),
        "Syncing | claims 3 changes | create Job 3",
    ),
    Row(
        "the spec is fixed after ten failures: the backoff is skipped",
        failing(10).but(generation=2),
        "Syncing | claims 11 full push | create Job 11",
    ),
    Row(
        "the spec is changed after a success: the delay still applies",
        WAITING.but(generation=2),
        "Waiting | none | nothing",
        again="271s",
    ),
    Row(
        "OFF while waiting to retry", failing(3).but(spec=OFF), "Off | none | nothing", activation="none", again="never"
    ),
]

ONLY_A_HUMAN_HELPS = [
    *(
        Row(
            f"{outcome}: nothing is tried",
            stalled(outcome),
            "Waiting | none | nothing",
            again="never",
            stalled=True,
            at=LATER,
        )
        for outcome in Outcome
        if outcome.needs_human and outcome is not Outcome.CONFIGURATION_ERROR
    ),
    Row(
        "ConfigurationError: its cause may be outside, such as a table that is created later",
        stalled(Outcome.CONFIGURATION_ERROR),
        "Syncing | claims 2 full push | create Job 2",
        at=LATER,
    ),
    Row(
        "ConfigurationError, the tenth in a row: an hour",
        stalled(Outcome.CONFIGURATION_ERROR, ago=0).remembering(consecutive_failures=10),
        "Waiting | none | nothing",
        again="3601s",
        stalled=True,
    ),
    *(
        Row(
            f"{outcome}, then a changed spec",
            stalled(outcome).but(generation=2),
            "Syncing | claims 2 full push | create Job 2",
        )
        for outcome in Outcome
        if outcome.needs_human
    ),
    *(
        Row(
            f"{outcome}, then a requested sync",
            stalled(outcome).but(requests=asked(sync="now")),
            "Syncing | claims 2 full push | create Job 2",
        )
        for outcome in Outcome
        if outcome.needs_human
    ),
    Row(
        "halted and approved: the next run carries out what it found",
        stalled(Outcome.HALTED).but(requests=asked(approve="1")),
        "Syncing | claims 2 full push approved 1 | create Job 2",
    ),
    Row(
        "halted and approved by its annotation's earlier name",
        stalled(Outcome.HALTED).but(requests=asked(allow_deletes="1")),
        "Syncing | claims 2 full push approved 1 | create Job 2",
    ),
    Row(
        "halted and approved, beside an approval of another run by the earlier name",
        stalled(Outcome.HALTED).but(requests=asked(approve="1", allow_deletes="7")),
        "Syncing | claims 2 full push approved 1 | create Job 2",
    ),
    Row(
        "halted and approved, then OFF",
        stalled(Outcome.HALTED).but(spec=OFF, requests=asked(approve="1")),
        "Off | none | nothing",
        activation="none",
    ),
    Row(
        "the approved run has failed: its approval is used up, and the next run has to halt again",
        WAITING.but(requests=asked(approve="1", sync="now")).remembering(runs=2, last_run=last_run(2, Outcome.FAILED)),
        "Syncing | claims 3 changes | create Job 3",
    ),
    Row(
        "an approval is asked for each time, and the worker's image may not know approvals: it would push without one",
        IS_OFF.but(spec=ON).declaring(approval="Always", template=OWN_IMAGE),
        "Waiting | none | nothing",
        activation="none",
        stalled=True,
    ),
    Row(
        "an approval is asked for each time, and the worker's image knows approvals",
        IS_OFF.but(spec=ON).declaring(approval="Always", template=KNOWS_APPROVALS),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "halted, and another run is approved",
        stalled(Outcome.HALTED).but(requests=asked(approve="7")),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "halted and turned OFF: an approval serves the next activation's first run",
        IS_OFF.but(spec=ON, requests=asked(approve="1")).remembering(last_run=last_run(1, Outcome.HALTED)),
        "Syncing | claims 2 full push approved 1 | create Job 2",
    ),
    Row(
        "the approval is still set when its run has halted again: it is used up",
        stalled(Outcome.HALTED)
        .but(requests=asked(approve="1"))
        .remembering(runs=2, last_run=last_run(2, Outcome.HALTED)),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "an approval of a run that has not halted approves nothing",
        WAITING.but(requests=asked(approve="1", sync="now")),
        "Syncing | claims 2 changes | create Job 2",
    ),
    Row(
        "an approval does not clear a configuration error",
        stalled(Outcome.CONFIGURATION_ERROR).but(requests=asked(approve="1")),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "cache unusable, then reset",
        stalled(Outcome.CACHE_UNUSABLE).declaring(**RESET),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "cache unusable, then a requested reset",
        stalled(Outcome.CACHE_UNUSABLE).but(requests=asked(reset="now")),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row("stalled, then OFF", stalled(Outcome.HALTED).but(spec=OFF), "Off | none | nothing", activation="none"),
]

CORRECTIONS = [
    *(
        Row(
            f"{outcome}, then turned OFF and ON before the OFF could be honoured: that corrects nothing",
            stalled(outcome).made_from().but(generation=3),
            "Waiting | none | nothing",
            stalled=True,
        )
        for outcome in Outcome
        if outcome.needs_human
    ),
    Row(
        "… with another offPolicy",
        stalled(Outcome.HALTED).made_from().declaring(offPolicy="PauseRun").but(generation=3),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "a failed run, then turned OFF and ON: the backoff still applies",
        failing(3).made_from().but(generation=3),
        "Waiting | none | nothing",
        again="41s",
    ),
    Row(
        "a failed run, then an edit that is reverted",
        failing(3).made_from().declaring(template={}).declaring(template=None).but(generation=3),
        "Waiting | none | nothing",
        again="41s",
    ),
    Row(
        "a failed run, then a changed template: retried at once",
        failing(3).made_from().declaring(template={"spec": {"nodeName": "other"}}).but(generation=2),
        "Syncing | claims 4 full push | create Job 4",
    ),
    Row(
        "a halted run, then changed safety limits: retried at once",
        stalled(Outcome.HALTED).made_from().declaring(sync={"safety": {"maxDeletes": "50%"}}).but(generation=2),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "a status without a recorded digest: a later generation counts as a fix",
        stalled(Outcome.HALTED).but(generation=2),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "a run that cannot start, then turned OFF and ON: it keeps waiting",
        CANNOT_START.made_from().but(generation=3),
        "Waiting | keeps 1 full push | nothing",
    ),
    Row(
        "a run that cannot start, then a changed template: it is cancelled",
        CANNOT_START.made_from().declaring(template={"spec": {"nodeName": "other"}}).but(generation=2),
        "Syncing | keeps 1 full push cancelling | suspend Job 1",
    ),
]

_DECISIONS = '[{"object": "contact", "id": 42, "connector": "crm", "field": "phone", "take": "erp"}]'

REQUESTS = [
    Row(
        "decisions about conflicts wait for the next run",
        WAITING.but(requests=asked(decisions=_DECISIONS)),
        "Waiting | none | nothing",
    ),
    Row(
        "… which is given them",
        WAITING.but(requests=asked(sync="now", decisions=_DECISIONS)),
        "Syncing | claims 2 changes with decisions | create Job 2",
    ),
    Row(
        "… unless it is read-only",
        NEW.declaring(status="ON", mode="FutureOnly").but(requests=asked(decisions=_DECISIONS)),
        "Syncing | claims 1 full read-only | create Job 1",
    ),
    Row(
        "decisions that cannot be read are refused, and the sync goes on",
        WAITING.but(requests=asked(sync="now", decisions="yes")),
        "Syncing | claims 2 changes | create Job 2",
    ),
    Row(
        "a requested sync skips the rest of the delay",
        WAITING.but(requests=asked(sync="now")),
        "Syncing | claims 2 changes | create Job 2",
    ),
    Row(
        "… once",
        WAITING.but(requests=asked(sync="now")).remembering(handled=HandledRequests(sync_requested_at="now")),
        "Waiting | none | nothing",
    ),
    Row(
        "… and any new value is another request",
        WAITING.but(requests=asked(sync="0")).remembering(handled=HandledRequests(sync_requested_at="now")),
        "Syncing | claims 2 changes | create Job 2",
    ),
    Row(
        "… and skips the backoff",
        failing(9).but(requests=asked(sync="now")),
        "Syncing | claims 10 full push | create Job 10",
    ),
    Row(
        "a sync requested while one is running",
        RUNNING.but(requests=asked(sync="now")),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "… starts when that has ended",
        FINISHED.but(requests=asked(sync="now")),
        "Syncing | claims 2 changes | create Job 2",
        activity="✓ 1",
    ),
    Row(
        "a requested full sync reads everything again, at once, and pushes",
        WAITING.but(requests=asked(full_sync="now")),
        "Syncing | claims 2 full push | create Job 2",
        activation="1 PastAndFuture caught-up full-sync-owed",
    ),
    Row(
        "… also where FutureOnly has left alone what was there: its cache knows that",
        WAITING.but(requests=asked(full_sync="now")).remembering(
            activation=activation(mode=Mode.FUTURE_ONLY, caught_up=True)
        ),
        "Syncing | claims 2 full push | create Job 2",
        activation="1 FutureOnly caught-up full-sync-owed",
    ),
    Row(
        "… but not where FutureOnly still owes its own: that is the full sync",
        failing(9).but(requests=asked(full_sync="now")).remembering(activation=activation(mode=Mode.FUTURE_ONLY)),
        "Syncing | claims 10 full read-only | create Job 10",
        activation="1 FutureOnly",
    ),
    Row(
        "… and is owed until one has succeeded: one that has failed is repeated after the backoff",
        failing(9)
        .but(requests=asked(full_sync="now"))
        .remembering(
            activation=activation(caught_up=True, full_sync_owed=True),
            handled=HandledRequests(full_sync_requested_at="now"),
        ),
        "Syncing | claims 10 full push | create Job 10",
        activation="1 PastAndFuture caught-up full-sync-owed",
        at=LATER,
    ),
    Row(
        "… and then runs of changes follow",
        WAITING.but(requests=asked(sync="now", full_sync="now")).remembering(
            handled=HandledRequests(full_sync_requested_at="now")
        ),
        "Syncing | claims 2 changes | create Job 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "a requested full sync that has succeeded is over",
        FINISHED.but(requests=asked(full_sync="now")).remembering(
            activation=activation(caught_up=True, full_sync_owed=True),
            handled=HandledRequests(full_sync_requested_at="now"),
        ),
        "Waiting | none | nothing",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "a full sync requested while a run is in progress",
        RUNNING.but(requests=asked(full_sync="now")),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "… starts when that has ended",
        FINISHED.but(requests=asked(full_sync="now")),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row(
        "a full sync requested while OFF starts nothing",
        IS_OFF.but(requests=asked(full_sync="now")),
        "Off | none | nothing",
    ),
    Row("a sync requested while OFF starts nothing", IS_OFF.but(requests=asked(sync="now")), "Off | none | nothing"),
    Row(
        "a requested reset while waiting: a new activation",
        WAITING.but(requests=asked(reset="now")),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "a requested reset while running",
        RUNNING.but(requests=asked(reset="now")),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "… follows the running run",
        FINISHED.but(requests=asked(reset="now")),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "… once",
        WAITING.but(requests=asked(reset="now")).remembering(handled=HandledRequests(reset_requested_at="now")),
        "Waiting | none | nothing",
    ),
    Row(
        "… also in an activation with reset",
        WAITING.declaring(**RESET)
        .but(requests=asked(reset="now"))
        .remembering(activation=activation(reset=True, caught_up=True)),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "a requested reset of objects: the next run, at once, resets them, and the others go on",
        WITH_OBJECTS.but(requests=OF_CONTACT),
        "Syncing | claims 2 changes resetting contact | create Job 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "… and takes both sides as they are after FutureOnly",
        WITH_OBJECTS.but(requests=OF_CONTACT).remembering(activation=activation(mode=Mode.FUTURE_ONLY, caught_up=True)),
        "Syncing | claims 2 changes resetting contact read-only | create Job 2",
    ),
    Row(
        "… in the full sync, where that is owed",
        WITH_OBJECTS.but(requests=OF_CONTACT).remembering(activation=activation(mode=Mode.FUTURE_ONLY)),
        "Syncing | claims 2 full read-only resetting contact read-only | create Job 2",
    ),
    Row(
        "… follows the running run",
        RUNNING.declaring(sync=SYNC).but(requests=OF_CONTACT),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row(
        "… waits for an ON",
        IS_OFF.declaring(sync=SYNC).but(requests=OF_CONTACT),
        "Off | none | nothing",
    ),
    Row(
        "… which begins an activation that is no reset",
        IS_OFF.declaring(status="ON", sync=SYNC).but(requests=OF_CONTACT),
        "Syncing | claims 2 full push resetting contact | create Job 2",
        activation="2 PastAndFuture",
    ),
    Row(
        "… is owed while runs fail, after the backoff",
        WITH_OBJECTS.but(requests=OF_CONTACT).remembering(
            object_resets=CONTACT_RESET,
            handled=HandledRequests(reset_requested_at="now"),
            last_run=last_run(1, Outcome.FAILED, ago=5),
            consecutive_failures=1,
        ),
        "Waiting | none | nothing",
    ),
    Row(
        "… and given to each run",
        WITH_OBJECTS.but(requests=asked(reset="now", reset_objects=("contact",), sync="now")).remembering(
            object_resets=CONTACT_RESET, handled=HandledRequests(reset_requested_at="now")
        ),
        "Syncing | claims 2 changes resetting contact | create Job 2",
    ),
    Row(
        "… until one has succeeded",
        FINISHED.declaring(sync=SYNC, delay="0s")
        .but(requests=OF_CONTACT)
        .remembering(
            object_resets=CONTACT_RESET,
            run=run(1, object_resets=CONTACT_RESET),
            handled=HandledRequests(reset_requested_at="now"),
        ),
        "Syncing | claims 2 changes | create Job 2",
        activity="✓ 1",
    ),
    Row(
        "… and is over with a reset of the whole sync",
        WITH_OBJECTS.but(requests=asked(reset="later")).remembering(
            object_resets=CONTACT_RESET, handled=HandledRequests(reset_requested_at="now")
        ),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "a reset of an object that spec.sync does not have is refused, and the sync goes on",
        WITH_OBJECTS.but(requests=asked(reset="now", reset_objects=("kontakt",))),
        "Waiting | none | nothing",
    ),
    Row(
        "… and so is one of a worker of one's own",
        WAITING.but(requests=OF_CONTACT),
        "Waiting | none | nothing",
    ),
    Row(
        "… and an object's name without a time, which would reset them all",
        WITH_OBJECTS.but(requests=asked(reset="contact")),
        "Waiting | none | nothing",
    ),
    Row("a reset requested while OFF", IS_OFF.but(requests=asked(reset="now")), "Off | none | nothing"),
    Row(
        "… is done by the next ON",
        IS_OFF.but(spec=ON, requests=asked(reset="now")),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
]
