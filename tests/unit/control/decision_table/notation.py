"""How a row of the decision table is written, and how a Step reads in the same words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tidegate.api.runs import Run, RunKind
from tidegate.control.observation import Requests
from tidegate.control.step import Action, CreateCache, CreateJob, DeleteJob, EvictPod, LookUpJob, Step, SuspendJob

from ..situations import FIRST, NOW, Situation, activation, deeds, pod

FUTURE_ONLY = {"mode": "FutureOnly"}
RESET = {"reset": True}
WITH_RESET = activation(reset=True)
ORPHAN = (pod(FIRST, job_uid="gone"),)  # alive, though its Job is gone
LATER = NOW + timedelta(hours=1)


@dataclass(frozen=True)
class Row:
    """A situation, and `phase | run | what is done`; of the rest, what is None is not looked at."""

    words: str
    given: Situation
    expected: str
    activation: str | None = None
    activity: str | None = None  # the newest entry
    again: str | None = None  # when to look again, from now
    stalled: bool = False
    at: datetime = NOW


def asked(**requests: Any) -> Requests:
    return Requests(**requests)


def step_words(step: Step, at: datetime) -> str:
    done = ", ".join(_action_words(action) for action in deeds(step.actions))
    return f"{step.phase} | {_run_words(step.status.run, at)} | {done or 'nothing'}"


def activation_words(step: Step) -> str:
    begun = step.status.activation
    if begun is None:
        return "none"
    caught_up = " caught-up" if begun.caught_up else ""
    owed = " full-sync-owed" if begun.full_sync_owed else ""
    return f"{begun.number} {begun.mode}{' reset' if begun.reset else ''}{caught_up}{owed}"


def activity_words(step: Step) -> str:
    newest = step.status.recent_activity[0]
    return f"{newest.mark} {newest.run}"


def again_words(step: Step, at: datetime) -> str:
    return "never" if step.look_again_at is None else f"{(step.look_again_at - at).total_seconds():g}s"


def _run_words(claimed: Run | None, at: datetime) -> str:
    if claimed is None:
        return "none"
    verb = "claims" if claimed.claimed_at == at else "keeps"
    full = f"full {'push' if claimed.push else 'read-only'}"
    plan = "plan" if claimed.undo is None else f"plan of undo {claimed.undo}"
    plan = "check" if claimed.check else plan
    plan += " without cache" if claimed.without_cache else ""
    undo = f"undo of {claimed.undo}"
    kinds = {RunKind.INCREMENTAL: "changes", RunKind.FULL: full, RunKind.PLAN: plan, RunKind.UNDO: undo}
    kind = kinds[claimed.kind]
    epoch = f" epoch {claimed.cache_epoch}" if claimed.cache_epoch != 1 else ""
    if claimed.oldest_cache_epoch is not None:
        epoch += f" or from {claimed.oldest_cache_epoch} on"
    cancelling = " cancelling" if claimed.cancelling else ""
    interrupted = " interrupted" if claimed.interrupted else ""
    approved = f" approved {claimed.approved}" if claimed.approved is not None else ""
    decided = " with decisions" if claimed.decisions is not None else ""
    resets = "".join(f" resetting {each.object}{'' if each.push else ' read-only'}" for each in claimed.object_resets)
    return f"{verb} {claimed.number} {kind}{epoch}{cancelling}{interrupted}{approved}{decided}{resets}"


def _action_words(action: Action) -> str:
    match action:
        case CreateCache():
            return "create cache"
        case CreateJob(claimed):
            return f"create Job {claimed.number}"
        case SuspendJob(name=name, suspend=True):
            return f"suspend Job {_number(name)}"
        case SuspendJob(name=name):
            return f"resume Job {_number(name)}"
        case DeleteJob(name=name):
            return f"delete Job {_number(name)}"
        case EvictPod(name=name):
            return f"evict {name}"
        case LookUpJob(name=name):
            return f"look up Job {_number(name)}"
    raise AssertionError(action)


def _number(job_name: str) -> str:
    return job_name.rpartition("-")[2]
