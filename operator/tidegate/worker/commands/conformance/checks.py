"""What must be true of any worker (design section 6.1), one function per sentence. Run by `command`.

A check begins with an empty cache and with the systems at their beginning, and yields what it finds wrong: failures,
and warnings about what a worker should do better. One that yields nothing has passed.
"""

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat, takewhile
from typing import Literal

from tidegate.api.contract import TERMINATION_MESSAGE_BYTES, Environment, ExitCode
from tidegate.worker.commands.conformance.subject import Ended, Place, Subject
from tidegate.worker.epoch import MARKER

Need = Literal["state", "edit"]

_REPETITIONS = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """What was found; only a failure breaks the contract."""

    words: str
    failure: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence of the contract; `needs` are commands without which it cannot be checked."""

    sentence: str
    needs: tuple[Need, ...]
    find: Callable[[Subject], Iterator[Problem]]


def _complete(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        yield from _expect(subject.run(place), ExitCode.COMPLETE, "a full run")
        yield from _expect(subject.run(place, 2, "changes"), ExitCode.COMPLETE, "a run of changes after it")


def _message(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        ended = subject.run(place)
    if ended.longest_message >= TERMINATION_MESSAGE_BYTES:
        yield Problem(
            f"the message had {ended.longest_message} bytes; Kubernetes cuts it at {TERMINATION_MESSAGE_BYTES}"
        )
    if not ended.message:
        yield Problem("there is none: the run is shown without counts", failure=False)
    elif (said := ended.said()) is None:
        yield Problem("it is not one JSON object")
    elif said.get("run") not in (None, 1):
        yield Problem(f"it names run {said['run']}, but the run was 1")


def _quiescent(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        subject.run(place)
        before = subject.state()
        subject.run(place, 2)
        if subject.state() != before:
            yield Problem("a second run has changed the systems although nothing was edited")


def _pushes(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        subject.run(place)
        for number, scope in enumerate(("changes", "full"), start=2):
            subject.edit()
            before = subject.state()
            yield from _expect(subject.run(place, number, scope), ExitCode.COMPLETE, f"a run of scope {scope}")
            if subject.state() == before:
                yield Problem(f"a run of scope {scope} has not pushed what was edited")


def _read_only(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        before = subject.state()
        yield from _expect(subject.run(place, push=False), ExitCode.COMPLETE, "a read-only run")
        if subject.state() != before:
            yield Problem("a read-only run has changed the systems")
            return
        subject.run(place, 2, "changes")
        if subject.state() != before:
            yield Problem(
                "what a read-only run read was pushed by the next run; it should count as accepted", failure=False
            )


def _configuration(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        ended = subject.run(place, variables={Environment.CONFIG: str(place.cache / "not-there.json")})
    yield from _expect_refusal(ended, "without its configuration it")
    with subject.place() as place:
        ended = subject.run(place, variables={Environment.PROTOCOL: "0"})
    for problem in _expect_refusal(ended, "with another SYNC_PROTOCOL it"):
        yield Problem(problem.words, failure=False)


def _expect_refusal(ended: Ended, who: str) -> Iterator[Problem]:
    if ended.code in (ExitCode.COMPLETE, ExitCode.PAUSED):
        yield Problem(f"{who} exits with {ended.code}, as if nothing were wrong")
    elif ended.code != ExitCode.CONFIGURATION_ERROR:
        yield Problem(f"{who} exits with {ended.code} and is retried; exit code 2 stops it at once", failure=False)


def _sigterm(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        seconds = subject.run(place).seconds
    codes = []
    for part, _, ended in _interruptions(subject, signal.SIGTERM, seconds):
        codes.append(ended.code)
        if ended.code is None:
            yield Problem(f"SIGTERM after {part:.0%} of a run is not obeyed within {subject.grace_seconds:.0f} s")
            return
        if ended.code not in (ExitCode.COMPLETE, ExitCode.PAUSED):
            yield Problem(f"SIGTERM after {part:.0%} of a run ends it with {_code(ended)}; paused is 75")
            return
    if ExitCode.PAUSED not in codes:
        yield Problem(
            "no run was paused: give the worker more to do, and have it print something when it starts", failure=False
        )


def _resumes_after_sigterm(subject: Subject) -> Iterator[Problem]:
    yield from _resumes(subject, signal.SIGTERM)


def _resumes_after_kill(subject: Subject) -> Iterator[Problem]:
    yield from _resumes(subject, signal.SIGKILL)


def _resumes(subject: Subject, number: signal.Signals) -> Iterator[Problem]:
    with subject.place() as place:
        seconds = subject.run(place).seconds
        undisturbed = subject.state()
    for part, place, interrupted in _interruptions(subject, number, seconds):
        if interrupted.code == ExitCode.COMPLETE and subject.state() != undisturbed:
            yield Problem(f"interrupted after {part:.0%} of a run, it exits with 0 and has left work undone")
            return
        yield from _expect(subject.run(place), ExitCode.COMPLETE, f"after {part:.0%} of a run, the same run again")
        if subject.state() != undisturbed:
            yield Problem(
                f"interrupted after {part:.0%} of a run, the systems end up different than after an undisturbed run"
            )
            return


def _interruptions(subject: Subject, number: signal.Signals, seconds: float) -> Iterator[tuple[float, Place, Ended]]:
    """Interrupt a run at each moment, given as part of its `seconds`; yield its cache while it is still there.

    On a busy machine a short run can be over before its signal arrives: repeat the first moment until one is not.
    """
    in_progress = False
    again = takewhile(lambda _: not in_progress, repeat(0.0, _REPETITIONS))
    for part in chain(subject.moments, again):
        with subject.place() as place:
            ended = subject.interrupt(place, number, part * seconds)
            in_progress |= ended.code != ExitCode.COMPLETE
            yield part, place, ended


def _epoch(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        subject.run(place)
        marker = place.cache / MARKER
        if not marker.exists() or marker.read_text().strip() != "1":
            yield Problem(f"it changed {MARKER} in its cache, which records that a reset was done")
        another = {Environment.CACHE_EPOCH: "2"}
        yield from _expect(subject.run(place, 2, variables=another), ExitCode.COMPLETE, "the first run after a reset")


def _plan(subject: Subject) -> Iterator[Problem]:
    with subject.place() as place:
        yield from _planned(subject, place, 1, "of a first run")
    with subject.place() as place:
        subject.run(place)
        subject.edit()
        yield from _planned(subject, place, 2, "after an edit")


def _planned(subject: Subject, place: Place, run: int, which: str) -> Iterator[Problem]:
    before, cached = subject.state(), place.cached()
    ended = subject.plan(place, run)
    yield from _expect(ended, ExitCode.COMPLETE, f"a plan {which}")
    if subject.state() != before:
        yield Problem(f"a plan {which} has changed the systems")
    if place.cached() != cached:
        yield Problem(f"a plan {which} has changed the cache directory, which is mounted read-only")
    plan = (ended.said() or {}).get("plan")
    if ended.code == ExitCode.COMPLETE and not (isinstance(plan, dict) and isinstance(plan.get("sides"), list)):
        yield Problem(f"a plan {which} exits with 0 and its message has no `plan` with `sides`")


def _approval(subject: Subject) -> Iterator[Problem]:
    asked = {Environment.APPROVAL: "always"}
    with subject.place() as place:
        before = subject.state()
        halted = subject.run(place, variables=asked)
        yield from _expect(halted, ExitCode.HALTED, "a full run that needs an approval")
        if subject.state() != before:
            yield Problem("a full run that needs an approval has changed the systems without one")
            return
        found = json.dumps((halted.said() or {}).get("found") or [])
        approved = {**asked, Environment.APPROVED: "1", Environment.CONFIRMED: found}
        yield from _expect(subject.run(place, 2, variables=approved), ExitCode.COMPLETE, "the approved run")
        if subject.state() == before:
            yield Problem("the approved run has not changed the systems")
        unchanged = subject.run(place, 3, variables=asked)
        yield from _expect(unchanged, ExitCode.COMPLETE, "a full run that has nothing to write, and needs no approval,")


def _expect(ended: Ended, code: ExitCode, what: str) -> Iterator[Problem]:
    if ended.code != code:
        last = ended.output.strip().splitlines()[-1:] or ["(no output)"]
        yield Problem(f"{what} exits with {_code(ended)}, not {code.value}: {last[0][:300]}")


def _code(ended: Ended) -> str:
    if ended.code is not None and ended.code < 0:
        return f"{128 - ended.code} (of {signal.Signals(-ended.code).name})"
    return str(ended.code)


CHECKS = (
    Check("a complete run exits with 0", (), _complete),
    Check("the termination message is one JSON object below 4096 bytes", (), _message),
    Check("a configuration that cannot work exits with 2", (), _configuration),
    Check("the next run has nothing to do", ("state",), _quiescent),
    Check("edits are pushed", ("state", "edit"), _pushes),
    Check("a read-only run writes nothing", ("state",), _read_only),
    Check("SIGTERM pauses a run with 75", (), _sigterm),
    Check("a paused run resumes and ends with the same result", ("state",), _resumes_after_sigterm),
    Check("a killed run is repeated and ends with the same result", ("state",), _resumes_after_kill),
    Check("the cache's epoch marker is left to the operator", (), _epoch),
)

# Of workers that say so by the annotation tidegate.dev/worker-plans.
CHECKS_OF_PLANS = (Check("a plan writes nothing and is in the termination message", ("state", "edit"), _plan),)

# Likewise by tidegate.dev/worker-approvals.
CHECKS_OF_APPROVALS = (Check("a run that needs an approval halts with 3 and writes nothing", ("state",), _approval),)
