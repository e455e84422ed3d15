"""The merge as tables, and as laws that hold for whatever two sides may have been through.

A side of a field is written "seen>now": a>b was a and is b; - is no value; ? was never seen, or is not shown now.
Side 0 is crm, 1 is erp.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.worker.config.rules import SIDES, FieldRule, Side, other
from tidegate.worker.merge.three_way import (
    Create,
    Decision,
    Delete,
    Forget,
    Keep,
    Parked,
    Patch,
    Policy,
    Presence,
    State,
    merge,
)

BLANK = b"-"
FIELD = FieldRule(("name", "name"))
TO_CRM = FieldRule(("name", "name"), to=(True, False))
TO_ERP = FieldRule(("name", "name"), to=(False, True))
PARK, CRM_WINS, ERP_WINS, NEWEST = (Policy(conflict, "propagate") for conflict in ("park", 0, 1, "newest"))

AGREED, TO_CRM_IT_GOES, TO_ERP_IT_GOES = Patch(), Patch(to=((0,), ())), Patch(to=((), (0,)))
PARKED = Patch(parked=(0,), conflicts=(0,))
CONFLICT_TO_CRM = Patch(to=((0,), ()), conflicts=(0,))
CONFLICT_TO_ERP = Patch(to=((), (0,)), conflicts=(0,))


def side(*cells: str, presence: Presence = Presence.PRESENT) -> State:
    seen = tuple(None if cell[0] == "?" else cell[0].encode() for cell in cells)
    now = tuple(None if cell[-1] == "?" else cell[-1].encode() for cell in cells)
    return State(presence, seen, now, _comparable(now))


def _comparable(now: tuple[bytes | None, ...]) -> tuple[bytes, ...]:
    return tuple(value or b"?" for value in now)


ABSENT, GONE = State(Presence.NEVER), State(Presence.GONE)


TWO_WAY: list[tuple[str, str, str, Policy, Patch]] = [
    ("nothing has changed", "a>a", "a>a", PARK, AGREED),
    ("what differs and was accepted stays", "a>a", "b>b", PARK, AGREED),
    ("an edit of crm goes to erp", "a>b", "a>a", PARK, TO_ERP_IT_GOES),
    ("an edit of erp goes to crm", "a>a", "a>b", PARK, TO_CRM_IT_GOES),
    ("an edit goes over what was accepted", "a>c", "b>b", PARK, TO_ERP_IT_GOES),
    ("a value that is taken away is an edit", "a>-", "a>a", PARK, TO_ERP_IT_GOES),
    ("the same edit on both sides is agreement", "a>b", "a>b", PARK, AGREED),
    ("an edit to what the other side has is agreement", "a>b", "b>b", PARK, AGREED),
    ("two edits are parked", "a>b", "a>c", PARK, PARKED),
    ("two edits: crm wins", "a>b", "a>c", CRM_WINS, CONFLICT_TO_ERP),
    ("two edits: erp wins", "a>b", "a>c", ERP_WINS, CONFLICT_TO_CRM),
    ("an edit against a value taken away is a conflict too", "a>-", "a>c", CRM_WINS, CONFLICT_TO_ERP),
    ("what crm does not show overwrites nothing", "a>?", "a>a", CRM_WINS, AGREED),
    ("what crm has never shown overwrites nothing", "?>?", "?>a", ERP_WINS, Patch(hidden=(0,))),
    ("what neither side shows is let be", "a>?", "?>?", PARK, AGREED),
    ("a blank does not ask for what is not shown", "?>?", "?>-", PARK, AGREED),
    ("an edit overwrites nothing that is not shown", "a>?", "a>b", ERP_WINS, Patch(hidden=(0,))),
    ("first pairing, the same", "?>a", "?>a", PARK, AGREED),
    ("first pairing, blank in crm", "?>-", "?>b", CRM_WINS, TO_CRM_IT_GOES),
    ("first pairing, blank in erp", "?>a", "?>-", ERP_WINS, TO_ERP_IT_GOES),
    ("first pairing, different, is parked", "?>a", "?>b", PARK, PARKED),
    ("first pairing, different: crm wins", "?>a", "?>b", CRM_WINS, CONFLICT_TO_ERP),
    ("first pairing with a record that is known", "a>a", "?>b", PARK, PARKED),
    ("first pairing with a record that is known, blank", "a>-", "?>b", PARK, TO_CRM_IT_GOES),
]

ONE_WAY: list[tuple[str, FieldRule, str, str, Patch]] = [
    ("an edit goes the way of the field", TO_ERP, "a>b", "a>a", TO_ERP_IT_GOES),
    ("an edit against the way stays where it is", TO_ERP, "a>a", "a>b", AGREED),
    ("an edit goes over one against the way", TO_ERP, "a>b", "a>c", TO_ERP_IT_GOES),
    ("first pairing goes the way of the field", TO_CRM, "?>a", "?>b", TO_CRM_IT_GOES),
    ("first pairing with blank leaves what is there", TO_CRM, "?>a", "?>-", AGREED),
]

DECIDED_FOR_CRM: list[tuple[str, str, str, Policy, Patch]] = [
    ("what waits goes to erp", "b>b", "c>c", PARK, TO_ERP_IT_GOES),
    ("it goes before the policy", "b>b", "c>c", ERP_WINS, TO_ERP_IT_GOES),
    ("an edit since of crm arrives", "b>d", "c>c", PARK, TO_ERP_IT_GOES),
    ("an edit since of erp is a conflict", "b>b", "c>d", PARK, PARKED),
    ("an edit since of erp is a conflict, which the policy decides", "b>b", "c>d", ERP_WINS, CONFLICT_TO_CRM),
    ("edits since of both are a conflict", "b>d", "c>e", PARK, PARKED),
    ("both are the same by now", "b>c", "c>c", PARK, AGREED),
    ("what is not shown is not overwritten", "b>b", "c>?", PARK, AGREED),
    ("what was never seen is another value", "?>a", "?>b", PARK, PARKED),
]


class TestBothSidesHaveTheRecord:
    @pytest.mark.parametrize(
        ("crm", "erp", "policy", "expected"), [row[1:] for row in TWO_WAY], ids=[r[0] for r in TWO_WAY]
    )
    def test_a_field_with_both_directions(self, crm: str, erp: str, policy: Policy, expected: Patch) -> None:
        assert merge((side(crm), side(erp)), [FIELD], policy, BLANK) == expected

    @pytest.mark.parametrize(
        ("rule", "crm", "erp", "expected"), [row[1:] for row in ONE_WAY], ids=[r[0] for r in ONE_WAY]
    )
    def test_a_field_with_one_direction(self, rule: FieldRule, crm: str, erp: str, expected: Patch) -> None:
        assert merge((side(crm), side(erp)), [rule], PARK, BLANK) == expected

    @pytest.mark.parametrize(("newer", "expected"), [(0, CONFLICT_TO_ERP), (1, CONFLICT_TO_CRM), (None, PARKED)])
    def test_newest_lets_the_later_edit_win_and_parks_an_undecidable_one(
        self, newer: Side | None, expected: Patch
    ) -> None:
        assert merge((side("a>b"), side("a>c")), [FIELD], NEWEST, BLANK, newer) == expected

    @pytest.mark.parametrize(
        ("policy", "expected"), [(PARK, AGREED), (CRM_WINS, CONFLICT_TO_ERP), (ERP_WINS, CONFLICT_TO_CRM)]
    )
    def test_a_parked_field_is_settled_by_a_policy_with_a_winner(self, policy: Policy, expected: Patch) -> None:
        assert merge((side("b>b"), side("c>c")), [FIELD], policy, BLANK, parked=Parked({0}, {0})) == expected

    def test_an_edit_of_a_parked_field_settles_it_under_any_policy(self) -> None:
        assert merge((side("b>d"), side("c>c")), [FIELD], ERP_WINS, BLANK, parked=Parked({0}, {0})) == TO_ERP_IT_GOES

    @pytest.mark.parametrize(
        ("crm", "erp", "policy", "expected"), [row[1:] for row in DECIDED_FOR_CRM], ids=[r[0] for r in DECIDED_FOR_CRM]
    )
    def test_a_decision_for_crm(self, crm: str, erp: str, policy: Policy, expected: Patch) -> None:
        decided = Parked({0}, {0}, {0: 0})
        assert merge((side(crm), side(erp)), [FIELD], policy, BLANK, parked=decided) == expected

    def test_a_decision_does_not_go_against_the_way_of_a_field(self) -> None:
        decided = Parked({0}, {0}, {0: 0})
        assert merge((side("b>b"), side("c>c")), [TO_CRM], PARK, BLANK, parked=decided) == AGREED

    def test_fields_are_decided_separately(self) -> None:
        rules = [FieldRule((name, name)) for name in ("email", "name", "phone", "city")]
        crm, erp = side("a>b", "a>a", "a>b", "a>a"), side("a>a", "a>b", "a>c", "b>b")
        assert merge((crm, erp), rules, PARK, BLANK) == Patch(to=((1,), (0,)), parked=(2,), conflicts=(2,))

    def test_a_field_is_equal_when_its_compared_form_is_equal(self) -> None:
        """As a reference does, to records that are linked."""
        crm, erp = side("?>5")._replace(compared=(b"9",)), side("?>9")
        assert merge((crm, erp), [FIELD], PARK, BLANK) == AGREED


def test_a_record_with_a_parked_field_was_edited_and_beats_a_delete() -> None:
    assert merge((side("b>b"), GONE), [FIELD], PARK, BLANK, parked=Parked({0}, {0})) == Create(1)
    assert merge((GONE, side("b>b")), [FIELD], PARK, BLANK, parked=Parked({0}, {0})) == Create(0)


BOTH_WAYS = (True, True)
ONE_SIDED: list[tuple[str, State, State, Policy, Decision]] = [
    ("neither has it", GONE, ABSENT, PARK, Forget()),
    ("a new record is made on the other side", side("?>a"), ABSENT, PARK, Create(1)),
    ("a new record is made whatever was deleted there", side("?>a"), GONE, PARK, Create(1)),
    (
        "a new record stays alone where none may be made",
        side("?>a"),
        ABSENT,
        replace(PARK, creates_on=(True, False), deletes_on=(True, False)),
        Keep(withheld=("create", 1)),
    ),
    (
        "an edit of what stands alone makes none either where none may be made",
        side("a>b"),
        GONE,
        replace(PARK, creates_on=(True, False)),
        Keep(withheld=("create", 1)),
    ),
    ("what is known and stands alone stays alone", side("a>a"), ABSENT, PARK, Keep()),
    ("an edit of what stands alone makes the other", side("a>b"), ABSENT, PARK, Create(1)),
    ("a delete is propagated", side("a>a"), GONE, PARK, Delete(0)),
    ("a delete only unlinks", side("a>a"), GONE, replace(PARK, deletes="unlink"), Keep()),
    ("an edit beats a delete", side("a>b"), GONE, PARK, Create(1)),
    (
        "a delete does not go where records do not",
        side("a>a"),
        GONE,
        replace(PARK, creates_on=(False, True), deletes_on=(False, True)),
        Keep(withheld=("delete", 0)),
    ),
]


class TestOneSideHasTheRecord:
    @pytest.mark.parametrize(
        ("here", "there", "policy", "expected"), [r[1:] for r in ONE_SIDED], ids=[r[0] for r in ONE_SIDED]
    )
    def test_crm_alone_has_the_record(self, here: State, there: State, policy: Policy, expected: Decision) -> None:
        assert merge((here, there), [FIELD], policy, BLANK) == expected

    def test_an_edit_against_the_field_s_direction_does_not_beat_a_delete(self) -> None:
        assert merge((side("a>b"), GONE), [TO_CRM], PARK, BLANK) == Delete(0)

    def test_a_record_that_was_never_seen_whole_is_recreated_and_not_deleted(self) -> None:
        partly_seen = side("a>a", "?>b")
        assert merge((partly_seen, GONE), [FIELD, FIELD], PARK, BLANK) == Create(1)
        assert merge((partly_seen, GONE), [FIELD, FIELD], replace(PARK, deletes="unlink"), BLANK) == Keep()

    def test_a_new_field_does_not_recreate_a_record_without_a_counterpart(self) -> None:
        assert merge((side("a>a", "?>b"), ABSENT), [FIELD, FIELD], PARK, BLANK) == Keep()


cells = st.builds(lambda seen, now: f"{seen}>{now}", st.sampled_from("?ab-"), st.sampled_from("abc-"))
directions = st.sampled_from([(True, True), (True, False), (False, True)])
presences = st.sampled_from([Presence.PRESENT, Presence.PRESENT, Presence.GONE, Presence.NEVER])
policies = st.builds(
    Policy, st.sampled_from([0, 1, "newest", "park"]), st.sampled_from(["unlink", "propagate"]), directions
)


@dataclass(frozen=True)
class Situation:
    """One record in any condition on two sides, and the policy that it meets."""

    states: tuple[State, State]
    rules: list[FieldRule]
    policy: Policy
    newer: Side | None
    decided: dict[int, Side]

    def merge(self) -> Decision:
        parked = Parked(decided=self.decided)
        return merge(self.states, self.rules, self.policy, BLANK, self.newer, parked)

    def patch(self) -> Patch:
        decision = self.merge()
        assert isinstance(decision, Patch)
        return decision

    def first_pairing(self, field: int) -> bool:
        return None in (self.states[0].seen[field], self.states[1].seen[field])

    def edited(self, side_: Side, field: int) -> bool:
        state = self.states[side_]
        return state.seen[field] not in (None, state.now[field])

    def turned(self) -> "Situation":
        """The same with the sides' numbers exchanged."""
        conflict = self.policy.conflict
        if conflict in SIDES:
            conflict = other(conflict)
        return Situation(
            self.states[::-1],
            [replace(rule, to=rule.to[::-1]) for rule in self.rules],
            replace(
                self.policy,
                conflict=conflict,
                creates_on=self.policy.creates_on[::-1],
                updates_on=self.policy.updates_on[::-1],
                deletes_on=self.policy.deletes_on[::-1],
            ),
            None if self.newer is None else other(self.newer),
            {i: other(taken) for i, taken in self.decided.items()},
        )

    def after(self, patch: Patch) -> "Situation":
        """When the patch has been carried out, and both sides have been seen as they are."""
        states = []
        for s in SIDES:
            across = self.states[other(s)].now
            now = tuple(across[i] if i in patch.to[s] else value for i, value in enumerate(self.states[s].now))
            states.append(State(Presence.PRESENT, now, now, _comparable(now)))
        return replace(self, states=(states[0], states[1]), decided={})


@st.composite
def situations(draw: st.DrawFn, *, both: bool = False) -> Situation:
    rules = [FieldRule(("f", "f"), to) for to in draw(st.lists(directions, min_size=1, max_size=4))]
    states = []
    for _ in SIDES:
        presence = Presence.PRESENT if both else draw(presences)
        fields = draw(st.tuples(*[cells] * len(rules)))
        states.append(side(*fields) if presence is Presence.PRESENT else State(presence))
    decided = draw(st.dictionaries(st.integers(0, len(rules) - 1), st.sampled_from(SIDES)))
    return Situation((states[0], states[1]), rules, draw(policies), draw(st.sampled_from([None, 0, 1])), decided)


law = settings(max_examples=200)


class TestLaws:
    @law
    @given(situations(both=True))
    def test_agreement_writes_nothing(self, situation: Situation) -> None:
        crm, erp = situation.states
        assert (
            replace(situation, states=(crm, erp._replace(now=crm.now, compared=_comparable(crm.now)))).patch()
            == Patch()
        )

    @law
    @given(situations())
    def test_no_side_is_preferred_except_by_the_policy(self, situation: Situation) -> None:
        decision, turned = situation.merge(), situation.turned().merge()
        if isinstance(decision, Patch):
            withheld = tuple(sorted(map(other, decision.withheld)))
            assert turned == replace(decision, to=decision.to[::-1], withheld=withheld)
        elif isinstance(decision, Create | Delete):
            assert turned == type(decision)(other(decision.on))
        elif isinstance(decision, Keep) and decision.withheld is not None:
            operation, on = decision.withheld
            assert turned == Keep(withheld=(operation, other(on)))
        else:
            assert turned == decision

    @law
    @given(situations(both=True), st.sampled_from(SIDES))
    def test_an_edit_that_may_not_be_written_is_withheld_and_no_other_is(self, situation: Situation, on: Side) -> None:
        allowed = replace(situation, policy=replace(situation.policy, updates_on=(True, True)), decided={})
        forbidden = (on == 1, on == 0)
        denied = replace(allowed, policy=replace(allowed.policy, updates_on=forbidden))
        assert allowed.patch().withheld == ()
        stays = {i for i in allowed.patch().to[on] if i not in denied.patch().to[other(on)]}
        assert {*denied.patch().withheld} <= {on}
        if stays - {*allowed.patch().conflicts}:
            assert denied.patch().withheld == (on,)

    @law
    @given(situations(both=True))
    def test_no_edit_is_lost_without_a_conflict(self, situation: Situation) -> None:
        patch = situation.patch()
        for s in SIDES:
            lost = {i for i in patch.to[s] if situation.edited(s, i) and situation.rules[i].to == BOTH_WAYS}
            blanks = {i for i in lost if situation.first_pairing(i) and situation.states[s].now[i] == BLANK}
            assert lost - blanks <= set(patch.conflicts)

    @law
    @given(situations(both=True))
    def test_every_edit_is_pushed_unless_it_is_in_conflict(self, situation: Situation) -> None:
        patch = situation.patch()
        after = situation.after(patch)
        for s in SIDES:
            for i, rule in enumerate(situation.rules):
                settled = i not in patch.conflicts and not situation.first_pairing(i)
                if settled and situation.edited(s, i) and rule.to[other(s)]:
                    assert after.states[other(s)].now[i] == situation.states[s].now[i]

    @law
    @given(situations(both=True))
    def test_at_the_first_pairing_a_blank_never_overwrites_a_value(self, situation: Situation) -> None:
        patch = situation.patch()
        for s in SIDES:
            for i in filter(situation.first_pairing, patch.to[s]):
                assert situation.states[other(s)].now[i] != BLANK

    @law
    @given(situations(both=True))
    def test_nothing_is_written_against_a_field_s_direction(self, situation: Situation) -> None:
        patch = situation.patch()
        assert all(situation.rules[i].to[s] for s in SIDES for i in patch.to[s])

    @law
    @given(situations(both=True))
    def test_a_conflict_is_resolved_one_way_or_parked(self, situation: Situation) -> None:
        patch = situation.patch()
        goes = [*patch.to[0], *patch.to[1], *patch.parked]
        assert len(goes) == len(set(goes))
        assert set(patch.parked) <= set(patch.conflicts) <= set(goes)

    @law
    @given(situations(both=True))
    def test_merging_again_changes_nothing(self, situation: Situation) -> None:
        assert situation.after(situation.patch()).patch() == Patch()

    @law
    @given(situations())
    def test_only_a_record_without_changes_is_deleted(self, situation: Situation) -> None:
        decision = situation.merge()
        if isinstance(decision, Delete):
            here, there = situation.states[decision.on], situation.states[other(decision.on)]
            assert (situation.policy.deletes, there.presence) == ("propagate", Presence.GONE)
            flowing = [i for i, rule in enumerate(situation.rules) if rule.to[other(decision.on)]]
            assert all(here.seen[i] == here.now[i] for i in flowing)
