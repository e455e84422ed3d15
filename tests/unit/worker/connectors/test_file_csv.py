"""CSV files: what is read, what is written, and what stays byte for byte as it is."""

import csv
import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.worker.connectors import Changed, Record, Rejected, Write, file
from tidegate.worker.connectors.file.format import UnreadableFile
from tidegate.worker.errors import ConfigurationError

from .opening import everything, opened, stored


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


WORKBOOK = zipped(**{"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<workbook/>"})


def contacts(directory: Path, *fields: str, **place: Any) -> Any:
    return opened(file.TYPE, {"type": "file", "url": str(directory)}, {"path": "c.csv", "id": "id", **place}, *fields)


def test_cells_are_texts_and_an_empty_cell_is_no_value(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("name,id,score\nAnn,007,1.50\n,8,\n")
    with contacts(tmp_path, "name", "score") as collection:
        assert everything(collection) == [Record("007", ("Ann", "1.50")), Record("8", (None, None))]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_leaves_all_other_records_and_unknown_columns_as_they_are(tmp_path: Path, newline: str) -> None:
    before = ["\ufeffid,name,note", '"1",Ann,"said ""hi"""', "", '2,"Bob\nB.",x', "3,Cyd,", "4,Dee, y "]
    (tmp_path / "c.csv").write_bytes(newline.join(before).encode())  # no line break at the end
    with contacts(tmp_path, "name") as collection:
        records = {record.key: record for record in everything(collection)}
        stored(collection.update([Write(records["2"], {0: "Bo,b"})]))
        assert collection.delete([records["3"]]) == [None]
        stored(collection.create([["Eve"]]))
    after = ["\ufeffid,name,note", '"1",Ann,"said ""hi"""', "", '2,"Bo,b",x', "4,Dee, y ", "5,Eve,", ""]
    assert (tmp_path / "c.csv").read_bytes() == newline.join(after).encode()


def test_values_of_other_systems_are_written_in_their_normal_form(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,v\n")
    values = [
        (True, "1"),
        (5, "5"),
        (Decimal("12.50"), "12.5"),
        (1e-7, "0.0000001"),
        (datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "2024-02-29T01:02:03Z"),
        (date(2024, 2, 29), "2024-02-29"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "00ff"),
        ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        ("", None),
        ('  two\r\nlines, "quoted" \t', '  two\r\nlines, "quoted" \t'),
        ("a\rb", "a\rb"),
    ]
    with contacts(tmp_path, "v") as collection:
        answers = stored(collection.create([[value] for value, _ in values]))
        assert [answer.values for answer in answers] == [(text,) for _, text in values]
        assert collection.get([answer.key for answer in answers]) == {answer.key: answer for answer in answers}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=20), delimiter=st.sampled_from(",;\t|"), quote_all=st.booleans())
def test_a_spreadsheet_s_file_is_read_and_the_result_is_readable_by_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str, quote_all: bool
) -> None:
    directory = tmp_path_factory.mktemp("csv")
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerows([("id", "a", "b"), *((f"k{n}", *row) for n, row in enumerate(rows))])
    (directory / "c.csv").write_bytes(text.getvalue().encode())
    with contacts(directory, "a", "b", delimiter=delimiter) as collection:
        found = {record.key: record.values for record in everything(collection, limit=3)}
        assert found == {f"k{n}": (a or None, b or None) for n, (a, b) in enumerate(rows)}
        stored(collection.create([list(row) for row in rows]))
    with (directory / "c.csv").open(newline="", encoding="utf-8") as written:
        (_, *back) = csv.reader(written, delimiter=delimiter)
    assert [tuple(row[1:]) for row in back] == rows * 2


MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "a record that is cut off": ("id,name\n1,Ann\n2\n", "line 3 has 1 cells, and the header has 2"),
    "a quote that is not closed": ('id,name\n1,"Ann\n', "line 2 is not CSV in utf-8: unexpected end of data"),
    "a record with more than the header": ("id,name\n1,Ann,,x\n", "line 2 has 4 cells, and the header has 2"),
    "a record with a zero byte": ("id,name\n1,A\0nn\n", "line 2 has a zero byte, which no text has"),
    "a stray quote": ('id,name\n1,"Ann" x\n', "line 2 is not CSV in utf-8: .*, column 8"),
    "a quote within a cell": ('id,name\n1,Ann\n2,"B"o"b"\n', "line 3 is not CSV in utf-8: .*, column 6"),
    "a record without an id": ("id,name\n1,Ann\n\n,Bob\n", "line 4 has no id"),
    "an id that is there twice": ("id,name\n1,Ann\n2,Bob\n1,Cyd\n", "lines 2 and 4 have the same id 1"),
    "another encoding": (
        "id,name\n1,Zo\xeb\n".encode("latin-1"),
        "line 2 is not CSV in utf-8: .* at 0xeb, column 5; write encoding: cp1252",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_not_synced_and_the_line_is_named(tmp_path: Path, case: str) -> None:
    content, problem = MALFORMED[case]
    (tmp_path / "c.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UnreadableFile, match=problem), contacts(tmp_path, "name"):
        pass


def test_another_encoding_is_read_and_characters_that_it_lacks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("id,name\n1,Zoë\n".encode("latin-1"))
    with contacts(tmp_path, "name", encoding="latin-1") as collection:
        (zoe,) = everything(collection)
        assert zoe.values == ("Zoë",)
        refused, created = collection.create([["Zoë ♥"], ["Noël"]])
        assert refused == Rejected("latin-1 has no '♥'")
        assert isinstance(created, Record)
    assert (tmp_path / "c.csv").read_bytes() == "id,name\n1,Zoë\n3,Noël\n".encode("latin-1")


@pytest.mark.parametrize("encoding", ["utf-16", "no-such"])
def test_an_encoding_with_multibyte_line_breaks_is_a_configuration_error(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"'{encoding}' is not supported"):
        file.TYPE.object_settings.model_validate({"path": "c.csv", "id": "id", "encoding": encoding})


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("id,nme", "field name: c.csv has no column name; it has id, nme"),
        ("key,name", "id: c.csv has no column id; it has key, name"),
        ("id,name,name", "c.csv has two columns name"),
        ("id;name\n", 'id: c.csv has no column id; it has id;name; write delimiter: ";"'),
        ("id\tname\n", r'id: c.csv has no column id; it has id\tname; write delimiter: "\\t"'),
        ("\ufeffid,name\n".encode("utf-16-le"), "c.csv is UTF-16, as some programs save what they call Unicode text"),
        ("id,name\n".encode("utf-16-le"), "c.csv is UTF-16"),
        ("\ufeffid,name\n".encode("utf-16-be"), "c.csv is UTF-16"),
        (WORKBOOK, r"c.csv is a ZIP archive, as an Excel workbook \(.xlsx\) is; save the sheet as CSV in UTF-8"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504), "c.csv is a workbook of an old Excel"),
        (gzip.compress(b"id,name\n", mtime=0), "c.csv is compressed with gzip; unpack it"),
        (
            "id,Größe\n".encode("cp1252"),
            "c.csv has a header that is not CSV in utf-8: .* at 0xf6, column 6; write encoding: cp1252",
        ),
        ("id,name\r1,Ann\r", "c.csv has lines that end in CR alone; save it with LF or CRLF"),
        ('id,"name" x\n', "c.csv has a header that is not CSV: "),
        ("id,na\0me,name\n", "c.csv has a zero byte in its header"),
        (",,\n", "c.csv is empty"),
        ("\ufeff", "c.csv is empty"),
        ("", "c.csv is empty; its first line must be a header"),
    ],
)
def test_a_header_without_a_needed_column_is_a_configuration_error(
    tmp_path: Path, header: str | bytes, complaint: str
) -> None:
    (tmp_path / "c.csv").write_bytes(header if isinstance(header, bytes) else header.encode())
    with (
        pytest.raises(ConfigurationError, match=f"object contact, connector crm: {complaint}"),
        contacts(tmp_path, "name"),
    ):
        pass


def test_columns_may_be_reordered_during_a_run(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,name,note\n1,Ann,x\n")
    with contacts(tmp_path, "name") as collection:
        (ann,) = everything(collection)
        (tmp_path / "c.csv").write_text("note,name,id\nx,Ann,1\n")
        stored(collection.update([Write(ann, {0: "Anna"})]))
    assert (tmp_path / "c.csv").read_text() == "note,name,id\nx,Anna,1\n"


def test_an_id_is_never_changed(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,name\n1,Ann\n")
    with contacts(tmp_path, "id", "name") as collection:
        (ann,) = everything(collection)
        assert collection.update([Write(ann, {0: "2"})]) == [Rejected("id is the record's id, which cannot be changed")]
        taken, new = collection.create([["1", "Bob"], ["2", "Cyd"]])
        assert taken == Rejected("there is a record with the id 1 already")
        assert new == Record("2", ("2", "Cyd"))
        assert collection.update([Write(ann, {1: "Anna"})]) == [Record("1", ("1", "Anna"))]
        assert collection.update([Write(ann, {1: "Anja"})]) == [Changed()]


def test_a_table_separated_by_tabs(tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text("id\tname\n1\tAnn, A.\n")
    with contacts(tmp_path, "name", path="c.tsv", delimiter="\t") as collection:
        assert [record.values for record in everything(collection)] == [("Ann, A.",)]
