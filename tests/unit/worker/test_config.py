"""`spec.sync`: what may be written, and that every complaint says where, what, and what was expected."""

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.config.parse import parse
from tidegate.worker.config.rules import FieldRule, Sync
from tidegate.worker.errors import ConfigurationError

CONFIG: dict[str, Any] = {
    "connectors": {
        "crm": {"type": "sql", "url": "sqlite:////crm.db"},
        "erp": {"type": "sql", "url": {"env": "ERP_URL"}},
    },
    "objects": [
        {
            "name": "contact",
            "crm": {"table": "contact", "id": "id"},
            "erp": {"table": "person", "id": "nr", "cursor": "version"},
            "match": ["email"],
            "fields": [{"crm": "email", "erp": "mail", "match": "casefold"}, {"crm": "phone", "erp": "phone"}],
        }
    ],
}


class Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The configuration with another value at a place such as `objects/0/match`."""
    config = copy.deepcopy(CONFIG)
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    place: Any = config
    for part in way:
        place = place[part]
    if value is MISSING:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return config


def parsed(config: Any) -> Sync:
    return parse(json.dumps(config).encode())


def complaints(config: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parsed(config)
    return caught.value.complaints


CONTACT = "object contact"
EMAIL = f"{CONTACT}, field email/mail"
URL = "write a text, or {env: NAME} for one that is in an environment variable"
DURATION = "is not a duration: write it like 30s, 5m or 1h30m"

COMPLAINTS: list[tuple[str, Any, str]] = [
    ("connectors", MISSING, "connectors is missing"),
    ("connectors", {"crm": {}}, "exactly two connectors are required, found 1"),
    ("connectors/sap", {"type": "sql"}, "exactly two connectors are required, found 3"),
    ("connectors/crm/type", MISSING, "connector crm: type is missing; known are "),
    ("connectors/crm/type", "fax", "connector crm: type 'fax' is not known; known are "),
    ("connectors/crm/url", MISSING, "connector crm: url is missing"),
    ("connectors/crm/url", 5, f"connector crm: url: {URL}"),
    ("connectors/crm/url", {"secret": "x"}, f"connector crm: url: {URL}"),
    ("connectors/crm/url", {"env": ""}, f"connector crm: url: {URL}"),
    ("connectors/crm/user", "me", "connector crm: user is not known; known are type, url"),
    ("objects", [], "objects must not be empty"),
    ("objects", {}, "objects must be a list, not a mapping"),
    ("objects", [5], "objects 1 must be a mapping, not 5"),
    ("objects/1", CONFIG["objects"][0], "objects: there are two named contact"),
    ("objects/0/name", MISSING, "object 1: name is missing"),
    ("objects/0/name", 5, "object 1: name must be a text, not 5"),
    ("objects/0/crm", MISSING, f"{CONTACT}: crm is missing: where the connector crm has these records"),
    ("objects/0/crm", "contact", f"{CONTACT}, crm must be a mapping, not 'contact'"),
    ("objects/0/crm/tabel", "x", f"{CONTACT}, crm: tabel is not known; known are table, id, cursor"),
    ("objects/0/erp/id", MISSING, f"{CONTACT}, erp: id is missing"),
    ("objects/0/erp/id", [], f"{CONTACT}, erp: id: write a column, or columns that identify a row together, such as "),
    (
        "objects/0/sap",
        {},
        f"{CONTACT}: sap is not known; known are name, match, fields, conflict, deletes, ids, writes, crm, erp",
    ),
    ("objects/0/match", MISSING, f"{CONTACT}: match is missing"),
    ("objects/0/match", "email", f"{CONTACT}: match must be a list, not 'email'"),
    ("objects/0/match", [], f"{CONTACT}: match must name at least one field: it is what pairs records that "),
    ("objects/0/match", ["name"], f"{CONTACT}: match: name is not one of the fields email/mail, phone"),
    ("objects/0/fields", [], f"{CONTACT}: fields must not be empty"),
    ("objects/0/fields/1/erp", MISSING, f"{CONTACT}, field phone: erp must be the name of the field in erp"),
    ("objects/0/fields/1/crm", "", f"{CONTACT}, field phone: crm must be the name of the field in crm"),
    ("objects/0/fields/1", {}, f"{CONTACT}, field 2: crm must be the name of the field in crm"),
    ("objects/0/fields/0/direction", "up", f"{EMAIL}: direction must be to-crm or to-erp, not 'up'"),
    ("objects/0/fields/0/match", "lower", f"{EMAIL}: match must be 'casefold', not 'lower'"),
    ("objects/0/fields/0/sap", "x", f"{EMAIL}: sap is not known; known are direction, match, normalize, ref, "),
    ("objects/0/fields/1/crm", "email", f"{CONTACT}: match: email names more than one of the fields "),
    ("objects/0/fields/2", {"crm": "fax", "erp": "phone"}, f"{CONTACT}: fields: phone of erp would be written by "),
    ("objects/0/fields/1/normalize", ["digits", "lower"], f"{CONTACT}, field phone: normalize 2 must be "),
    ("objects/0/fields/0/normalize", "digits", f"{CONTACT}: match: email/mail may be normalized by casefold, accents "),
    ("objects/0/fields/0/ref", "contact", f"{CONTACT}: match: email/mail may be normalized by casefold, accents "),
    ("objects/0/fields/1/ref", "firm", f"{CONTACT}, field phone: ref must name one of the objects contact, not 'firm'"),
    ("objects/0/conflict", "sap", f"{CONTACT}: conflict must be crm, erp, newest or park, not 'sap'"),
    ("objects/0/conflict", "newest",
     f"{CONTACT}: conflict newest needs a cursor, and crm has none: set it, or choose another policy"),
    ("objects/0/deletes", "copy", f"{CONTACT}: deletes must be 'unlink' or 'propagate', not 'copy'"),
    ("safety", {"maxDeletes": {"percent": 120}}, "safety.maxDeletes.percent must be at most 100, not 120"),
    ("safety", {"maxDeletes": {"min": -1}}, "safety.maxDeletes.min must be at least 0, not -1"),
    ("safety", {"maxDeletes": 5}, "safety.maxDeletes must be a mapping, not 5"),
    (
        "journal", {"maxSize": "1T"},
        "journal.maxSize: '1T' is not a size: write a whole number with Ki, Mi or Gi, such as 256Mi",
    ),
    ("journal", {"key": "s3cret"}, "journal.key: write {env: NAME}: a secret comes from an environment variable"),
    ("journal", {"keep": "7d"}, "journal.keep: '7d' is not a duration: write it like 30s, 5m or 1h30m"),
    ("safety", {"emptySide": "ok"}, "safety.emptySide must be 'halt' or 'allow', not 'ok'"),
    ("pace", {"recordsPerSecond": 0}, "pace.recordsPerSecond must be at least 1, not 0"),
    ("fullScanEvery", "soon", f"fullScanEvery: 'soon' {DURATION}"),
    ("overlap", -5, f"overlap: '-5' {DURATION}"),
    ("mode", "x", "mode is not known; known are connectors, objects, safety, pace, journal, fullScanEvery, overlap"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "complaint"), COMPLAINTS, ids=[f"{path}={value!r}"[:60] for path, value, _ in COMPLAINTS]
)
def test_an_error_names_the_place_the_problem_and_what_was_expected(path: str, value: Any, complaint: str) -> None:
    found = complaints(changed(path, value))
    assert any(each.startswith(complaint) for each in found), found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "the configuration is not JSON"),
        (b"[]", "must be a mapping"),
        (b"{}", "^spec.sync is missing: it is the configuration of the built-in worker$"),
    ],
)
def test_a_file_that_is_no_configuration_is_reported_as_such(text: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        parse(text)


@pytest.mark.parametrize("name", ["park", "newest", "name", "2nd", "a b", ""])
def test_a_connector_cannot_have_a_reserved_name(name: str) -> None:
    config = changed("connectors", {name: CONFIG["connectors"]["crm"], "erp": CONFIG["connectors"]["erp"]})
    assert f"connectors: {name!r} cannot be a connector's name; use letters, digits, - and _" in complaints(config)


def test_all_errors_are_reported_at_once() -> None:
    config = changed("connectors/crm/url", 5)
    config["objects"][0] |= {"deletes": "copy", "conflict": "sap"}
    config["objects"][0]["erp"] = {}
    assert len(complaints(config)) >= 4


def test_a_ref_to_records_of_several_id_columns_says_what_to_write_instead() -> None:
    config = changed("objects/0/erp/id", ["nr", "line"])
    config["objects"][0]["fields"][1]["ref"] = "contact"
    (complaint,) = complaints(config)
    assert complaint == (
        f"{CONTACT}, field phone: ref: a contact is identified by several columns, nr, line of erp; "
        "write a field for each column that refers to it, without ref"
    )


class TestParsedConfiguration:
    def test_the_sides_are_in_the_order_of_the_connectors(self) -> None:
        config = {**CONFIG, "connectors": dict(reversed(CONFIG["connectors"].items()))}
        assert parsed(config) == parsed(CONFIG)
        assert parsed(CONFIG).names == ("crm", "erp")

    def test_defaults_are_the_safe_ones(self) -> None:
        sync = parsed(CONFIG)
        (contact,) = sync.objects
        assert (contact.conflict, contact.deletes) == ("park", "unlink")
        assert (sync.safety.max_deletes.percent, sync.safety.max_deletes.min) == (20, 10)
        assert (sync.safety.empty_side, sync.pace) == ("halt", None)
        assert (sync.full_scan_every, sync.overlap) == (timedelta(hours=24), timedelta(seconds=30))

    @pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("90m", 5400), ("1h30m", 5400), ("250ms", 0.25)])
    def test_durations_are_written_as_kubernetes_does(self, text: str, seconds: float) -> None:
        assert parsed(changed("fullScanEvery", text)).full_scan_every == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        ("direction", "to"), [(None, (True, True)), ("to-crm", (True, False)), ("to-erp", (False, True))]
    )
    def test_records_are_created_and_deleted_on_sides_that_all_match_fields_are_written_to(
        self, direction: str | None, to: tuple[bool, bool]
    ) -> None:
        (contact,) = parsed(changed("objects/0/fields/0/direction", direction)).objects
        assert contact.fields[0] == FieldRule(("email", "mail"), to, normalize=("casefold",))
        assert contact.creates_on == contact.deletes_on == to

    @pytest.mark.parametrize("name", ["email", "mail"])
    def test_a_match_field_may_be_named_by_either_side_s_name(self, name: str) -> None:
        assert parsed(changed("objects/0/match", [name])).objects[0].match == (0,)

    def test_a_field_may_be_normalized_in_more_than_one_way(self) -> None:
        (contact,) = parsed(changed("objects/0/fields/1/normalize", ["trim", "casefold"])).objects
        assert contact.fields[1].normalize == ("trim", "casefold")
        assert parsed(changed("objects/0/fields/1/normalize", "digits")).objects[0].fields[1].normalize == ("digits",)

    def test_one_value_may_be_written_to_two_fields_of_the_other_side(self) -> None:
        config = changed("objects/0/fields/2", {"crm": "phone", "erp": "mobile", "direction": "to-erp"})
        assert [rule.title for rule in parsed(config).objects[0].fields] == ["email/mail", "phone", "phone/mobile"]


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
PLACES = sorted({path for path, _, _ in COMPLAINTS})


@given(st.sampled_from(PLACES), anything)
def test_any_input_is_read_or_refused_with_a_sentence(path: str, value: Any) -> None:
    try:
        parsed(changed(path, value))
    except ConfigurationError as error:
        assert all(complaint.strip() for complaint in error.complaints)  # noqa: PT017 - it may be read as well
