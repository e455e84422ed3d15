"""An undo of a run: requested by annotation, it is the next run, once, and no run of it starts while OFF."""

from typing import Any

from tidegate.api.contract import ExitCode
from tidegate.api.runs import LastRun, Outcome, RunKind
from tidegate.api.spec import Mode
from tidegate.api.status import CacheUse, HandledRequests, Phase
from tidegate.control.observation import JobState, Requests

from ..situations import (
    CAUGHT_UP,
    IS_OFF,
    OFF,
    ON,
    PAUSE,
    PAUSED,
    RUNNING,
    WAITING,
    Situation,
    activation,
    at_rest,
    job,
    last_run,
    pod,
    run,
    stalled,
    status,
    unstarted_pod,
)
from .notation import FUTURE_ONLY, LATER, RESET, Row, asked
from .planning import FOREIGN

REQUEST = asked(undo="1")
PLAN_OF_UNDO = asked(plan="now", plan_undo="1")
UNDOES: dict[str, Any] = {
    "template": {"metadata": {"annotations": {"tidegate.dev/worker-undoes": "true"}}, **FOREIGN["template"]}
}
HANDLED = HandledRequests(undo_requested="1")

# Run 2 undoes run 1.
UNDO = run(2, RunKind.UNDO, undo=1)
_CLAIMED = status(Phase.SYNCING, run=UNDO, activation=CAUGHT_UP, last_run=last_run(1))
UNDOING = Situation(ON, _CLAIMED, jobs=(job(UNDO),), pods=(pod(UNDO),), requests=REQUEST)
PAUSED_UNDO = UNDOING.but(
    spec=PAUSE,
    status=_CLAIMED.model_copy(update={"phase": Phase.PAUSED}),
    jobs=(at_rest(UNDO),),
    pods=(pod(UNDO, ExitCode.PAUSED),),
)


def undo_ended(code: int) -> Situation:
    """The undo's worker has just exited with this code."""
    state = JobState.FAILED if code else JobState.COMPLETE
    return UNDOING.but(jobs=(job(UNDO, state),), pods=(pod(UNDO, code),))


def after_undo(outcome: Outcome, requests: Requests = REQUEST, *, ago: float = 5) -> Situation:
    """The undo has ended with this outcome, and that is recorded."""
    given = last_run(2, outcome, ago=ago).model_copy(update={"kind": RunKind.UNDO, "undo": 1})
    final = outcome in (Outcome.SUCCEEDED, Outcome.HALTED, Outcome.CONFIGURATION_ERROR)
    remembered = status(
        Phase.WAITING,
        runs=2,
        activation=CAUGHT_UP,
        last_run=LastRun.model_validate(given),
        consecutive_failures=0 if outcome in (Outcome.SUCCEEDED, Outcome.CONFIGURATION_ERROR) else 1,
        handled=HANDLED if final else HandledRequests(),
    )
    return Situation({**ON, "delay": "0s" if outcome is Outcome.FAILED else "5m"}, remembered, requests=requests)


REQUESTED = [
    Row(
        "while Waiting: it starts at once",
        WAITING.but(requests=REQUEST),
        "Syncing | claims 2 undo of 1 | create Job 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "while a full sync is owed: the undo comes first, and the full sync stays owed",
        WAITING.but(requests=REQUEST).remembering(activation=activation(caught_up=True, full_sync_owed=True)),
        "Syncing | claims 2 undo of 1 | create Job 2",
        activation="1 PastAndFuture caught-up full-sync-owed",
    ),
    Row(
        "together with a full sync: the undo comes first",
        WAITING.but(requests=asked(undo="1", full_sync="now")),
        "Syncing | claims 2 undo of 1 | create Job 2",
        activation="1 PastAndFuture caught-up",
    ),
    Row(
        "while Stalled: it starts at once",
        stalled(Outcome.HALTED).but(requests=REQUEST),
        "Syncing | claims 2 undo of 1 | create Job 2",
    ),
    Row(
        "… and an approval of the run that halted is not the undo's",
        stalled(Outcome.HALTED).but(requests=asked(undo="1", approve="1")),
        "Syncing | claims 2 undo of 1 | create Job 2",
    ),
    Row(
        "while a run is in progress: it waits",
        RUNNING.but(requests=REQUEST),
        "Syncing | keeps 1 full push | nothing",
    ),
    Row("while a run is paused: it waits", PAUSED.but(requests=REQUEST), "Paused | keeps 1 full push | nothing"),
    Row("while Off: it waits", IS_OFF.but(requests=REQUEST), "Off | none | nothing"),
    Row(
        "together with ON: it comes before the full sync",
        IS_OFF.but(spec=ON, requests=REQUEST),
        "Syncing | claims 2 undo of 1 | create Job 2",
        activation="2 PastAndFuture",
    ),
    Row(
        "… in mode FutureOnly, too: an undo writes in either mode",
        IS_OFF.but(spec={**ON, **FUTURE_ONLY}, requests=REQUEST),
        "Syncing | claims 2 undo of 1 | create Job 2",
        activation="2 FutureOnly",
    ),
    Row(
        "… and the full sync that is owed then follows in its own mode",
        WAITING.remembering(activation=activation(mode=Mode.FUTURE_ONLY), handled=HANDLED).but(requests=REQUEST),
        "Syncing | claims 2 full read-only | create Job 2",
        at=LATER,
    ),
    Row(
        "together with ON and a reset: the reset wins",
        IS_OFF.but(spec={**ON, **RESET}, requests=REQUEST),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "together with a requested reset: the reset wins",
        WAITING.but(requests=asked(undo="1", reset="now")),
        "Syncing | claims 2 full push epoch 2 | create Job 2",
        activation="2 PastAndFuture reset",
    ),
    Row(
        "together with a plan: the plan comes first",
        WAITING.but(requests=asked(undo="1", plan="now")),
        "Waiting | claims 2 plan | create Job 2",
    ),
    Row(
        "when the cache is lost: the worker says what is missing",
        WAITING.but(requests=REQUEST).remembering(cache=CacheUse(volume="another", run=1)),
        "Syncing | claims 2 undo of 1 epoch 2 | create Job 2",
        activation="1 PastAndFuture",
    ),
    Row("of a run that is to come", WAITING.but(requests=asked(undo="2")), "Waiting | none | nothing"),
    Row("of what is no number", WAITING.but(requests=asked(undo="one")), "Waiting | none | nothing"),
    Row("of run 0", WAITING.but(requests=asked(undo="0")), "Waiting | none | nothing"),
    Row(
        "of a run that was to come when it was refused",
        WAITING.but(requests=REQUEST).remembering(handled=HANDLED),
        "Waiting | none | nothing",
    ),
    Row(
        "of a worker that does not say that it knows undo: it is refused",
        WAITING.declaring(**FOREIGN).but(requests=REQUEST),
        "Waiting | none | nothing",
    ),
    Row(
        "of a worker that says so",
        WAITING.declaring(**UNDOES).but(requests=REQUEST),
        "Syncing | claims 2 undo of 1 | create Job 2",
    ),
    Row("a plan of an undo", IS_OFF.but(requests=PLAN_OF_UNDO), "Off | claims 2 plan of undo 1 | create Job 2"),
    Row(
        "a plan of an undo of a run that is to come",
        IS_OFF.but(requests=asked(plan="now", plan_undo="2")),
        "Off | none | nothing",
    ),
]

IN_PROGRESS = [
    Row("it goes on", UNDOING, "Syncing | keeps 2 undo of 1 | nothing"),
    Row("… also when the request is withdrawn", UNDOING.but(requests=asked()), "Syncing | keeps 2 undo of 1 | nothing"),
    Row("OFF: it is finished first", UNDOING.but(spec=OFF), "TurningOff | keeps 2 undo of 1 | nothing"),
    Row("OFF with PauseRun pauses it", UNDOING.but(spec=PAUSE), "TurningOff | keeps 2 undo of 1 | suspend Job 2"),
    Row("it stays paused while OFF", PAUSED_UNDO, "Paused | keeps 2 undo of 1 | nothing"),
    Row("ON resumes the same Job", PAUSED_UNDO.but(spec=ON), "Syncing | claims 2 undo of 1 | resume Job 2"),
    Row(
        "a reset is declared while it is paused: it is cancelled",
        PAUSED_UNDO.but(spec={**ON, **RESET}),
        "Syncing | keeps 2 undo of 1 cancelling | delete Job 2",
    ),
    Row(
        "a reset is declared meanwhile: it is finished first",
        UNDOING.declaring(**RESET),
        "Syncing | keeps 2 undo of 1 | nothing",
    ),
    Row(
        "another undo is requested: it waits",
        UNDOING.but(requests=asked(undo="2")),
        "Syncing | keeps 2 undo of 1 | nothing",
    ),
    Row(
        "the operator stopped before the Job was created",
        UNDOING.but(jobs=(), pods=(), absent_job=UNDO.job_name),
        "Syncing | claims 2 undo of 1 | create Job 2",
    ),
    Row(
        "… and OFF is declared: the claim is released",
        UNDOING.but(spec=OFF, jobs=(), pods=(), absent_job=UNDO.job_name),
        "Off | none | nothing",
    ),
    Row(
        "its Pod cannot start, and OFF is declared: it is cancelled",
        UNDOING.but(spec=OFF, pods=(unstarted_pod(UNDO),)),
        "TurningOff | keeps 2 undo of 1 cancelling | suspend Job 2",
    ),
]

ENDS = [
    Row("it has succeeded", undo_ended(0), "Waiting | none | nothing", activity="✓ 2", again="301s"),
    Row("… while OFF was declared", undo_ended(0).but(spec=OFF), "Off | none | nothing", activity="✓ 2"),
    Row("… and is not repeated", after_undo(Outcome.SUCCEEDED), "Waiting | none | nothing"),
    Row(
        "… but runs of changes follow",
        after_undo(Outcome.SUCCEEDED),
        "Syncing | claims 3 changes | create Job 3",
        at=LATER,
    ),
    Row(
        "… and a full sync that was requested beside it follows at once",
        undo_ended(0).but(requests=asked(undo="1", full_sync="now")),
        "Syncing | claims 3 full push | create Job 3",
    ),
    Row(
        "… and so does a run",
        undo_ended(0).but(requests=asked(undo="1", sync="now")),
        "Syncing | claims 3 changes | create Job 3",
    ),
    Row(
        "… and the undo can itself be undone",
        after_undo(Outcome.SUCCEEDED, asked(undo="2")),
        "Syncing | claims 3 undo of 2 | create Job 3",
    ),
    Row(
        "the same request again, after it was withdrawn",
        after_undo(Outcome.SUCCEEDED).remembering(handled=HandledRequests()),
        "Syncing | claims 3 undo of 1 | create Job 3",
    ),
    Row("it has failed: it waits for the backoff", after_undo(Outcome.FAILED), "Waiting | none | nothing", again="6s"),
    Row("… and is tried again", after_undo(Outcome.FAILED), "Syncing | claims 3 undo of 1 | create Job 3", at=LATER),
    Row(
        "… unless the request is withdrawn",
        after_undo(Outcome.FAILED, asked()),
        "Syncing | claims 3 changes | create Job 3",
        at=LATER,
    ),
    Row(
        "… or a run is requested: it is tried again at once",
        after_undo(Outcome.FAILED, asked(undo="1", sync="now")),
        "Syncing | claims 3 undo of 1 | create Job 3",
    ),
    Row(
        "… once for each request",
        after_undo(Outcome.FAILED, asked(undo="1", sync="now")).remembering(
            handled=HandledRequests(sync_requested_at="now")
        ),
        "Waiting | none | nothing",
    ),
    Row(
        "… and a full sync that is requested meanwhile is owed",
        after_undo(Outcome.FAILED, asked(undo="1", full_sync="now")),
        "Syncing | claims 3 undo of 1 | create Job 3",
        activation="1 PastAndFuture caught-up full-sync-owed",
    ),
    Row(
        "… and another undo does not wait for the backoff",
        after_undo(Outcome.FAILED, asked(undo="2")),
        "Syncing | claims 3 undo of 2 | create Job 3",
    ),
    Row("it has failed while OFF was declared: it waits for ON", undo_ended(1).but(spec=OFF), "Off | none | nothing"),
    Row(
        "a configuration error: it is not repeated",
        after_undo(Outcome.CONFIGURATION_ERROR),
        "Waiting | none | nothing",
        stalled=True,
    ),
    Row(
        "… and runs of changes follow after the delay",
        after_undo(Outcome.CONFIGURATION_ERROR),
        "Syncing | claims 3 changes | create Job 3",
        at=LATER,
    ),
    Row("it has halted: it is not repeated", after_undo(Outcome.HALTED), "Waiting | none | nothing", stalled=True),
    Row("… ever", after_undo(Outcome.HALTED), "Waiting | none | nothing", stalled=True, at=LATER),
    Row(
        "… unless it is approved",
        after_undo(Outcome.HALTED, asked(undo="1", approve="2")),
        "Syncing | claims 3 undo of 1 approved 2 | create Job 3",
    ),
    Row(
        "… also where the request was withdrawn",
        after_undo(Outcome.HALTED, asked(approve="2")),
        "Syncing | claims 3 undo of 1 approved 2 | create Job 3",
    ),
    Row(
        "… and a requested run continues without it",
        after_undo(Outcome.HALTED, asked(undo="1", sync="now")),
        "Syncing | claims 3 changes | create Job 3",
    ),
    Row(
        "its cache is unusable: it waits for a reset",
        after_undo(Outcome.CACHE_UNUSABLE),
        "Waiting | none | nothing",
        stalled=True,
        at=LATER,
    ),
]
