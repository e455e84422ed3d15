"""What every connector must do alike, whatever system it connects: the contract of `tidegate.worker.connectors`."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tidegate.worker.connectors import (
    Changed,
    Collection,
    Description,
    FieldUse,
    FindsReferring,
    Key,
    Record,
    Rejected,
    Window,
    Write,
)
from tidegate.worker.connectors.registry import CONNECTORS
from tidegate.worker.values.normal_form import Normalization, normal, normalized

from .conftest import WITH_TWO_ID_COLUMNS
from .connector_systems import FIELDS, REFUSED, Rest, System

TABLES = ("postgresql", "mariadb", "sqlite", *WITH_TWO_ID_COLUMNS)


@contextmanager
def opened(
    system: System, match: Sequence[int] = (0,), normalize: tuple[Normalization, ...] = ("casefold",)
) -> Iterator[Collection]:
    """The system's contacts, as the worker opens them; the match field in any letter case."""
    kind = CONNECTORS[system.connector["type"]]
    uses = tuple(FieldUse(name, True, normalize if name == "email" else ()) for name in FIELDS)
    place = kind.object_settings.model_validate(system.place)
    connector = kind.connect(kind.settings.model_validate(system.connector), {}, "crm")
    try:
        yield connector.open(Description("object contact, connector crm", place, uses, tuple(match), True))
    finally:
        connector.close()


def scanned(collection: Collection, limit: int = 1000, window: Window | None = None) -> list[Record]:
    """All pages; tokens go through the cache, which is JSON."""
    records: list[Record] = []
    after = None
    while True:
        page = collection.scan(after, limit, window)
        records += page.records
        after = json.loads(json.dumps(page.after))
        if after is None:
            return records


def plain(values: Sequence[Any]) -> tuple[str | None, ...]:
    return tuple(map(normal, values))


def there(system: System) -> dict[Key, tuple[str | None, ...]]:
    return {key: plain(values) for key, values in system.contacts().items()}


def stored(answers: Sequence[object]) -> list[Record]:
    found = [answer for answer in answers if isinstance(answer, Record)]
    assert len(found) == len(answers), answers
    return found


def fill(system: System, number: int) -> list[Key]:
    return [system.add(email=f"p{n}@x", name=f"N{n}") for n in range(number)]


@pytest.mark.parametrize("limit", [1, 3, 50, 1000])
def test_a_scan_returns_every_record_once(system: System, limit: int) -> None:
    keys = fill(system, 10)
    with opened(system) as collection:
        records = scanned(collection, limit)
    assert len(records) == 10
    assert {record.key: plain(record.values) for record in records} == there(system)
    assert set(keys) == {record.key for record in records}


def test_a_scan_of_nothing_is_empty(system: System) -> None:
    with opened(system) as collection:
        assert scanned(collection) == []
        assert collection.get([]) == {}
        assert collection.find([]) == []
        assert [*collection.create([]), *collection.update([]), *collection.delete([])] == []


def test_a_scan_resumes_in_another_process(system: System) -> None:
    fill(system, 70)
    with opened(system) as collection:
        first = collection.scan(None, 50, None)
    with opened(system) as collection:
        rest = collection.scan(json.loads(json.dumps(first.after)), 1000, None)
    assert rest.after is None
    assert len(first.records) == 50
    assert {record.key for record in (*first.records, *rest.records)} == there(system).keys()


def test_records_are_read_by_id_like_a_scan_reads_them(system: System) -> None:
    fill(system, 3)
    with opened(system) as collection:
        records = {record.key: record for record in scanned(collection)}
        gone = next(iter(records))
        system.remove(gone)
        assert collection.get(list(records)) == {key: record for key, record in records.items() if key != gone}


def test_records_are_found_by_their_match_field_ignoring_case(system: System) -> None:
    first, second, _ = (system.add(email=email) for email in ("Ann@X", "éva@x", "bob@x"))
    with opened(system) as collection:
        sought = [("ann@x",), ("ÉVA@x",), ("nobody@x",)]
        found = [record for record in collection.find(sought) if str(record.values[0]).casefold() in ("ann@x", "éva@x")]
        assert {record.key for record in found} == {first, second}
        assert collection.get([record.key for record in found]) == {record.key: record for record in found}


def test_records_are_found_ignoring_accents_and_spaces_where_configured(system: System) -> None:
    if isinstance(system, Rest):
        system.place["find"] = "scan"  # an API cannot be asked for them
    keys = [system.add(email=email) for email in ("José", " JOSE ", "Jose\u0301", "joseph")]
    normalize: tuple[Normalization, ...] = ("trim", "accents", "casefold")
    with opened(system, normalize=normalize) as collection:
        found = [record for record in collection.find([("jose",)]) if normalized(record.values[0], normalize) == "jose"]
    assert {record.key for record in found} == {*keys[:3]}


def test_records_are_found_by_several_match_fields_ignoring_case(system: System) -> None:
    key = system.add(email="éva@x", name="Ève")
    system.add(email="éva@x", name="Ann")
    system.add(email="ann@x", name="Ève")
    with opened(system, match=(0, 1)) as collection:
        found = collection.find([("ÉVA@x", "Ève"), ("bob@x", "Ann")])
        sought = [record for record in found if plain(record.values[:2]) == ("éva@x", "Ève")]
    assert [record.key for record in sought] == [key]


@pytest.mark.parametrize("system", TABLES, indirect=True)
def test_records_are_found_by_any_field_that_may_refer_to_others(system: System) -> None:
    first, second, _ = (system.add(email=f"{name}@x", name=name) for name in ("17", "18", "19"))
    with opened(system) as collection:
        assert isinstance(collection, FindsReferring)
        found = collection.referring(FIELDS.index("name"), [17, "18", 20])
        assert {record.key for record in found} == {first, second}


def test_creates_return_the_stored_records_in_order(system: System) -> None:
    born = datetime(1990, 1, 2, 3, 4, 5, tzinfo=UTC)
    wanted = [[f"p{n}@x", f"N{n}", Decimal(n), born] for n in range(30)] + [["only@x", None, None, None]]
    with opened(system) as collection:
        answers = stored(collection.create(wanted))
        assert [plain(answer.values) for answer in answers] == [plain(values) for values in wanted]
        assert {answer.key: plain(answer.values) for answer in answers} == there(system)
        assert collection.get([answer.key for answer in answers]) == {answer.key: answer for answer in answers}
        assert len(scanned(collection)) == 31
        assert [record.key for record in collection.find([("p7@x",)])] == [answers[7].key]


@pytest.mark.parametrize("system", [*TABLES, "rest"], indirect=True)  # files take anything
def test_a_refused_record_gets_a_reason_and_the_others_are_written(system: System) -> None:
    with opened(system) as collection:
        first, refused, last = collection.create(
            [["a@x", "A", 1, None], ["b@x", REFUSED, 2, None], ["c@x", "C", 3, None]]
        )
        assert isinstance(first, Record)
        assert isinstance(last, Record)
        assert isinstance(refused, Rejected)
        assert refused.reason
        again, edited = collection.update([Write(first, {1: REFUSED}), Write(last, {1: "New"})])
        assert isinstance(again, Rejected)
        assert isinstance(edited, Record)
    assert sorted(there(system).values()) == [("a@x", "A", "1", None), ("c@x", "New", "3", None)]


def test_an_update_is_written_only_if_the_record_is_unchanged(system: System) -> None:
    ours, edited, gone = fill(system, 3)
    with opened(system) as collection:
        got = collection.get([ours, edited, gone])
        system.edit(edited, name="theirs")
        system.remove(gone)
        answers = collection.update([Write(got[key], {1: "ours", 2: Decimal("1.5")}) for key in (ours, edited, gone)])
        (answer,) = stored(answers[:1])
        assert answers[1:] == [Changed(), Changed()]
        assert plain(answer.values) == ("p0@x", "ours", "1.5", None)
        assert collection.get([ours]) == {ours: answer}
    assert there(system) == {ours: ("p0@x", "ours", "1.5", None), edited: ("p1@x", "theirs", None, None)}


def test_an_update_can_follow_on_the_result_of_a_write(system: System) -> None:
    with opened(system) as collection:
        (record,) = stored(collection.create([["a@x", "A", Decimal("0.10"), datetime(2024, 2, 29, 12, tzinfo=UTC)]]))
        for name in ("B", "C", None):
            (record,) = stored(collection.update([Write(record, {1: name})]))
        assert plain(record.values) == ("a@x", None, "0.1", "2024-02-29T12:00:00Z")
        assert collection.delete([record]) == [None]
    assert there(system) == {}


def test_a_delete_spares_an_edited_record(system: System) -> None:
    ours, edited, gone, kept = fill(system, 4)
    with opened(system) as collection:
        got = collection.get([ours, edited, gone])
        system.edit(edited, score=5)
        system.remove(gone)
        assert collection.delete([got[key] for key in (ours, edited, gone)]) == [None, Changed(), None]
    assert there(system).keys() == {edited, kept}


def test_changes_are_read_by_the_cursor_from_one_watermark_to_the_next(system: System) -> None:
    if "cursor" not in system.place:
        with opened(system) as collection:
            assert collection.watermark() is None, "it is always read whole"
        return
    with opened(system) as collection:
        old, edited, _ = fill(system, 3)
        since = json.loads(json.dumps(collection.watermark()))
        assert since is not None
        system.edit(edited, name="new")
        added = system.add(email="new@x")
        until = json.loads(json.dumps(collection.watermark()))
        found = {record.key for record in scanned(collection, 1, Window(since, until, timedelta()))}
        assert {edited, added} <= found
        assert old not in found
        assert len(scanned(collection, 2, Window(None, until, timedelta()))) == 4
        quiet = scanned(collection, 1, Window(until, collection.watermark(until), timedelta()))
        assert len(quiet) <= 1, "what is newest may be read again, and nothing else"


ODD_TEXTS = [
    "ünïcödé ß İ 中文 😀 e\u0301 \u202eabc",
    "long " * 20_000,
    "quotes ' \" ` ’ and \\ and \\n",
    "lines\nand\r\nmore\rlines\n",
    " spaces around \t",
    "commas, semicolons; tabs\t and | pipes",
    "100% _like_ {braces} $1 :name ?",
    "007",
    "1e5",
    "true",
    "null",
    "None",
    "=1+1",
    "2024-02-29",
    "2024-02-29T01:02:03Z",
    "<script>&amp;",
    "../..",
]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=[text[:16] for text in ODD_TEXTS])
def test_unusual_texts_are_stored_compared_and_found_unchanged(system: System, text: str) -> None:
    with opened(system) as collection:
        (created,) = stored(collection.create([[text, text, None, None]]))
        assert created.values[:2] == (text, text)
        assert scanned(collection) == [created]
        assert collection.get([created.key]) == {created.key: created}
        if len(text) <= system.longest_sought:
            assert created in collection.find([(text,)])
        (updated,) = stored(collection.update([Write(created, {1: "x"})]))
        (updated,) = stored(collection.update([Write(updated, {1: text})]))
        assert updated.values == created.values
        assert collection.delete([updated]) == [None]


ODD_VALUES: list[tuple[int, Any]] = [
    (2, 0),
    (2, Decimal("-0.0")),
    (2, 10**30),
    (2, -(10**30) - 1),
    (2, Decimal("12345678901234567890.123456789012345")),
    (2, Decimal("1E-20")),
    (2, 0.1),
    (2, 2**63),
    (3, datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)),
    (3, datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    (3, datetime(9999, 12, 31, 23, 59, 59)),
    (3, datetime(1000, 1, 1)),
]


@pytest.mark.parametrize(("field", "value"), ODD_VALUES, ids=[f"{FIELDS[i]} {value}" for i, value in ODD_VALUES])
def test_unusual_values_are_stored_exactly(system: System, field: int, value: Any) -> None:
    wanted: list[Any] = ["a@x", None, None, None]
    wanted[field] = value
    with opened(system) as collection:
        (created,) = stored(collection.create([wanted]))
        assert plain(created.values) == plain(wanted)
        assert scanned(collection) == [created]
        (updated,) = stored(collection.update([Write(created, {field: None})]))
        (updated,) = stored(collection.update([Write(updated, {field: value})]))
        assert plain(updated.values) == plain(wanted)
        assert collection.delete([updated]) == [None]


def test_a_date_in_a_time_field_is_its_midnight_or_stays_a_date(system: System) -> None:
    with opened(system) as collection:
        (created,) = stored(collection.create([["a@x", None, None, date(2024, 2, 29)]]))
        assert normal(created.values[3]) in ("2024-02-29", "2024-02-29T00:00:00Z")
