"""Random histories: users on both sides, runs of every kind, edits and crashes at any step of them, changes of the
configuration, resets of the object, backups that are restored in place, systems that are exchanged for each other, and
halted runs that are approved, at once or after more deletes.

A history is data that Hypothesis draws, and makes as short as it can when it fails. On the way no run may lose an entry
in silence, make a record twice, or write when it is read-only; in the end the sync is left alone, and then both sides
agree and the next run writes nothing (`World.check`). Nothing is deleted that an approval, or a limit, does not cover.
"""

from collections.abc import Sequence
from itertools import count
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tidegate.worker.run.environment import Scope

from .world import CRASH, Act, Disturbances, Policies, World

HISTORIES = 2100  # in all

deeds = [
    "add", "add", "edit name", "edit name", "edit phone", "edit phone", "clear", "rename", "delete", "reload",
    "reload and edit", "leave", "leave", "enter", "restore",
]  # fmt: skip
acts = st.builds(Act, st.sampled_from([0, 1]), st.sampled_from(deeds), st.integers(0, 39))
policies = st.builds(
    Policies,
    st.sampled_from(["crm", "erp", "park"]),
    st.sampled_from(["unlink", "propagate"]),
    st.booleans(),
    filtered=st.booleans(),
)
scopes: st.SearchStrategy[Scope] = st.sampled_from(["full", "changes"])
edits = st.lists(st.dictionaries(st.integers(1, 50), acts, max_size=3), max_size=1)
crashes = st.lists(st.dictionaries(st.integers(1, 50), st.one_of(st.just(CRASH), acts), max_size=3), max_size=3)


@pytest.mark.parametrize("read_only", ["never", "sometimes"])
@pytest.mark.parametrize("disturbed", [edits, crashes], ids=["edits", "crashes"])
def test_every_history_ends_in_agreement_and_nothing_is_lost_silently(
    world: World, disturbed: st.SearchStrategy[Sequence[Disturbances]], read_only: Literal["never", "sometimes"]
) -> None:
    played = count()

    class History(RuleBasedStateMachine):
        @initialize(policies=policies)
        def begin(self, policies: Policies) -> None:
            next(played)
            world.reset(policies)

        @rule(acts=st.lists(acts, min_size=1, max_size=6))
        def users(self, acts: Sequence[Act]) -> None:
            for act in acts:
                world.act(act)

        @rule(
            conflict=st.sampled_from(["crm", "erp", "park"]),
            deletes=st.sampled_from(["unlink", "propagate"]),
            trims=st.booleans(),
            filtered=st.booleans(),
            phones=st.booleans(),
            name=st.sampled_from(["contact", "person"]),
        )
        def change(
            self,
            conflict: Literal["crm", "erp", "park"],
            deletes: Literal["unlink", "propagate"],
            trims: bool,
            filtered: bool,
            phones: bool,
            name: Literal["contact", "person"],
        ) -> None:
            world.change(Policies(conflict, deletes, world.normalises, trims, filtered, phones, name))

        @rule(
            field=st.sampled_from(["name", "phone", "*"]),
            take=st.sampled_from(["crm", "erp", "newest"]),
            pick=st.none() | st.integers(0, 39),
        )
        def decide(self, field: str, take: str, pick: int | None) -> None:
            world.decide(field, take, pick)

        @rule(push=st.just(True) if read_only == "never" else st.booleans())
        def reset_object(self, push: bool) -> None:
            world.request_reset(push=push)

        @precondition(lambda _: world.has_synced)
        @rule(scope=scopes, push=st.booleans())
        def exchange(self, scope: Scope, push: bool) -> None:
            world.sync_exchanged(scope, push=push)

        @rule(scope=scopes, disturbed=disturbed)
        def sync(self, scope: Scope, disturbed: Sequence[Disturbances]) -> None:
            world.sync(scope, *disturbed)

        @precondition(lambda _: read_only == "sometimes")
        @rule(scope=scopes, disturbed=disturbed)
        def read(self, scope: Scope, disturbed: Sequence[Disturbances]) -> None:
            world.sync(scope, *disturbed, push=False)

        def teardown(self) -> None:
            world.check()

    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=HISTORIES // 4,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert next(played) >= HISTORIES // 4


HALTING_HISTORIES = 100
deletes = st.builds(
    Act,
    st.sampled_from([0, 1]),
    st.sampled_from(["delete", "delete", "add", "edit name", "reload"]),
    st.integers(0, 39),
)
in_the_run = st.builds(Act, st.sampled_from([0, 1]), st.sampled_from(["delete", "edit name"]), st.integers(0, 39))
deleted_meanwhile = st.lists(st.dictionaries(st.integers(1, 30), st.one_of(st.just(CRASH), in_the_run)), max_size=2)


def test_nothing_is_deleted_that_was_not_shown_or_allowed(world: World) -> None:
    approved = count()

    class History(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            world.reset(Policies("crm", "propagate", normalises=False, guarded=True))
            for pick in range(8):
                world.act(Act(0, "add", pick))
            world.sync()

        @rule(acts=st.lists(deletes, min_size=1, max_size=6), scope=scopes, push=st.booleans())
        def sync(self, acts: Sequence[Act], scope: Scope, push: bool) -> None:
            for act in acts:
                world.act(act)
            world.sync(scope, push=push)

        @precondition(lambda _: world.has_halted)
        @rule(acts=st.lists(deletes, max_size=4), disturbed=deleted_meanwhile)
        def approve(self, acts: Sequence[Act], disturbed: Sequence[Disturbances]) -> None:
            for act in acts:
                world.act(act)
            next(approved)
            world.sync("full", *disturbed, approved=True)

        def teardown(self) -> None:
            world.check()

    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=HALTING_HISTORIES,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert next(approved) >= HALTING_HISTORIES // 4
