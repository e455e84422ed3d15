"""Swaps: records that each wait for a value that the next of them has, so that none can be written.

A value that must be unique can move from record to record as long as one of them moves to a free value. In a circle
none does: two records that exchange their values are the shortest.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from tidegate.worker.config.rules import Side, other
from tidegate.worker.connectors import Blocked
from tidegate.worker.merge.three_way import Patch
from tidegate.worker.run.push.work import Work
from tidegate.worker.run.source import SourcePair
from tidegate.worker.values.normal_form import Hash

_Name = TypeVar("_Name", bound=Hashable)


def circles(moves: Mapping[_Name, tuple[Hash, Hash]]) -> dict[_Name, _Name]:
    """Of records that have one value and are to get another: those in a circle, each with the one that it waits for."""
    holder = {has: name for name, (has, _) in moves.items()}
    after = {name: holder[wants] for name, (_, wants) in moves.items() if wants in holder}
    found: dict[_Name, _Name] = {}
    settled: set[_Name] = set()
    for start in moves:
        path: dict[_Name, None] = {}
        name: _Name | None = start
        while name is not None and name not in settled and name not in path:
            path[name] = None
            name = after.get(name)
        if name is not None and name in path:
            names = list(path)
            found |= {each: after[each] for each in names[names.index(name) :]}
        settled |= path.keys()
    return found


def explain_swaps(both: SourcePair, works: Sequence[Work], on: Side) -> None:
    """Let the refusals of updates in a circle say so, and how to get out of it."""
    blocked = [work for work in works if isinstance(work.decision, Patch) and isinstance(work.answers[on], Blocked)]
    if len(blocked) < len(both.sources):
        return
    for i, rule in enumerate(both.item.fields):
        moves = {
            n: (work.hashes[on][i], work.hashes[other(on)][i])
            for n, work in enumerate(blocked)
            if isinstance(work.decision, Patch) and i in work.decision.to[on]
        }
        for n, across in circles(moves).items():
            answer = blocked[n].answers[on]
            assert isinstance(answer, Blocked)  # noqa: S101
            key = blocked[across].record(on).key
            blocked[n].answers[on] = replace(
                answer,
                reason=f"{answer.reason}; {rule.names[on]} is to change places with record {key}, and each waits for "
                f"the other: give one of them another {rule.names[on]}, sync, and then set the right one",
            )
