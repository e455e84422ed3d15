"""Accept: a read-only run takes both sides as they are in one step, or not at all. Whole runs, ended at every step."""

import pytest

from tidegate.worker.config.rules import SIDES

from .ledger import Contacts
from .world import CRASH, Act, Policies, World

POLICIES = Policies("park", "propagate", normalises=False)


def synced(world: World) -> None:
    world.reset(POLICIES)
    for n in range(4):
        world.act(Act(0, "add", n))
    world.sync()


def edited(world: World) -> None:
    """Edits of one record on both sides, one of another, a delete, and a new record on each side."""
    for act in (
        Act(0, "edit name", 0), Act(1, "edit name", 0), Act(0, "edit phone", 1), Act(1, "delete", 2), Act(0, "add", 6),
        Act(1, "add", 7),
    ):  # fmt: skip
        world.act(act)


def steps_of_a_read_only_run(world: World) -> int:
    synced(world)
    edited(world)
    before = world.steps
    world.sync(push=False)
    return world.steps - before


def ends(world: World) -> tuple[list[Contacts], list[Contacts]]:
    """How the next run that pushes ends when nothing has been accepted, and when everything has."""
    found = []
    for read_only in (False, True):
        synced(world)
        edited(world)
        if read_only:
            world.sync(push=False)
        world.sync()
        found.append([world.contacts(side) for side in SIDES])
    return found[0], found[1]


def test_a_read_only_run_that_is_interrupted_at_any_step_has_accepted_all_or_nothing(world: World) -> None:
    steps = steps_of_a_read_only_run(world)
    nothing, everything = ends(world)
    assert nothing != everything
    found = []
    for step in range(1, steps + 1):
        synced(world)
        edited(world)
        assert world.abandon({step: CRASH}, push=False)
        parked = world.sync()["parked"]
        end = [world.contacts(side) for side in SIDES]
        assert end in (nothing, everything), f"abandoned at step {step}"
        assert parked == (1 if end == nothing else 0), f"abandoned at step {step}"
        found.append(end == everything)
    assert found == sorted(found), "what had been accepted is pushed after all"
    assert True in found
    assert False in found


@pytest.mark.parametrize("sides", [(0,), (1,), (0, 1)])
def test_a_first_read_only_run_that_is_interrupted_leaves_everything_to_the_first_sync(
    world: World, sides: tuple[int, ...]
) -> None:
    world.reset(POLICIES)
    for side in sides:
        for n in range(4):
            world.act(Act(1 if side else 0, "add", 2 * n + side))
    assert world.abandon({6: CRASH}, push=False)
    world.sync()
    assert len(world.contacts(0)) == len(world.contacts(1)) == 4 * len(sides)
