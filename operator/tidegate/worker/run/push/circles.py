"""Circles: new records that refer to each other, or to themselves, so that none can be created first.

Such a record is created without the references that close the circle, and they are written in the next pass of the
same run, when the records that they name exist.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate.worker.config.rules import other
from tidegate.worker.connectors import Rejected
from tidegate.worker.merge.three_way import Create
from tidegate.worker.run.push.work import Work


def circular(waits: Mapping[int, Collection[int]]) -> set[int]:
    """The records that wait for each other, of records that each wait for others; a record may wait for itself.

    One that waits for a record outside of `waits` is not among them: that one may never come.
    """
    forward = {name: {*others} for name, others in waits.items() if waits.keys() >= {*others}}
    # What leads to no circle comes to an end; and to what no circle leads, nothing leads from some point on.
    for _ in range(2):
        forward = _reversed(_without_ends(forward))
    return {name for name, others in forward.items() if others == {*waits[name]}}


def _without_ends(forward: Mapping[int, set[int]]) -> dict[int, set[int]]:
    left = {name: others & forward.keys() for name, others in forward.items()}
    backward = _reversed(left)
    ends = [name for name, others in left.items() if not others]
    while ends:
        end = ends.pop()
        del left[end]
        for name in backward[end]:
            left[name].remove(end)
            if not left[name]:
                ends.append(name)
    return left


def _reversed(forward: Mapping[int, set[int]]) -> dict[int, set[int]]:
    backward: dict[int, set[int]] = {name: set() for name in forward}
    for name, others in forward.items():
        for each in others:
            backward[each].add(name)
    return backward


@dataclass(slots=True)
class Circles:
    """The circles of one run: which records wait for which, and which are created without their references.

    `refusals` is what the system said of a record without its references, by the rid of the record that it stands for.
    """

    waits: dict[int, tuple[int, ...]] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)
    refusals: dict[int, str] = field(default_factory=dict)

    def open(self) -> bool:
        """Choose the records that the next pass creates without references; False where there is no new circle."""
        found = circular(self.waits) - self.opened
        self.opened |= found
        return bool(found)

    def note(self, works: Sequence[Work]) -> None:
        """Learn which records were refused without their references: they wait for the others of their circle."""
        for work in works:
            if isinstance(work.decision, Create) and work.waiting:
                answer = work.answers[work.decision.on]
                if isinstance(answer, Rejected):
                    work.again = True
                    self.refusals[work.row(other(work.decision.on)).rid] = answer.reason
