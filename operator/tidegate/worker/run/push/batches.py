"""Push: carry out on both sides what the merge decides, batch by batch.

The last step of a run, after `guard`. In a batch: read both sides afresh and merge; find what exists of what is to be
created; write down the intents and write, compare-and-set (`write`); commit exactly what was acknowledged. A record
that was edited meanwhile stays dirty and is merged again; one that its system refuses is parked, or sent again as long
as other records move where one of those is the reason. One that makes its batch fail is found and parked (`isolate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from tidegate.worker.cache.row import Row
from tidegate.worker.config.rules import SIDES
from tidegate.worker.errors import SystemFailed
from tidegate.worker.garbage import collected_afterwards
from tidegate.worker.merge.three_way import Delete
from tidegate.worker.run.push.acknowledge import acknowledge
from tidegate.worker.run.push.cascades import wait_for_children
from tidegate.worker.run.push.circles import Circles
from tidegate.worker.run.push.find_existing import look_up
from tidegate.worker.run.push.isolate import Tally, push_isolated
from tidegate.worker.run.push.journalled import journalled
from tidegate.worker.run.push.read_and_merge import decide
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.push.write import intend, write
from tidegate.worker.run.reloaded import recognise_reloaded
from tidegate.worker.run.session import Session
from tidegate.worker.run.source import SourcePair

# Passes that settle nothing. What is edited again and again while it is pushed is left to the next run.
_IDLE_PASSES = 5


def push(session: Session) -> None:
    """Deal with all dirty records: objects in their order, so that what is referred to is there, deletes in reverse.

    Raises SystemFailed when a batch that failed left a push in doubt that only a whole scan can tell of.
    """
    tally = Tally()
    if len(session.pairs) > 1:
        for both in session.pairs:
            this = _Pass(patient=True, deletes=False, tally=tally)
            while _push_once(session, both, this).again and this.settled:
                this = _Pass(patient=True, deletes=False, tally=tally)
    idle = 0
    circles = Circles()
    while idle < _IDLE_PASSES:
        # What waits for another record, of any object, waits as long as anything is settled.
        circles.waits.clear()
        this = _Pass(patient=idle == 0, deletes=True, tally=tally, circles=circles)
        for both in reversed(session.pairs):
            _push_once(session, both, this)
        if not this.again:
            break
        idle = 0 if this.settled or circles.open() or _recognise_reloaded(session) else idle + 1
    intents = {intent.rid for intent in session.cache.intents.unsettled()}
    if in_doubt := len(intents - {rid for rid, field in session.cache.parked.fields(intents) if not field}):
        raise SystemFailed(
            f"a batch failed, and it is unknown whether {in_doubt} of its records were written; all others were, and "
            "the next attempt reads both systems whole to find out"
        )


def _recognise_reloaded(session: Session) -> bool:
    with session.cache.transaction():
        found = [recognise_reloaded(session, source) for both in session.pairs for source in both.sources]
    return any(found)


@dataclass(slots=True)
class _Pass:
    """One pass over the dirty records, and what came of it: was any settled, and can another pass do more?"""

    patient: bool
    deletes: bool
    tally: Tally
    circles: Circles = field(default_factory=Circles)
    settled: bool = False
    again: bool = False


def _push_once(session: Session, both: SourcePair, this: _Pass) -> _Pass:
    after, size = 0, min(source.collection.batch for source in both.sources)
    while True:
        session.pace.wait()
        pending = session.cache.pending.batch(both.numbers, after, session.pace.batch(size))
        if not pending:
            return this
        push_batch = partial(_push_batch, session, both, this)
        for work in push_isolated(session, both, pending, this.tally, push_batch):
            changed = work.changed
            this.again |= work.again or changed or work.more
            this.settled |= work.decision is not None and not work.again and not changed
            if work.postponed is not None:
                raise work.postponed  # the batch is acknowledged
        session.pace.took(len(pending))
        after = pending[-1].rid


@collected_afterwards()
def _push_batch(session: Session, both: SourcePair, this: _Pass, pending: Sequence[Row]) -> Sequence[Work]:
    works = decide(session, both, pending, this.circles, patient=this.patient)
    if not this.deletes:
        for work in works:
            if isinstance(work.decision, Delete):
                work.decision = None
    wait_for_children(session, both, works, patient=this.patient)
    look_up(session, both, works, patient=this.patient)
    intend(session, both, works)
    with journalled(session, both, works):
        for side in SIDES:
            write(both, works, side)
    this.circles.note(works)
    with session.commit():
        acknowledge(session, both, works, patient=this.patient)
    return works
