"""The annotation with decisions: what it may say, and in which words it is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.decisions import Decision, Single, format_decisions, parse, singles

ONE = {"object": "contact", "id": 42, "connector": "crm", "field": "phone", "take": "erp"}
FEW = {name: value for name, value in ONE.items() if name != "connector"}


def test_several_ids_are_as_many_decisions() -> None:
    decisions = parse(json.dumps([ONE, {**ONE, "id": [7, "a-8"], "at": "now"}]))
    assert list(singles(decisions)) == [
        Single("contact", 42, "crm", "phone", "erp", None),
        Single("contact", 7, "crm", "phone", "erp", "now"),
        Single("contact", "a-8", "crm", "phone", "erp", "now"),
    ]


def test_all_records_belong_to_no_connector() -> None:
    (decision,) = parse(json.dumps([{**FEW, "id": "*"}]))
    assert (decision.id, decision.connector) == ("*", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is not JSON"),
        ("yes", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("{}", "it is not a list of decisions"),
        ('"x"', "it is not a list of decisions"),
        ("[1]", "entry 1 is not an object with object, id, connector, field and take"),
        (json.dumps([ONE, FEW]), "entry 2 has an id, and no connector whose id it is"),
        (
            json.dumps([{**ONE, "feild": "x"}]),
            "entry 1 has a member other than object, id, connector, field, take and at",
        ),
        (json.dumps([{k: v for k, v in ONE.items() if k != "field"}]), "entry 1 has no field"),
        (json.dumps([{**ONE, "id": True}]), "entry 1 has a value of id that does not fit"),
        (json.dumps([{**ONE, "id": []}]), "entry 1 has a value of id that does not fit"),
        (json.dumps([{**ONE, "id": 1.5}]), "entry 1 has a value of id that does not fit"),
        (json.dumps([{**ONE, "take": ""}]), "entry 1 has a value of take that does not fit"),
    ],
)
def test_an_invalid_annotation_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        parse(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_whatever_is_not_a_list_of_decisions_is_refused(value: Any) -> None:
    if value != []:
        with pytest.raises(ValueError, match=r"entry|it is not"):
            parse(json.dumps(value))


def test_what_is_written_is_read() -> None:
    decisions = (Decision(object="a", id=(1, "ö"), connector="crm", field="*", take="newest", at="now"),)
    assert parse(format_decisions(decisions)) == decisions


def test_a_decision_is_identified_by_all_its_members() -> None:
    one = Single("contact", 42, "crm", "phone", "erp", None)
    others = [one._replace(id="42"), one._replace(take="crm"), one._replace(field="*"), one._replace(at="now")]
    assert len({each.identity for each in (one, *others)}) == 5
