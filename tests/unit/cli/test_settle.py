"""What `decide` makes of what the logs name, and what it writes beside what others have decided."""

import json
from typing import Any

import pytest

from tidegate.api.decisions import Decision, digest_of, format_decisions, parse
from tidegate.cli.decisions.settle import Asked, Decide, Waiting, decisions_about, refuse_unknown_side
from tidegate.cli.errors import RefusedError

from .situations import AT, integration, off, waiting

PHONE, NAME = Waiting("contact", "crm", "7", "phone"), Waiting("contact", "crm", "7", "name/full_name")
OTHER, COMPANY = Waiting("contact", "crm", "a-9", "phone"), Waiting("company", "crm", "7", "city")
WHOLE = Waiting("contact", "billing", "8", "")
NAMED = [PHONE, NAME, OTHER, WHOLE]


def decision(id_: Any, field: str = "*", **more: Any) -> dict[str, Any]:
    return {"object": "contact", "id": id_, "connector": "crm", "field": field, "take": "crm", "at": AT, **more}


EVERYTHING = {name: value for name, value in decision("*").items() if name != "connector"}


@pytest.mark.parametrize(
    ("asked", "named", "whole", "expected"),
    [
        (Asked("crm", ["7"], field="phone"), NAMED, True, [decision([7], "phone")]),
        (Asked("crm", ["7"], field="full_name"), NAMED, True, [decision([7], "full_name")]),
        (Asked("crm", ["7", "a-9"]), NAMED, True, [decision([7, "a-9"])]),
        (Asked("crm"), NAMED, True, [EVERYTHING]),
        (Asked("crm"), [PHONE, COMPANY], True, [EVERYTHING, {**EVERYTHING, "object": "company"}]),
        (Asked("crm", ["7"], "company"), [PHONE, COMPANY], True, [decision([7], object="company")]),
        (Asked("crm", ["5"], "contact", "billing"), [], False, [decision([5], connector="billing")]),
        (Asked("crm", object="contact"), [], False, [EVERYTHING]),
    ],
    ids=[
        "a field", "a field by one side's name", "two records", "all", "all of several objects", "of one object",
        "what the logs do not name", "all of an object that the logs do not name",
    ],
)  # fmt: skip
def test_it_is_about_what_waits(asked: Asked, named: list[Waiting], whole: bool, expected: list[Any]) -> None:
    assert json.loads(format_decisions(decisions_about(asked, named, AT, whole=whole))) == expected


@pytest.mark.parametrize(
    ("asked", "named", "whole", "words"),
    [
        (Asked("crm", ["6"]), NAMED, True, "no field of record 6 that these options select waits for a decision$"),
        (Asked("crm", ["7"], field="fax"), NAMED, True, "no field of record 7 that these options select waits"),
        (Asked("crm", ["7"], connector="billing"), NAMED, True, "no field of record 7 that these options select waits"),
        (Asked("crm", ["6"]), NAMED, False, "to decide it anyway, give --object and --connector$"),
        (Asked("crm", ["7"]), [PHONE, COMPANY], True, "several records 7 wait, contact of crm, company of crm"),
        (Asked("crm", ["8"]), NAMED, True, "contact 8 of billing waits .* which only an edit of it settles"),
        (Asked("crm"), [WHOLE], True, "contact 8 of billing waits as a whole record"),
        (Asked("crm"), [], True, "nothing that these options select waits for a decision"),
        (Asked("crm"), [], False, "say which object with --object"),
    ],
)  # fmt: skip
def test_what_would_settle_nothing_is_refused(asked: Asked, named: list[Waiting], whole: bool, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        decisions_about(asked, named, AT, whole=whole)


SYNC: dict[str, Any] = {"connectors": {"crm": {}, "billing": {}}}


def test_only_a_connector_or_the_newest_can_be_taken() -> None:
    for take in ("crm", "billing", "newest"):
        refuse_unknown_side(integration(sync=SYNC), take)
    with pytest.raises(RefusedError, match=r"^hr cannot be taken, only crm, billing, newest$"):
        refuse_unknown_side(integration(sync=SYNC), "hr")


ONE = Decision.model_validate(decision([7], "phone"))
BEFORE = format_decisions(parse(json.dumps([decision(9)])))


@pytest.mark.parametrize(
    ("annotation", "handled", "expected", "note"),
    [
        (None, None, [ONE], ""),
        (BEFORE, None, [*parse(BEFORE), ONE], "; earlier decisions that no run has carried out stay"),
        (BEFORE, digest_of(BEFORE), [ONE], ""),
        ("yes", None, [ONE], "; replaced the decisions that stood in the annotation and were refused: it is not JSON"),
    ],
    ids=["the first", "beside what waits", "in place of what is handled", "in place of what was refused"],
)
def test_decisions_that_no_run_has_carried_out_stay(
    annotation: str | None, handled: str | None, expected: list[Decision], note: str
) -> None:
    annotations = {"tidegate.dev/decisions": annotation} if annotation else {}
    seen = integration(status=waiting(handled={"decisions": handled}), annotations=annotations)
    change = Decide(AT, (ONE,)).change(seen)
    assert change.annotations["tidegate.dev/sync-requested-at"] == AT
    assert list(parse(change.annotations["tidegate.dev/decisions"] or "")) == expected
    assert change.sentence == f"decided: the next run that pushes carries it out{note}"


def test_while_off_no_run_is_asked_for() -> None:
    change = Decide(AT, (ONE,)).change(integration(switch="OFF", status=off()))
    assert list(change.annotations) == ["tidegate.dev/decisions"]
    assert change.sentence == "decided: the first run that pushes after the next ON carries it out"


def test_five_thousand_records_fit_and_more_than_a_run_can_be_given_is_refused() -> None:
    def change(count: int) -> None:
        Decide(AT, (Decision.model_validate(decision([*range(1_000_000, 1_000_000 + count)])),)).change(integration())

    change(5_000)
    with pytest.raises(RefusedError, match="decide in several steps"):
        change(50_000)


def test_a_worker_of_one_s_own_carries_none_out() -> None:
    template = {"spec": {"containers": [{"name": "sync", "image": "mine"}]}}
    with pytest.raises(RefusedError, match="only the built-in worker carries out decisions"):
        Decide(AT, (ONE,)).change(integration(template=template))
