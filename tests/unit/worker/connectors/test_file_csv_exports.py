"""CSV as spreadsheets and CRMs export it: it is read as it is, and what is written keeps the file's own form."""

from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors import Record, Write, file
from tidegate.worker.errors import ConfigurationError

from .opening import everything, opened, stored


def contacts(directory: Path, *fields: str, **place: Any) -> Any:
    return opened(file.TYPE, {"type": "file", "url": str(directory)}, {"path": "c.csv", "id": "id", **place}, *fields)


# What a file has before an edit of Zoë's name and a new record, and after them.
EXPORTS: dict[str, tuple[dict[str, Any], bytes, bytes]] = {
    "Excel: CSV UTF-8, with its mark, semicolons and CRLF": (
        {"delimiter": ";"},
        '\ufeffid;name;note\r\n1;Zoë;"a;b"\r\n2;Bob;\r\n'.encode(),
        "\ufeffid;name;note\r\n1;Zoé;a;b\r\n2;Bob;\r\n3;Eve;\r\n".replace("a;b", '"a;b"').encode(),
    ),
    "Excel: CSV in Western Europe, cp1252": (
        {"delimiter": ";", "encoding": "cp1252"},
        "id;name;note\r\n1;Zoë;5 €\r\n2;Bob;\r\n".encode("cp1252"),
        "id;name;note\r\n1;Zoé;5 €\r\n2;Bob;\r\n3;Eve;\r\n".encode("cp1252"),
    ),
    "Excel: a first line that names the delimiter": (
        {},
        "sep=;\r\nid;name;note\r\n1;Zoë;\r\n2;Bob;\r\n".encode(),
        "sep=;\r\nid;name;note\r\n1;Zoé;\r\n2;Bob;\r\n3;Eve;\r\n".encode(),
    ),
    "a spreadsheet: empty columns and rows at the end": (
        {},
        "id,name,note,,\n1,Zoë,,,\n2,Bob,x,,\n,,,,\n".encode(),
        "id,name,note,,\n1,Zoé,,,\n2,Bob,x,,\n,,,,\n3,Eve,,,\n".encode(),
    ),
    "a spreadsheet: rows that end with more delimiters than the header": (
        {},
        "id,name,note\n1,Zoë,,,\n2,Bob,x\n".encode(),
        "id,name,note\n1,Zoé,,,\n2,Bob,x\n3,Eve,\n".encode(),
    ),
    "a CRM: two columns of one name that nobody has mapped": (
        {},
        "id,name,note,note\n1,Zoë,a,b\n".encode(),
        "id,name,note,note\n1,Zoé,a,b\n2,Eve,,\n".encode(),
    ),
    "edited by hand: lines that end in both ways": (
        {},
        "id,name\r\n1,Zoë\n2,Bob\r\n".encode(),
        "id,name\r\n1,Zoé\n2,Bob\r\n3,Eve\r\n".encode(),
    ),
    "notes of several lines, of both kinds": (
        {},
        'id,name,note\n1,Zoë,"one\r\ntwo\nthree"\n2,Bob,"\n"\n'.encode(),
        'id,name,note\n1,Zoé,"one\r\ntwo\nthree"\n2,Bob,"\n"\n3,Eve,\n'.encode(),
    ),
    "no line break at the end": (
        {},
        "id,name\r\n1,Zoë\r\n2,Bob".encode(),
        "id,name\r\n1,Zoé\r\n2,Bob\r\n3,Eve\r\n".encode(),
    ),
}


@pytest.mark.parametrize("case", EXPORTS)
def test_an_export_keeps_its_form_when_it_is_written(tmp_path: Path, case: str) -> None:
    place, before, after = EXPORTS[case]
    (tmp_path / "c.csv").write_bytes(before)
    with contacts(tmp_path, "name", **place) as collection:
        zoe = next(record for record in everything(collection) if record.key == "1")
        assert zoe == Record("1", ("Zoë",))
        stored(collection.update([Write(zoe, {0: "Zoé"})]))
        stored(collection.create([["Eve"]]))
    assert (tmp_path / "c.csv").read_bytes() == after


def test_a_sep_line_that_differs_from_the_configured_delimiter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("sep=;\nid;name\n")
    with pytest.raises(ConfigurationError, match='separated by ";", and delimiter is ","; leave delimiter out'):
        contacts(tmp_path, "name", delimiter=",").__enter__()


def test_a_utf_8_byte_order_mark_in_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("\ufeffid,name\n1,Zoë\n")
    with pytest.raises(ConfigurationError, match="begins with the mark of UTF-8, and encoding is cp1252; write enc"):
        contacts(tmp_path, "name", encoding="cp1252").__enter__()


def test_a_bad_row_in_another_encoding_keeps_its_record_from_being_created_again(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("id,name\n1,Zoë,x\n2,Bob\n".encode("cp1252"))
    with contacts(tmp_path, "name", encoding="cp1252", badRows="setAside") as collection:
        (refused,) = collection.create([["zoë"]])
        assert refused.reason == "line 2 of c.csv may be this record: it has 3 cells, and the header has 2"
