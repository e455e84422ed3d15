"""docs/concepts.md: its diagram has the transitions that `decide` makes, and no other; its tables, the names there are.

The transitions are those of all lives in which one thing happens at a time: somebody edits the spec, a Job goes on or
ends, the API server refuses one, time passes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from documentation.pages import Page
from tidegate.api.spec import OffPolicy, Switch
from tidegate.api.status import Phase
from tidegate.control.decide import decide
from tidegate.control.history import MESSAGE_PATIENCE
from tidegate.control.observation import Job, JobState, Observation
from tidegate.control.report import report
from tidegate.control.step import CreateJob
from unit.control.situations import NOW, OFF, ON, Situation, refusal
from unit.control.test_every_combination import next_of

PAGE = Page.read("docs/concepts.md")

NOWHERE = "[*]"


@dataclass(frozen=True)
class Moment:
    """What is seen at a time."""

    seen: Observation
    now: datetime

    @property
    def phase(self) -> str:
        return self.seen.integration.status.phase or NOWHERE

    @property
    def kind(self) -> tuple[object, ...]:
        """What distinguishes it from others, but for numbers and times."""
        seen, status = self.seen, self.seen.integration.status
        spec, activation, last = seen.integration.spec, status.activation, status.last_run
        return (
            *(self.phase, spec.status, spec.off_policy, spec.reset, seen.absent_job is not None),
            *(activation and (activation.reset, activation.caught_up), last and last.outcome.needs_human),
            *(status.run and status.run.cancelling, seen.refusal and seen.refusal.needs_human),
            *((job.state, job.suspended, job.suspension_seen) for job in seen.jobs),
        )


def decided(moment: Moment) -> Iterator[tuple[Moment, Moment]]:
    """Step by step what becomes of it until the operator rests; the last step leads to what it was already."""
    seen, now = moment.seen, moment.now
    plan = decide(seen, now)
    after = without_history(next_of(seen, plan, now))
    outcomes = [after]
    if plan.status.run and any(isinstance(action, CreateJob) for action in plan.actions):
        number, generation = plan.status.run.number, seen.integration.generation
        refused = [refusal(needs_human=human, run_number=number, generation=generation) for human in (False, True)]
        later = now + timedelta(minutes=1)
        outcomes = [replace(after, jobs=seen.jobs, refusal=replace(each, retry_at=later)) for each in refused]
        outcomes.append(replace(after, refusal=None))
    for outcome in outcomes:
        yield moment, Moment(outcome, now)
        if outcome != seen:
            yield from decided(Moment(outcome, now))


def without_history(seen: Observation) -> Observation:
    run = seen.integration.status.run
    jobs = tuple(job for job in seen.jobs if not job.finished or (run and run.job_name == job.name))
    return replace(seen, jobs=jobs)


def events(moment: Moment) -> Iterator[Moment]:
    """All that may happen next."""
    seen, now = moment.seen, moment.now + timedelta(seconds=10)
    spec = seen.integration.spec
    edits: list[dict[str, object]] = [
        {"status": Switch.OFF if spec.status is Switch.ON else Switch.ON},
        {"off_policy": OffPolicy.PAUSE_RUN if spec.off_policy is OffPolicy.FINISH_RUN else OffPolicy.FINISH_RUN},
        {"reset": not spec.reset},
    ]
    for edit in edits:
        integration = seen.integration
        changed = replace(integration, spec=spec.model_copy(update=edit), generation=integration.generation + 1)
        yield Moment(replace(seen, integration=changed), now)
    for job in seen.jobs:
        for later in progress(job, now):
            jobs = tuple(later if other == job else other for other in seen.jobs)
            yield Moment(replace(seen, jobs=jobs), now)
    yield Moment(replace(seen, absent_job=None), now + timedelta(hours=1))


def progress(job: Job, now: datetime) -> Iterator[Job]:
    if job.finished or (job.suspended and job.suspension_seen):
        return
    ended = now - MESSAGE_PATIENCE  # so that they are not waited for
    if job.suspended != job.suspension_seen:
        yield replace(job, suspension_seen=job.suspended)
    yield replace(job, state=JobState.COMPLETE, finished_at=ended)
    halted = "Container sync for pod sales/contacts failed with exit code 3 matching FailJob rule"
    for words in ("", halted):
        yield replace(job, state=JobState.FAILED, finished_at=ended, failure_reason="x", failure_message=words)


def transitions() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    known: set[object] = set()
    waiting = [Moment(Situation(spec).observe(), NOW) for spec in (ON, OFF)]
    while waiting:
        for before, after in decided(waiting.pop()):
            found.add((before.phase, after.phase))
            at_rest = before.seen == after.seen
            if at_rest and after.kind not in known:
                known.add(after.kind)
                waiting += events(after)
    return {(before, after) for before, after in found if before != after}


def test_the_diagram_has_every_transition_and_no_other() -> None:
    (diagram,) = PAGE.blocks("mermaid")
    drawn = re.findall(r"^    (\S+) --> (\S+): .+$", diagram, re.M)
    assert len(drawn) == diagram.count("-->") == len(set(drawn))
    assert set(drawn) == transitions()


def test_its_tables_have_every_phase_and_condition() -> None:
    assert [row[0].strip("`") for row in PAGE.section("Phases").rows(2)] == list(Phase)
    seen = Situation(ON).observe()
    conditions = {condition.type for condition in report(seen, decide(seen, NOW), NOW).conditions}
    assert {row[0].strip("`") for row in PAGE.section("Conditions").rows(2)} == conditions
