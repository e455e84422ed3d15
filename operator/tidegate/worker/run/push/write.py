"""Write: the intents of a batch of `push`, and then the batch itself, compare-and-set.

The intents come first, so that a process that ends in between leaves behind what may have happened: see `recover`.
"""

from collections.abc import Callable, Sequence

from tidegate.worker.cache.intents import Intent
from tidegate.worker.config.rules import SIDES, Side, other
from tidegate.worker.connectors import Blocked
from tidegate.worker.connectors import Write as Update
from tidegate.worker.merge.three_way import Create, Delete, Patch
from tidegate.worker.run.push.work import Answer, Work, creates_on, pushed, values_for
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair


def intend(session: Session, both: SourcePair, works: Sequence[Work]) -> None:
    """Write down what the two sides are going to hold."""
    intents = [intent for work in works for intent in _intents(both, work)]
    if not intents:
        return
    with session.commit():
        session.cache.intents.write_down(intents)
        # A conflict that the policy settles is counted before the one value is overwritten with the other: should
        # the process end in between, the overwritten one was still not lost in silence.
        session.progress.conflicts += sum(len(intent.conflicts) for intent in intents)


def _intents(both: SourcePair, work: Work) -> list[Intent]:
    decision = work.decision
    if isinstance(decision, Create):
        source = both.sources[other(decision.on)]
        fields = pushed(both, work, decision.on, both.item.flowing[decision.on])
        return [Intent(work.row(source.side).rid, both.numbers[decision.on], fields, work.match)]
    if isinstance(decision, Patch):
        return [
            Intent(
                work.row(other(side)).rid, both.numbers[side], pushed(both, work, side, decision.to[side]), None,
                decision.overwritten(side),
            )
            for side in SIDES
            if decision.to[side]
        ]  # fmt: skip
    return []


def write(both: SourcePair, works: Sequence[Work], on: Side) -> None:
    """All creates, updates and deletes of a batch on one side."""
    collection = both.sources[on].collection
    creates = creates_on(works, on)
    updates = [work for work in works if isinstance(work.decision, Patch) and work.decision.to[on]]
    deletes = [work for work in works if isinstance(work.decision, Delete) and work.decision.on == on]
    _send(creates, on, lambda some: collection.create([values_for(work, on) for work in some]))
    _send(updates, on, lambda some: collection.update([_update(both, work, on) for work in some]))
    _send(deletes, on, lambda some: collection.delete([work.record(on) for work in some]))


def _update(both: SourcePair, work: Work, on: Side) -> Update:
    assert isinstance(work.decision, Patch)  # noqa: S101
    values = values_for(work, on)
    return Update(work.record(on), {i: values[i] for i in work.decision.to[on]})


def _send(works: Sequence[Work], on: Side, send: Callable[[Sequence[Work]], Sequence[Answer]]) -> None:
    """Send these; those that another one blocked are sent again as long as any is written.

    In reverse: where a value moves from each record to the next, the last has to go first.
    """
    left = works
    while left:
        for work, answer in zip(left, send(left), strict=True):
            work.answers[on] = answer
        blocked = [work for work in reversed(left) if isinstance(work.answers[on], Blocked)]
        if len(blocked) == len(left):
            return
        left = blocked
