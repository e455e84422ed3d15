"""One record's way through a batch of `push`: remembered, read, decided, answered: filled in step by step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from tidegate.worker.cache.row import Row
from tidegate.worker.config.rules import Side, other
from tidegate.worker.connectors import Blocked, Changed, Postponed, Record, Rejected
from tidegate.worker.errors import RunEnded
from tidegate.worker.merge.three_way import Create, Decision
from tidegate.worker.run.references import Unlinked
from tidegate.worker.run.source import SourcePair
from tidegate.worker.values.normal_form import MISSING, Hash, Value
from tidegate.worker.values.value_map import Unmapped

_T = TypeVar("_T")

Two: TypeAlias = tuple[_T, _T]
Answer: TypeAlias = Record | Changed | Rejected | None


@dataclass(slots=True)
class Work:
    """A record, or two that are linked; everything by side.

    Without a decision it stays dirty: for the next pass of the same run (`again`), or for the next run.
    """

    rows: Two[Row | None]
    gone: Two[bool]
    records: list[Record | None] = field(default_factory=lambda: [None, None])
    hashes: list[tuple[Hash, ...]] = field(default_factory=lambda: [(), ()])
    compared: list[tuple[Hash, ...]] = field(default_factory=lambda: [(), ()])
    # What each side's record would hold on the other side: its references are other ids there.
    translated: list[tuple[Value | Unlinked | Unmapped, ...]] = field(default_factory=lambda: [(), ()])
    decision: Decision | None = None
    # By which the record that is to be created was looked up.
    match: Hash | None = None
    again: bool = False
    # What became of it leaves more to do to the next pass: about itself, or about others that refer to it.
    more: bool = False
    # Fields that refer to what the other side does not have, and why: they are held back.
    waiting: Mapping[int, str] = field(default_factory=dict)
    # Fields whose values the other side cannot hold without changing what they mean, and why: they are set aside.
    unfit: dict[int, str] = field(default_factory=dict)
    # Fields in conflict that a person has decided: the side that is taken, or why the decision cannot be carried out.
    decided: dict[int, Side] = field(default_factory=dict)
    undecided: dict[int, str] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=lambda: [None, None])

    @property
    def changed(self) -> bool:
        """Whether a side was not written, because the record is not as it was read any more."""
        first, second = self.answers
        return isinstance(first, Changed) or isinstance(second, Changed)

    @property
    def blocked(self) -> bool:
        """Whether a side refused the record because of another, which may be written later."""
        first, second = self.answers
        return isinstance(first, Blocked) or isinstance(second, Blocked)

    @property
    def postponed(self) -> RunEnded | None:
        """Why the run has to end, where a side was not written for that."""
        return next((answer.because for answer in self.answers if isinstance(answer, Postponed)), None)

    @property
    def in_doubt(self) -> bool:
        """Whether a side may have been written, and did not answer."""
        return any(isinstance(answer, Postponed) and answer.in_doubt for answer in self.answers)

    @property
    def rids(self) -> list[int]:
        """The remembered records' rids."""
        return [row.rid for row in self.rows if row is not None]

    def row(self, side: int) -> Row:
        """What is remembered of a side that is there."""
        row = self.rows[side]
        assert row is not None  # noqa: S101
        return row

    def record(self, side: int) -> Record:
        """What was read of a side that is there."""
        record = self.records[side]
        assert record is not None  # noqa: S101
        return record


def values_for(work: Work, on: Side) -> Sequence[Value]:
    """What the record across would hold on this side; what it hides, unlinked references and unmapped values do not."""
    values = work.translated[other(on)]
    return [None if value is MISSING or isinstance(value, (Unlinked, Unmapped)) else value for value in values]


def pushed(both: SourcePair, work: Work, on: Side, fields: Sequence[int]) -> bytes:
    """The hashes of what a side is going to hold, where it is going to be written."""
    target, rules, hashed = both.sources[on], both.item.fields, work.hashes[other(on)]
    hashes: list[Hash | None] = [None] * len(rules)
    for i in fields:
        hashes[i] = hashed[i]
    values, read = values_for(work, on), work.record(other(on)).values
    for i in fields:
        if i in work.unfit:
            hashes[i] = None
        elif values[i] is not read[i] and read[i] is not MISSING:
            # It is another id there, or another form.
            hashes[i] = target.hash_of(i, values[i])
    return target.partial_shadow(hashes)


def creates_on(works: Iterable[Work], side: int) -> list[Work]:
    """Those whose record is to be made on a side."""
    return [work for work in works if isinstance(work.decision, Create) and work.decision.on == side]
