"""A run is undone after random edits, and while there are more, with crashes at any step.

What nobody has touched since the run is as it was before it, no entry is lost, and the next runs push none of it again.
"""

from collections.abc import Sequence
from itertools import count
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .ledger import Contacts, plain
from .test_histories import acts, crashes
from .world import CRASH, NOTHING, Act, Disturbances, Policies, World

HISTORIES = 250

BOTH: Sequence[Literal[0, 1]] = (0, 1)
some_acts = st.lists(acts.filter(lambda act: act.what not in ("restore", "reload", "reload and edit")), max_size=6)
policies = st.builds(
    Policies,
    st.sampled_from(["crm", "erp", "park"]),
    st.sampled_from(["unlink", "propagate"]),
    st.booleans(),
    journal=st.just(True),
)


def contacts(world: World) -> list[Contacts]:
    return [dict(world.contacts(side)) for side in BOTH]


def play(world: World, acts: Sequence[Act]) -> None:
    for act in acts:
        world.act(act)


def check_untouched(before: Contacts, after: Contacts, edited: Contacts, undone: Contacts) -> None:
    """What the run has written on a side and nobody has touched since is as it was."""
    emails = {plain(contact[0]) for contact in undone.values()}
    for rid in before.keys() | after.keys():
        was, became = before.get(rid), after.get(rid)
        if edited.get(rid) != became or was == became:
            continue
        if was is None:
            assert rid not in undone, "what the run has created is still there"
        elif became is None:
            assert was in undone.values() or plain(was[0]) in emails, "what the run has deleted is not there again"
        else:
            assert undone.get(rid) == was, "what the run has replaced is not as it was"


def test_untouched_records_are_restored_and_nothing_is_lost(world: World) -> None:
    played = count()

    @settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        policies=policies,
        first=some_acts,
        second=some_acts,
        third=some_acts,
        disturbed=crashes,
        undisturbed=st.booleans(),
    )
    def check(
        policies: Policies,
        first: Sequence[Act],
        second: Sequence[Act],
        third: Sequence[Act],
        disturbed: Sequence[Disturbances],
        undisturbed: bool,
    ) -> None:
        next(played)
        world.reset(policies)
        play(world, first)
        world.sync()
        play(world, second)
        before = contacts(world)
        written = world.sync()["pushed"]
        run, after = world.runs, contacts(world)
        if not any(sum(counts.values()) for counts in written.values()):
            return  # it is not in the journal
        play(world, third)
        edited = contacts(world)
        world.sync("changes", *([] if undisturbed else disturbed), undo=run)
        if undisturbed:
            for each in zip(before, after, edited, contacts(world), strict=True):
                check_untouched(*each)
            if edited == after:
                assert world.sync()["pushed"] == dict.fromkeys(("crm", "erp"), NOTHING), "it is pushed again"
        world.check()

    check()
    assert next(played) >= HISTORIES


CRM, ERP = BOTH

# The run that is undone updates, creates and deletes on both sides.
BEFORE = [*(Act(CRM, "add", n) for n in (0, 1, 2, 3)), *(Act(ERP, "add", n) for n in (4, 5, 6))]
WRITTEN = [
    Act(CRM, "edit name", 0), Act(ERP, "edit phone", 1), Act(CRM, "edit phone", 4),
    Act(CRM, "add", 7), Act(CRM, "delete", 2), Act(ERP, "delete", 2),
]  # fmt: skip
SINCE = [Act(ERP, "edit name", 0), Act(CRM, "edit phone", 3)]
EDITED_SINCE = "p4@x"  # on both sides


def prepared(world: World) -> tuple[int, list[Contacts], list[Contacts]]:
    """The run to be undone, what was there before it, and what is there now."""
    world.reset(Policies("crm", "propagate", normalises=False, journal=True))
    play(world, BEFORE)
    world.sync()
    play(world, WRITTEN)
    before = contacts(world)
    world.sync()
    run = world.runs
    play(world, SINCE)
    return run, before, contacts(world)


def test_an_undo_that_crashes_at_any_step_and_is_repeated_ends_the_same(world: World) -> None:
    run, *_ = prepared(world)
    steps = world.steps
    world.writes.clear()
    world.sync("changes", undo=run)
    assert {verb for _, verb in world.writes} == {"create", "update", "delete"}
    end, steps = contacts(world), world.steps - steps
    for crash_at in range(1, steps + 1):
        run, *_ = prepared(world)
        world.sync("changes", {crash_at: CRASH}, undo=run)
        assert contacts(world) == end, f"crashed at step {crash_at}"
    world.check()


def check_that_nothing_has_gone_across(before: Contacts, edited: Contacts, now: Contacts, crash_at: int) -> None:
    """Each record is as it was before the undone run, or as that has left it; but for the one with edits since."""
    for rid in before.keys() & edited.keys():
        assert rid in now, f"crashed at step {crash_at}: record {rid} is gone"
    for rid, contact in now.items():
        if contact[0] != EDITED_SINCE:
            known = [each[rid] for each in (before, edited) if rid in each] or [*before.values()]
            assert contact in known, f"crashed at step {crash_at}: record {rid} is {contact}"


def test_an_undo_that_crashes_at_any_step_and_is_never_repeated_loses_nothing(world: World) -> None:
    """What it has written back is not taken for an edit: nothing of it goes to the other side."""
    crash_at = 0
    crashed = True
    while crashed:
        crash_at += 1
        run, before, edited = prepared(world)
        crashed = world.abandon({crash_at: CRASH}, "changes", push=True, undo=run)
        world.sync()
        for side in BOTH:
            check_that_nothing_has_gone_across(before[side], edited[side], world.contacts(side), crash_at)
        again = contacts(world)
        assert world.sync()["pushed"] == dict.fromkeys(("crm", "erp"), NOTHING), f"crashed at step {crash_at}"
        assert contacts(world) == again
