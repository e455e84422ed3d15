"""What the operator asks of this run: the environment contract of design section 6.1, read once by `main`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tidegate.api.contract import PROTOCOL, Environment
from tidegate.worker.cache.object_resets import ObjectReset
from tidegate.worker.errors import ConfigurationError

TERMINATION_LOG = "/dev/termination-log"

Scope = Literal["full", "changes"]


@dataclass(frozen=True, slots=True)
class Order:
    """One run as it was ordered; the same over its retries, pauses and resumptions."""

    run: int
    scope: Scope
    push: bool
    cache_dir: Path
    cache_epoch: str
    config: Path
    oldest_cache_epoch: str | None = None
    # Halt before the first write, unless there is nothing to write.
    asks_approval: bool = False
    # The halted run that a person has approved, and what it had reported as found, as far as it is passed on.
    approved: int | None = None
    confirmed: tuple[Mapping[str, Any], ...] = ()
    # Say what a full run that pushes, or the undo, would do, and write nothing.
    plan: bool = False
    # Of a plan: only say whether the configuration fits both systems.
    check: bool = False
    # Of a plan: the public key that the values of records are sealed with; without one there are none.
    plan_key: str | None = None
    # A file with what people have decided about conflicts.
    decisions: Path | None = None
    # The run that is to be undone; None where the run syncs.
    undo: int | None = None
    # The objects that are reset: each is passed on until a run has succeeded, and carried out once.
    resets: tuple[ObjectReset, ...] = ()


def read(environ: Mapping[str, str]) -> Order:
    """The order in these environment variables. Raises ConfigurationError that names every one that does not fit."""
    complaints: list[str] = []

    def take(name: str, *choices: str) -> str:
        value = environ.get(name, "")
        if not value:
            complaints.append(f"the environment variable {name} is not set")
        elif choices and value not in choices:
            complaints.append(f"{name} must be {' or '.join(choices)}, not {value!r}")
        return value

    def number(name: str, value: str) -> int:
        if value and not (value.isascii() and value.isdigit()):
            complaints.append(f"{name} must be a whole number, not {value!r}")
            return 0
        return int(value or 0)

    def switch(name: str) -> bool:
        value = environ.get(name, "false")
        if value not in ("true", "false"):
            complaints.append(f"{name} must be true or false, not {value!r}")
        return value == "true"

    take(Environment.PROTOCOL, PROTOCOL)
    run = number(Environment.RUN, take(Environment.RUN))
    scope = take(Environment.SCOPE, "full", "changes")
    push = take(Environment.PUSH, "true", "false")
    # An operator of an earlier version sets only the second.
    names = Environment.APPROVED, Environment.ALLOW_DELETES
    by = next((name for name in names if environ.get(name)), None)
    approval = take(Environment.APPROVAL, "always") if environ.get(Environment.APPROVAL) else ""
    plan, check = switch(Environment.PLAN), switch(Environment.CHECK)
    if check and not plan:
        complaints.append(
            f"{Environment.CHECK} needs {Environment.PLAN}=true: without it this would be a run that syncs"
        )
    undone = environ.get(Environment.UNDO, "")
    undo = number(Environment.UNDO, undone) if undone else None
    if undo is not None and push == "false" and not plan:
        complaints.append(f"{Environment.UNDO} needs {Environment.PUSH}=true: an undo writes")
    order = Order(
        run=run,
        scope="full" if scope == "full" else "changes",
        push=push == "true",
        cache_dir=Path(take(Environment.CACHE_DIR)),
        cache_epoch=take(Environment.CACHE_EPOCH),
        config=Path(take(Environment.CONFIG)),
        oldest_cache_epoch=environ.get(Environment.CACHE_OLDEST_EPOCH) or None,
        plan=plan,
        check=check,
        plan_key=environ.get(Environment.PLAN_KEY) or None,
        decisions=Path(decisions) if (decisions := environ.get(Environment.DECISIONS)) else None,
        asks_approval=approval == "always",
        approved=number(by, environ[by]) if by else None,
        confirmed=_found(environ.get(Environment.CONFIRMED, ""), complaints),
        undo=undo,
        resets=_resets(environ.get(Environment.RESET_OBJECTS, ""), complaints),
    )
    if complaints:
        raise ConfigurationError(*complaints)
    return order


def _found(text: str, complaints: list[str]) -> tuple[Mapping[str, Any], ...]:
    return _objects(Environment.CONFIRMED, text, complaints)


def _resets(text: str, complaints: list[str]) -> tuple[ObjectReset, ...]:
    resets = []
    for each in _objects(Environment.RESET_OBJECTS, text, complaints):
        match each:
            case {"object": str(name), "began": str(began), "push": bool(push)}:
                resets.append(ObjectReset(name, began, push))
            case _:
                complaints.append(f"{Environment.RESET_OBJECTS} must have object, began and push, not {text!r}")
                return ()
    return tuple(resets)


def _objects(name: str, text: str, complaints: list[str]) -> tuple[Mapping[str, Any], ...]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        found = None
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return tuple(found)
    complaints.append(f"{name} must be a list of JSON objects, not {text!r}")
    return ()
