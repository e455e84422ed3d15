"""JSON Lines: values keep their types, numbers their digits, and what is not synced stays."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from tidegate.worker.connectors import Record, Rejected, Write, file
from tidegate.worker.connectors.file.format import UnreadableFile
from tidegate.worker.errors import ConfigurationError

from .opening import everything, opened, stored


def contacts(directory: Path, *fields: str, **place: Any) -> Any:
    return opened(file.TYPE, {"type": "file", "url": str(directory)}, {"path": "c.jsonl", "id": "id", **place}, *fields)


def test_values_are_read_with_their_types_and_numbers_with_all_their_digits(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"id": 1, "v": "5"}\n{"id": 2, "v": 5}\n\n{"id": 3, "v": true}\n{"id": 4, "v": null}\n{"id": 5}\n'
        '{"id": 6, "v": 0.12345678901234567890}\n{"id": 7, "v": 123456789012345678901234567890}\n'
        '{"id": "8", "v": {"a": [1]}}\n'
    )
    with contacts(tmp_path, "v") as collection:
        values = {record.key: record.values[0] for record in everything(collection, limit=3)}
    assert values == {
        1: "5", 2: 5, 3: True, 4: None, 5: None, 6: Decimal("0.12345678901234567890"),
        7: 123456789012345678901234567890, "8": {"a": [1]},
    }  # fmt: skip


def test_an_edit_keeps_unknown_fields_their_order_and_the_digits_of_numbers(tmp_path: Path) -> None:
    untouched = b'{ "id" : 2, "name" : "Bob" }\r\n'
    (tmp_path / "c.jsonl").write_bytes(
        b'\xef\xbb\xbf{"id":1,"price":1.10,"name":"Ann","big":123456789012345678901234567890,"e":1e2}\r\n' + untouched
    )
    with contacts(tmp_path, "name") as collection:
        ann, _ = everything(collection)
        stored(collection.update([Write(ann, {0: "Änne"})]))
    assert (tmp_path / "c.jsonl").read_bytes() == (
        b'\xef\xbb\xbf{"id":1,"price":1.10,"name":"' + "Änne".encode() + b'",'
        b'"big":123456789012345678901234567890,"e":1E+2}\r\n' + untouched
    )


def test_a_dotted_name_is_a_field_of_a_nested_object(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": 1, "address": {"city": "Bonn", "zip": "1"}, "a.b": "x"}\n')
    with contacts(tmp_path, "address.city", "a.b", "tags.first") as collection:
        (first,) = everything(collection)
        assert first.values == ("Bonn", "x", None)
        stored(collection.update([Write(first, {0: "Köln", 1: "y"})]))
        stored(collection.create([["Ulm", "z", "t"]]))
    first, second = map(orjson.loads, (tmp_path / "c.jsonl").read_text().splitlines())
    assert first == {"id": 1, "address": {"city": "Köln", "zip": "1"}, "a.b": "y"}
    assert second == {"id": 2, "address": {"city": "Ulm"}, "a": {"b": "z"}, "tags": {"first": "t"}}


def test_a_written_value_has_the_kind_that_the_field_has_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"id": 1, "score": 5, "active": true, "phone": "12", "mixed": 1}\n'
        '{"id": 2, "score": null, "active": null, "phone": null, "mixed": "a"}\n'
    )
    with contacts(tmp_path, "score", "active", "phone", "mixed") as collection:
        _, second = everything(collection)
        stored(collection.update([Write(second, {0: "7.50", 1: 0, 2: 34, 3: "8"})]))
        stored(collection.create([["007", "true", Decimal("1.50"), 9]]))
    _, updated, created = map(orjson.loads, (tmp_path / "c.jsonl").read_text().splitlines())
    assert updated == {"id": 2, "score": 7.5, "active": False, "phone": "34", "mixed": "8"}
    assert created == {"id": 3, "score": "007", "active": True, "phone": "1.5", "mixed": 9}


def test_exact_numbers_and_times_are_written_so_that_they_compare_as_equal(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("")
    moment = datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)
    with contacts(tmp_path, "a", "b", "c", new_id="number") as collection:
        stored(collection.create([[Decimal("12345678901234567890.10"), 2**70, moment]]))
    assert (tmp_path / "c.jsonl").read_text() == (
        '{"id":1,"a":12345678901234567890.10,"b":1180591620717411303424,"c":"2024-02-29T01:02:03.000004Z"}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), Decimal("Infinity"), "\ud800"])
def test_a_value_that_json_cannot_hold_is_refused(tmp_path: Path, value: Any) -> None:
    (tmp_path / "c.jsonl").write_text("")
    with contacts(tmp_path, "a") as collection:
        refused, created = collection.create([[value], ["fine"]])
    assert isinstance(refused, Rejected)
    assert isinstance(created, Record)


MALFORMED = {
    "no JSON": ('{"id": 1, "name": "A"}\n{"id": 2', "line 2 is not JSON"),
    "no object": ("[1]\n", "line 1 is not a JSON object"),
    "no id": ('{"id": 1, "name": "A"}\n{"name": "B"}\n', "line 2 has no id"),
    "an id that is none": ('{"id": 1.5, "name": "A"}\n', "line 1 has an id that is neither a text nor a whole number"),
    "an id twice": ('{"id": 1, "name": "A"}\n{"id": 1, "name": "B"}\n', "lines 1 and 2 have the same id 1"),
    "a mistyped match field": (
        "".join(f'{{"id": {n}, "nme": "A"}}\n' for n in range(20)),
        "line 1 has no name, nor have the records that follow; they have id, nme",
    ),
    "no number": ('{"id": 1, "name": NaN, "n": 12345678901234567890}\n', "line 1 is not JSON"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_not_synced_and_the_line_is_named(tmp_path: Path, case: str) -> None:
    content, problem = MALFORMED[case]
    (tmp_path / "c.jsonl").write_text(content)
    with pytest.raises(UnreadableFile, match=problem), contacts(tmp_path, "name"):
        pass


def test_a_field_that_some_records_lack_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("".join(f'{{"id": {n}}}\n' for n in range(19)))
    with contacts(tmp_path, "name") as collection:
        assert len(everything(collection)) == 19


def test_a_text_id_and_an_equal_number_id_are_two_records(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": 1, "name": "A"}\n{"id": "1", "name": "B"}\n')
    with contacts(tmp_path, "name") as collection:
        number, text = everything(collection, limit=1)
        assert collection.get([1, "1"]) == {1: number, "1": text}
        assert collection.delete([number]) == [None]
    assert (tmp_path / "c.jsonl").read_text() == '{"id": "1", "name": "B"}\n'


def test_an_id_beyond_64_bits_is_a_text_and_stays_a_number_in_the_file(tmp_path: Path) -> None:
    large = 2**63
    (tmp_path / "c.jsonl").write_text(f'{{"id": {large}, "name": "A"}}\n{{"id": {large - 1}, "name": "B"}}\n')
    with contacts(tmp_path, "name") as collection:
        read = {record.key: record for record in everything(collection)}
        assert read.keys() == {str(large), large - 1}
        assert collection.get([str(large)]) == {str(large): read[str(large)]}
        stored(collection.update([Write(read[str(large)], {0: "C"})]))
    assert (tmp_path / "c.jsonl").read_text().startswith(f'{{"id":{large},"name":"C"}}\n')


def test_a_record_with_a_zero_character_in_its_id_is_read_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "a\\u0000b", "name": "A"}\n{"id": "a", "name": "B"}\n')
    with contacts(tmp_path, "name") as collection:
        assert {key: record.values for key, record in collection.get(["a\0b", "a"]).items()} == {
            "a\0b": ("A",), "a": ("B",)
        }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('\ufeff{"id": 1}\n'.encode("utf-16-le"), "is UTF-16, .*; save it as JSON Lines in UTF-8"),
        (b"PK\x03\x04\x14\0\0\0", r"is a ZIP archive, as an Excel workbook \(.xlsx\) is; save the sheet as JSON Lines"),
    ],
    ids=["UTF-16", "workbook"],
)
def test_a_file_that_is_not_text_is_called_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "c.jsonl").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"crm: c.jsonl {words}"), contacts(tmp_path, "name"):
        pass
