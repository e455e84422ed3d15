"""A plan: requested in any phase, it runs while nothing else does, and counts as no run of the sync."""

from dataclasses import replace
from datetime import timedelta

from tidegate.api.runs import Outcome, RunKind
from tidegate.api.status import CacheUse
from tidegate.control.observation import JobState

from ..situations import (
    CACHE,
    IS_OFF,
    NOW,
    OFF,
    ON,
    PAUSE,
    PAUSED,
    RUNNING,
    WAITING,
    at_rest,
    job,
    pod,
    refusal,
    run,
    stalled,
    unstarted_pod,
)
from .notation import LATER, RESET, Row, asked

REQUEST = asked(plan="now")
FOREIGN = {"template": {"spec": {"containers": [{"name": "sync", "image": "registry.example/mine:1"}]}}}
DECLARED = {"template": {"metadata": {"annotations": {"tidegate.dev/worker-plans": "true"}}, **FOREIGN["template"]}}

PLAN = run(2, RunKind.PLAN, push=False, requested_at="now")
CHECK = run(2, RunKind.PLAN, push=False, requested_at="now", check=True)
CHECK_REQUEST = asked(plan="now", plan_check=True)
_HANDLED = IS_OFF.status.handled.model_copy(update={"plan_requested_at": "now"})
OLD_JOB = IS_OFF.jobs[0]
CLAIMED_WHILE_OFF = IS_OFF.remembering(run=PLAN, runs=2, handled=_HANDLED).but(requests=REQUEST)
WHILE_OFF = CLAIMED_WHILE_OFF.but(jobs=(OLD_JOB, job(PLAN)), pods=(pod(PLAN),))
CLAIMED_WHILE_WAITING = WAITING.remembering(run=PLAN, runs=2, handled=_HANDLED).but(requests=REQUEST)
WHILE_WAITING = CLAIMED_WHILE_WAITING.but(jobs=(OLD_JOB, job(PLAN)), pods=(pod(PLAN),))
CANCELLING = PLAN.model_copy(update={"cancelling": True})
FOUND = '{"plan": {"first": false, "sides": [{"object": "contact", "connector": "crm", "create": 3}], "wouldHalt": []}}'

REQUESTED = [
    Row("while Off: it is a reading", IS_OFF.but(requests=REQUEST), "Off | claims 2 plan | create Job 2"),
    Row("only a check", IS_OFF.but(requests=CHECK_REQUEST), "Off | claims 2 check | create Job 2"),
    Row(
        "of a new resource",
        IS_OFF.but(requests=REQUEST, cache=None),
        "Off | claims 2 plan without cache | create Job 2",
    ),
    Row(
        "… whose volume waits for its first Pod",
        IS_OFF.but(requests=REQUEST, cache=replace(CACHE, bound=False)),
        "Off | claims 2 plan without cache | create Job 2",
    ),
    Row(
        "the next ON would reset: a first run is planned",
        IS_OFF.declaring(**RESET).but(requests=REQUEST),
        "Off | claims 2 plan without cache | create Job 2",
    ),
    Row(
        "the cache was replaced: a first run is planned",
        IS_OFF.remembering(cache=CacheUse(volume="another", run=1)).but(requests=REQUEST),
        "Off | claims 2 plan without cache | create Job 2",
    ),
    Row(
        "while Waiting: the delay goes on beside it",
        WAITING.but(requests=REQUEST),
        "Waiting | claims 2 plan | create Job 2",
        again="271s",
    ),
    Row(
        "… when the next run is due, too",
        WAITING.but(requests=REQUEST),
        "Waiting | claims 2 plan | create Job 2",
        at=LATER,
    ),
    Row(
        "while Stalled: it stays Stalled",
        stalled(Outcome.HALTED).but(requests=REQUEST),
        "Waiting | claims 2 plan | create Job 2",
        stalled=True,
    ),
    Row("while a run is in progress: it waits", RUNNING.but(requests=REQUEST), "Syncing | keeps 1 full push | nothing"),
    Row("while a run is paused: it waits", PAUSED.but(requests=REQUEST), "Paused | keeps 1 full push | nothing"),
    Row(
        "together with ON: the new activation comes first",
        IS_OFF.but(spec=ON, requests=REQUEST),
        "Syncing | claims 2 full push | create Job 2",
    ),
    Row("the same request again", IS_OFF.remembering(handled=_HANDLED).but(requests=REQUEST), "Off | none | nothing"),
    Row(
        "of a worker that does not say that it knows plans: it is refused",
        IS_OFF.declaring(**FOREIGN).but(requests=REQUEST),
        "Off | none | nothing",
    ),
    Row(
        "of a worker that says so",
        IS_OFF.declaring(**DECLARED).but(requests=REQUEST),
        "Off | claims 2 plan | create Job 2",
    ),
    Row(
        "beside a Pod of an earlier run: it waits",
        IS_OFF.but(requests=REQUEST, pods=(pod(run(1)),)),
        "TurningOff | none | nothing",
    ),
]

IN_PROGRESS = [
    Row("while Off the phase is Off", WHILE_OFF, "Off | keeps 2 plan | nothing"),
    Row("while Waiting the phase is Waiting", WHILE_WAITING, "Waiting | keeps 2 plan | nothing"),
    Row(
        "the next run is due: it waits for the plan's end", WHILE_WAITING, "Waiting | keeps 2 plan | nothing", at=LATER
    ),
    Row(
        "OFF is honoured at once, and the plan goes on",
        WHILE_WAITING.but(spec=OFF),
        "Off | keeps 2 plan | nothing",
        activation="none",
    ),
    Row(
        "OFF with PauseRun does not pause it",
        WHILE_WAITING.but(spec=PAUSE),
        "Off | keeps 2 plan | nothing",
        activation="none",
    ),
    Row(
        "another plan is requested: it waits",
        WHILE_OFF.but(requests=asked(plan="again")),
        "Off | keeps 2 plan | nothing",
    ),
    Row("the operator stopped before the Job was created", CLAIMED_WHILE_OFF, "Off | keeps 2 plan | look up Job 2"),
    Row("… and there is none", CLAIMED_WHILE_OFF.but(absent_job=PLAN.job_name), "Off | claims 2 plan | create Job 2"),
    Row("… while ON", CLAIMED_WHILE_WAITING.but(absent_job=PLAN.job_name), "Waiting | claims 2 plan | create Job 2"),
    Row(
        "its Job is refused: it waits for the next attempt",
        CLAIMED_WHILE_OFF.but(refusal=refusal(needs_human=True, run_number=2), absent_job=PLAN.job_name),
        "Off | keeps 2 plan | nothing",
        again="5s",
    ),
    Row(
        "its Pod cannot start, and nothing waits for it",
        WHILE_WAITING.but(pods=(unstarted_pod(PLAN),)),
        "Waiting | keeps 2 plan | nothing",
    ),
    Row(
        "its Job is suspended by another client",
        WHILE_OFF.but(jobs=(replace(at_rest(PLAN), held_by="Kueue"),), pods=()),
        "Off | keeps 2 plan | nothing",
    ),
    Row(
        "the status was lost: the Job becomes the claim again",
        WHILE_OFF.remembering(run=None, runs=1),
        "Off | keeps 2 plan | nothing",
    ),
]

GIVES_WAY = [
    Row(
        "ON while Off: the plan's Job is suspended first",
        WHILE_OFF.but(spec=ON),
        "Waiting | keeps 2 plan cancelling | suspend Job 2",
    ),
    Row(
        "… and its Pod ends",
        WHILE_OFF.but(spec=ON, jobs=(job(PLAN, suspended=True, suspension_seen=True, pods=1),)).remembering(
            run=CANCELLING
        ),
        "Waiting | keeps 2 plan cancelling | nothing",
    ),
    Row(
        "… and it is at rest",
        WHILE_OFF.but(spec=ON, jobs=(at_rest(PLAN),), pods=()).remembering(run=CANCELLING),
        "Waiting | keeps 2 plan cancelling | delete Job 2",
    ),
    Row(
        "… and is gone: the claim ends",
        CLAIMED_WHILE_OFF.but(spec=ON, absent_job=PLAN.job_name).remembering(run=CANCELLING),
        "Waiting | none | nothing",
        activity="✗ 2",
    ),
    Row(
        "… and the activation begins",
        IS_OFF.but(spec=ON, requests=REQUEST).remembering(runs=2, handled=_HANDLED),
        "Syncing | claims 3 full push | create Job 3",
    ),
    Row("a reset is declared", WHILE_WAITING.declaring(**RESET), "Waiting | keeps 2 plan cancelling | suspend Job 2"),
    Row(
        "a reset is requested",
        WHILE_WAITING.but(requests=asked(plan="now", reset="now")),
        "Waiting | keeps 2 plan cancelling | suspend Job 2",
    ),
    Row(
        "OFF again, while it is cancelled: it is cancelled all the same",
        WHILE_OFF.remembering(run=CANCELLING),
        "Off | keeps 2 plan cancelling | suspend Job 2",
    ),
    Row(
        "its Pod cannot start, and the next run is due",
        WHILE_WAITING.but(pods=(unstarted_pod(PLAN),)),
        "Waiting | keeps 2 plan cancelling | suspend Job 2",
        at=LATER,
    ),
    Row(
        "its Pod cannot start, and another plan is requested",
        WHILE_OFF.but(pods=(unstarted_pod(PLAN),), requests=asked(plan="again")),
        "Off | keeps 2 plan cancelling | suspend Job 2",
    ),
    Row(
        "its Job is refused, and the next run is due: no creation may be on its way",
        CLAIMED_WHILE_WAITING.but(refusal=refusal(needs_human=True, run_number=2), absent_job=PLAN.job_name),
        "Waiting | none | nothing",
        activity="✗ 2",
        at=LATER,
    ),
    Row(
        "its Job was suspended, and nobody knows why",
        WHILE_OFF.but(jobs=(at_rest(PLAN),), pods=()),
        "Off | keeps 2 plan cancelling | delete Job 2",
    ),
]

_DONE = job(PLAN, JobState.COMPLETE)
ENDS = [
    Row(
        "while Off",
        WHILE_OFF.but(jobs=(OLD_JOB, _DONE), pods=(pod(PLAN, 0, message=FOUND),)),
        "Off | none | nothing",
        activity="✓ 2",
    ),
    Row(
        "while Waiting: the delay has gone on",
        WHILE_WAITING.but(jobs=(OLD_JOB, _DONE), pods=(pod(PLAN, 0, message=FOUND),)),
        "Waiting | none | nothing",
        activity="✓ 2",
        again="271s",
    ),
    Row(
        "… and the next run is due",
        WHILE_WAITING.but(jobs=(OLD_JOB, _DONE), pods=(pod(PLAN, 0, message=FOUND),)),
        "Syncing | claims 3 changes | create Job 3",
        activity="✓ 2",
        at=LATER,
    ),
    Row(
        "only a check, which says that all fits",
        WHILE_OFF.remembering(run=CHECK).but(
            jobs=(OLD_JOB, job(CHECK, JobState.COMPLETE)), pods=(pod(CHECK, 0, message='{"plan": {}}'),)
        ),
        "Off | none | nothing",
        activity="✓ 2",
    ),
    Row(
        "… or what does not fit",
        WHILE_OFF.remembering(run=CHECK).but(
            jobs=(OLD_JOB, job(CHECK, JobState.COMPLETE)),
            pods=(pod(CHECK, 0, message='{"plan": {"wouldHalt": ["no table a"]}}'),),
        ),
        "Off | none | nothing",
        activity="✓ 2",
    ),
    Row(
        "its worker has failed: it is not repeated",
        WHILE_OFF.but(jobs=(OLD_JOB, job(PLAN, JobState.FAILED)), pods=(pod(PLAN, 1),)),
        "Off | none | nothing",
        activity="✗ 2",
    ),
    Row(
        "the cache is lost: nothing follows from a plan",
        WHILE_WAITING.but(jobs=(OLD_JOB, job(PLAN, JobState.FAILED)), pods=(pod(PLAN, 79),)),
        "Waiting | none | nothing",
        activity="✗ 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "its worker exited with 0 and reported no plan",
        WHILE_OFF.but(jobs=(OLD_JOB, _DONE), pods=(pod(PLAN, 0),)),
        "Off | none | nothing",
        activity="✗ 2",
    ),
    Row(
        "a sidecar keeps its Pod alive: the phase stays Off",
        WHILE_OFF.but(
            pods=(
                replace(
                    pod(PLAN, 0, message=FOUND, ended_at=NOW - timedelta(minutes=1)), live=True, not_ended=("proxy",)
                ),
            )
        ),
        "Off | none | suspend Job 2",
        activity="✓ 2",
    ),
    Row(
        "it ended while it was cancelled: its result stands",
        WHILE_OFF.but(spec=ON, jobs=(OLD_JOB, _DONE), pods=(pod(PLAN, 0, message=FOUND),)).remembering(run=CANCELLING),
        "Syncing | claims 3 full push | create Job 3",
        activity="✓ 2",
    ),
]
