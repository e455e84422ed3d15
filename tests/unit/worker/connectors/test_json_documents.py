"""JSON texts: no value depends on what stands beside it, and none can cost more than it is long."""

import json
import re
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.connectors.json_documents import dump, has, parse, parse_all, part_of, put, unusable, value_at

NUMBERS = st.one_of(
    st.integers(-(10**25), 10**25).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
)
BESIDE = st.sampled_from(['"12345678901234567890"', "12345678901234567890", "0.12345678901234567890", "1", '"x"'])


@given(NUMBERS, BESIDE)
def test_a_number_is_parsed_the_same_in_any_context(number: str, beside: str) -> None:
    alone, among = parse(number.encode()), parse(f"[{number}, {beside}]".encode())[0]
    assert (type(alone), alone) == (type(among), among)
    assert Decimal(str(alone)) == Decimal(number), "no digit is lost"


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "half of an emoji": (b'"cut \\ud83d"', "half of a character"),
    "a name with half of an emoji": (b'{"\\udc00": 1}', "half of a character"),
    "a gigabyte of digits": (b"1e999999999", "a number of more than 1000 digits"),
    "long digits": (b"1" * 5000, "a number of more than 1000 digits"),
    "NaN": (b"NaN", "is NaN, which is not a number"),
    "minus infinity": (b'{"x": -Infinity}', "is -Infinity, which is not a number"),
    "a deep list": (b"[" * 300 + b"]" * 300, "nests more than 100 levels deep"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_an_unusable_value_gives_a_reason_and_affects_no_other_value(what: str) -> None:
    text, problem = UNUSABLE[what]
    value, other = parse_all(b"[" + text + b', {"name": "Ada", "score": 1.5}]')
    assert problem in unusable(value)
    assert unusable(other) == ""


@pytest.mark.parametrize("text", [b"[1", b"{]", b"\xff", b"[" * 100_000 + b"]" * 100_000, b"<html>"])
def test_a_text_that_is_not_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_all(text)


def nested(depth: int) -> Any:
    return json.loads("[" * depth + "]" * depth)


@pytest.mark.parametrize("depth", [300, 900])
def test_a_document_that_nests_too_deeply_is_a_value_error(depth: int) -> None:
    with pytest.raises(ValueError, match="JSON cannot hold it"):
        dump(nested(depth))


DOCUMENT = {"phones": ["1", "2"], "mails": [{"value": "a@x", "type": "work"}], "none": [], "name": "A", "a.b": 1}


@pytest.mark.parametrize(
    ("name", "value", "is_there"),
    [
        ("phones.0", "1", True),
        ("phones.2", None, True),
        ("mails.0.value", "a@x", True),
        ("mails.0.other", None, False),
        ("mails.1.value", None, True),
        ("none.0", None, True),
        ("name.0", None, False),
        ("phones.first", None, False),
        ("phones.-1", None, False),
        ("absent.0", None, False),
        ("a.b", 1, True),
    ],
)
def test_an_element_of_a_list_is_named_by_its_index(name: str, value: Any, is_there: bool) -> None:
    assert (value_at(DOCUMENT, name), has(DOCUMENT, name)) == (value, is_there)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("phones.1", "9", {"phones": ["1", "9"]}),
        ("phones.2", "9", {"phones": ["1", "2", "9"]}),
        ("phones.2", None, {"phones": ["1", "2"]}),
        ("mails.0.value", "b@x", {"mails": [{"value": "b@x", "type": "work"}]}),
        ("mails.1.value", "b@x", {"mails": [{"value": "a@x", "type": "work"}, {"value": "b@x"}]}),
        ("none.0.deep.0", 1, {"none": [{"deep": [1]}]}),
        ("new.0.value", 1, {"new": [{"value": 1}]}),
    ],
)
def test_writing_an_element_keeps_the_others(name: str, value: Any, expected: dict[str, Any]) -> None:
    document = deepcopy(DOCUMENT)
    put(document, name, value)
    assert document == DOCUMENT | expected
    assert part_of(document, [name]) == expected, "of a list a merge patch has all, since it replaces lists"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("phones.5", "phones.5 cannot be written: its list has 2 elements"),
        ("name.0", "name.0 cannot be written: name holds a text, which has no 0"),
        ("phones.first", "phones.first cannot be written: phones holds a list, which has no first"),
        ("phones.0.value", "phones.0.value cannot be written: 0 holds a text, which has no value"),
    ],
)
def test_a_value_without_room_for_an_element_is_left_unchanged(name: str, said: str) -> None:
    document = deepcopy(DOCUMENT)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        put(document, name, "9")
    assert document == DOCUMENT
