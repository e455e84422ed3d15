"""No value of any record leaves the Pod of a plan but sealed: neither in its log nor in its termination message."""

import base64
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.public import PrivateKey, SealedBox

from tidegate.api.contract import ExitCode

from .databases import SIDES, Databases, Ended

ASKED_BY = PrivateKey.generate()
KEY = base64.b64encode(bytes(ASKED_BY.public_key)).decode()

# Of letters that no name, id or word of the worker has, so that what is found is a value.
_VALUES = st.text("ΑΒΓΔΕΖΗΘ", min_size=3, max_size=8)
_CONTACTS = st.lists(st.tuples(_VALUES, _VALUES, _VALUES | st.none()), max_size=5)
_LETTERS = set("ΑΒΓΔΕΖΗΘαβγδεζηθ")


def planned(databases: Databases, config: Any, key: str = "") -> Ended:
    environment = {"SYNC_PLAN": "true", "SYNC_PLAN_KEY": key}
    return databases.run(config=config, push=False, environment=environment)


def sealed(ended: Ended) -> list[Any]:
    boxes = [base64.b64decode(line["data"]) for line in ended.lines if line["type"] == "sealed"]
    lines = b"".join(map(SealedBox(ASKED_BY).decrypt, boxes)).decode().split("\n")
    return [json.loads(line) for line in lines if line]


def last(ended: Ended) -> Any:
    """The line with the whole plan."""
    return next(line for line in ended.lines if line["type"] == "plan")


def said(ended: Ended) -> str:
    return json.dumps([ended.message, ended.lines], ensure_ascii=False)


@settings(max_examples=settings().max_examples // 4)
@given(
    before=_CONTACTS, crm=_CONTACTS, erp=_CONTACTS, edits=st.lists(st.tuples(st.sampled_from(SIDES), _VALUES)),
    conflict=st.sampled_from(["crm", "park"]), deletes=st.sampled_from(["unlink", "propagate"]),
)  # fmt: skip
def test_values_are_in_the_sealed_boxes_and_nowhere_else(
    directory_in_memory: Path,
    before: list[tuple[str, ...]],
    crm: list[tuple[str, ...]],
    erp: list[tuple[str, ...]],
    edits: list[tuple[str, str]],
    conflict: str,
    deletes: str,
) -> None:
    with TemporaryDirectory(dir=directory_in_memory) as directory:
        databases = Databases(Path(directory))
        config = databases.config(conflict=conflict, deletes=deletes)
        databases.add("crm", *before)
        databases.run(config=config)
        for side, contacts in (("crm", crm), ("erp", erp)):
            databases.add(side, *contacts)
        for (email, *_), (side, name) in zip(before, edits, strict=False):
            databases.edit(side, email, name=name)
        databases.delete("crm", *(email for email, *_ in before[3:]))
        found = planned(databases, config, KEY)
        assert found.code == ExitCode.COMPLETE
        assert set(said(found)).isdisjoint(_LETTERS)
        unsealed = planned(databases, config)
        assert set(said(unsealed)).isdisjoint(_LETTERS)
        named = [line for line in unsealed.lines if line["type"] in ("planned", "waiting")]
        assert [_named(detail) for detail in sealed(found)] == named
        assert last(found) == last(unsealed)
        assert last(found)["lines"] == len(named)


def _named(detail: dict[str, Any]) -> dict[str, Any]:
    """A detail as it is without its values."""
    names = {key: value for key, value in detail.items() if key not in ("match", "held")}
    return {**names, "fields": list(names["fields"])} if "fields" in names else names


def test_the_values_of_both_sides_are_in_the_boxes(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"))
    databases.add("erp", ("a@x", "Eve"), ("b@x", "Bob"))
    details = sealed(planned(databases, databases.config(conflict="park"), KEY))
    held = [(each["type"], each.get("fields") or each.get("held")) for each in details]
    assert held == [
        ("planned", {"email": [None, "b@x"], "name": [None, "Bob"]}),
        ("waiting", {"crm": "Ada", "erp": "Eve"}),
    ]


def test_a_key_that_does_not_fit_ends_the_plan_before_anything_is_read(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"))
    found = planned(databases, databases.config(), "not a key")
    assert found.code == ExitCode.CONFIGURATION_ERROR
    assert found.message["reason"].startswith("SYNC_PLAN_KEY must be the base64 of an X25519 public key")
    assert "Ada" not in said(found)
    assert [line["type"] for line in found.lines] == ["end"]
