"""One history, crashed at every step at which the worker reads or writes something, before and after the effect.

It always ends as it does undisturbed: the same records with the same ids, so that nothing is made twice or lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pytest

from tidegate.worker.run.environment import Scope

from .ledger import Contacts
from .world import CRASH, Act, Policies, World


@dataclass(frozen=True)
class Run:
    scope: Scope = "full"
    push: bool = True


@dataclass(frozen=True)
class Decide:
    field: str
    take: str


CRM: Literal[0] = 0
ERP: Literal[1] = 1

# Every kind of push in both directions, and every kind of run.
HISTORY: Sequence[Act | Run | Decide] = [
    *(Act(CRM, "add", n) for n in (0, 1, 2, 3)),
    *(Act(ERP, "add", n) for n in (3, 4, 5)),
    Run(),  # p3 is there on both sides, with different names
    Act(CRM, "edit name", 0), Act(ERP, "edit phone", 3),  # p0: two edits of one record
    Act(CRM, "edit name", 1), Act(ERP, "edit name", 4),  # p1: a conflict
    Act(CRM, "rename", 14),  # p2 becomes p6
    Run("changes"),
    Decide("*", "crm"),  # p1, where it is parked
    Run("changes"),
    Act(CRM, "add", 7), Act(ERP, "edit phone", 2),  # p7 and p5: accepted as they are
    Run(push=False),
    Act(CRM, "edit name", 6), Act(ERP, "clear", 3),  # p7 is made on the other side now
    Act(CRM, "delete", 3),  # p3
    Act(CRM, "delete", 4), Act(ERP, "edit name", 2),  # p5: the edit beats the delete
    Act(ERP, "delete", 1),  # p4
    Run(),
    Act(ERP, "edit name", 0),
    Run("changes"),
]  # fmt: skip


@dataclass(frozen=True)
class Played:
    end: list[Contacts]
    steps: int


def play(world: World, policies: Policies, crash_at: int = 0) -> Played:
    """The history, with a process that ends at a step unless that is 0."""
    world.reset(policies)
    for each in HISTORY:
        if isinstance(each, Act):
            world.act(each)
        elif isinstance(each, Decide):
            world.decide(each.field, each.take, None)
        else:
            disturbances = {crash_at - world.steps: CRASH} if crash_at > world.steps else {}
            world.sync(each.scope, disturbances, push=each.push)
    steps = world.steps
    world.check()
    return Played([world.contacts(side) for side in (CRM, ERP)], steps)


@pytest.mark.parametrize(
    "policies",
    [Policies("erp", "propagate", normalises=False), Policies("park", "unlink", normalises=False)],
    ids=["erp wins, deletes are propagated", "conflicts are parked, deletes unlink"],
)
def test_a_crash_at_any_step_does_not_change_the_result(world: World, policies: Policies) -> None:
    undisturbed = play(world, policies)
    for crash_at in range(1, undisturbed.steps + 1):
        assert play(world, policies, crash_at).end == undisturbed.end, f"crashed at step {crash_at}"


def test_the_history_contains_every_kind_of_push(world: World) -> None:
    play(world, Policies("erp", "propagate", normalises=False))
    assert world.writes == {(side, verb) for side in (CRM, ERP) for verb in ("create", "update", "delete")}
