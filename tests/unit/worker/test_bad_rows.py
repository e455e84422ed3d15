"""A row of a file that cannot be read: it stops the sync with words, or is set aside, and never counts as a delete."""

import os
import time
from typing import Any

import pytest

from tidegate.api.contract import ExitCode

from .databases import Databases, Ended

HEAD = "id,email,name,phone\n"
ANN, BOB, CYD = "1,ann@x,Ann,11\n", "2,bob@x,Bob,22\n", "3,cyd@x,Cyd,33\n"
EVERYBODY = [("ann@x", "Ann", "11"), ("bob@x", "Bob", "22"), ("cyd@x", "Cyd", "33")]


class Files:
    """crm is a file, and erp a database."""

    def __init__(self, databases: Databases, name: str) -> None:
        self.databases = databases
        self.name = name
        self.path = databases.directory / name

    def write(self, *lines: str | bytes, seconds_ago: float = 3600) -> None:
        self.path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        self.change(seconds_ago)

    def change(self, seconds_ago: float) -> None:
        moment = time.time() - seconds_ago
        os.utime(self.path, (moment, moment))

    def run(self, *, aside: bool = True, **place: Any) -> Ended:
        crm: dict[str, Any] = {"path": self.name, "id": "id", **({"badRows": "setAside"} if aside else {}), **place}
        connectors = {
            "crm": {"type": "file", "url": str(self.databases.directory)},
            "erp": {"type": "sql", "url": self.databases.url("erp")},
        }
        fields = [{"crm": name, "erp": name} for name in ("email", "name", "phone")]
        ended = self.databases.run(
            crm=crm, connectors=connectors, fields=fields, deletes="propagate", safety={"maxDeletes": {"min": 100}}
        )
        if self.path.exists():
            self.change(3600)
        return ended

    @property
    def contacts(self) -> list[tuple[Any, ...]]:
        return self.databases.contacts("erp")


@pytest.fixture
def files(databases: Databases) -> Files:
    return Files(databases, "contacts.csv")


@pytest.fixture
def lines(databases: Databases) -> Files:
    return Files(databases, "contacts.jsonl")


def test_a_bad_row_stops_the_sync_with_its_place_the_reason_and_what_to_do(files: Files) -> None:
    files.write(HEAD, ANN, "2,bob@x\n", CYD)
    ended = files.run(aside=False)
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert ended.message["reason"] == (
        f"connector crm: {files.path}: line 3 has 2 cells, and the header has 4; correct the file, or write badRows: "
        "setAside to sync the other rows meanwhile"
    )
    assert files.contacts == []


def test_a_file_that_may_still_be_written_is_read_again(files: Files) -> None:
    files.write(HEAD, ANN, "2,bob@x", seconds_ago=5)
    ended = files.run(aside=False)
    assert ended.code == 1
    assert "line 3 has 2 cells" in ended.message["reason"]


NOT_CSV = "line 3 is not CSV in utf-8"
ADVICE = "; write encoding: cp1252 if a spreadsheet on Windows wrote it"

BAD_BOB: dict[str, tuple[str | bytes, str]] = {
    "short": ("2,bob@x\n", "line 3 has 2 cells, and the header has 4"),
    "without an id": (",bob@x,Bob,22\n", "line 3 has no id"),
    "of another encoding": (
        b"2,bob@x,B\xf6b,22\n",
        "line 3 is not CSV in utf-8: invalid start byte at 0xf6, column 10" + ADVICE,
    ),
    "with an undecodable id": (
        b"\xff2,bob@x,Bob,22\n",
        "line 3 is not CSV in utf-8: invalid start byte at 0xff, column 1" + ADVICE,
    ),
    "over two lines, undecodable": (
        b'2,bob@x,"B\n\xf6b",22\n',
        f"{NOT_CSV}: invalid start byte at 0xf6{ADVICE}",
    ),
    "with a stray quote": (
        '2,bob@x,"Bob" x "Bo",22\n',
        f"{NOT_CSV}: ',' expected after '\"', column 14",
    ),
    "twice": (BOB + "2,bob@x,Robert,22\n", "lines 3 and 4 have the same id 2; ids must be unique"),
}


@pytest.mark.parametrize("case", BAD_BOB)
def test_a_bad_row_that_is_set_aside_is_named_and_the_others_are_synced_and_it_is_no_delete(
    files: Files, case: str
) -> None:
    bad, reason = BAD_BOB[case]
    files.write(HEAD, ANN, BOB, CYD)
    assert files.run().message["waiting"] == 0
    files.write(HEAD, "1,ann@x,Anne,11\n", bad, CYD)
    content = files.path.read_bytes()
    for set_aside in (1, 0):
        ended = files.run()
        assert ended.code == 0, ended.message
        assert (ended.message["setAside"], ended.message["waiting"]) == (set_aside, 1)
        assert [said for _, _, said in ended.parked] == [reason]
        assert files.contacts == [("ann@x", "Anne", "11"), *EVERYBODY[1:]]
    files.databases.edit("erp", "cyd@x", phone="333")
    assert files.run().pushed == {"crm": "1 update", "erp": ""}
    assert files.path.read_bytes() == content.replace(b"Cyd,33\n", b"Cyd,333\n"), "it stays as it is"
    files.write(HEAD, "1,ann@x,Anne,11\n", "2,bob@x,Bobby,22\n", "3,cyd@x,Cyd,333\n")
    ended = files.run()
    assert (ended.message["setAside"], ended.message["waiting"], ended.pushed["erp"]) == (0, 0, "1 update")


def test_while_a_bad_row_s_id_is_unreadable_no_missing_record_counts_as_deleted(files: Files) -> None:
    files.write(HEAD, ANN, BOB, CYD)
    files.run()
    files.write(HEAD, ANN, ",bob@x,Bob,22\n")
    ended = files.run()
    assert ended.pushed == {"crm": "", "erp": ""}
    assert "no record that is missing from it counts as deleted" in ended.message["reason"]
    files.write(HEAD, ANN, BOB)
    assert files.run().pushed == {"crm": "", "erp": "1 delete"}


def test_a_bad_row_with_a_certain_id_holds_back_only_its_own_delete(files: Files) -> None:
    files.write(HEAD, ANN, BOB, CYD)
    files.run()
    files.write(HEAD, ANN, "2,bob@x\n")
    assert files.run().pushed == {"crm": "", "erp": "1 delete"}
    assert files.contacts == EVERYBODY[:2]


@pytest.mark.parametrize("bad", ["{no JSON\n", '"text"\n', '{"email": "bob@x"}\n', '{"id": 1.5, "email": "bob@x"}\n'])
def test_lines_of_json_are_set_aside_one_by_one(lines: Files, bad: str) -> None:
    good = [
        f'{{"id": {n}, "email": "{e}", "name": "{name}", "phone": "{p}"}}\n' for n, (e, name, p) in enumerate(EVERYBODY)
    ]
    lines.write(*good)
    lines.run()
    lines.write(good[0], bad, good[2])
    ended = lines.run()
    assert (ended.code, ended.message["waiting"], ended.pushed) == (0, 1, {"crm": "", "erp": ""})
    assert lines.contacts == EVERYBODY


def test_a_record_that_the_bad_row_may_be_is_not_created_beside_it(files: Files) -> None:
    files.write(HEAD, ANN, "9,BOB@x\n")
    files.databases.add("erp", *EVERYBODY[1:])
    ended = files.run()
    assert ended.parked == [
        ("crm", "", "line 3 has 2 cells, and the header has 4"),
        ("erp", "", "crm refuses it: line 3 of contacts.csv may be this record: it has 2 cells, and the header has 4"),
    ]
    assert files.path.read_text() == HEAD + ANN + "9,BOB@x\n" + "2,cyd@x,Cyd,33\n"


def test_a_new_record_does_not_get_a_bad_row_s_id(files: Files) -> None:
    files.write(HEAD, ANN, "2,dan@x\n")
    files.databases.add("erp", EVERYBODY[2])
    files.run()
    assert files.path.read_text() == HEAD + ANN + "2,dan@x\n" + "3,cyd@x,Cyd,33\n"


def test_an_unclosed_quote_hides_the_rest_and_stops_the_sync(files: Files) -> None:
    files.write(HEAD, ANN, '2,bob@x,"Bob,22\n', CYD)
    ended = files.run()
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert "line 3 is not CSV in utf-8: unexpected end of data" in ended.message["reason"]


def test_a_file_with_many_unreadable_rows_is_not_synced(files: Files) -> None:
    files.write(HEAD, *(f"{n},p{n}@x,N\n" for n in range(11)), *(f"{n},p{n}@x,N,1\n" for n in range(11, 40)))
    ended = files.run()
    assert ended.code == ExitCode.CONFIGURATION_ERROR
    assert "11 rows cannot be read, too many to set aside; line 2 has 3 cells" in ended.message["reason"]


def test_a_partly_uploaded_file_deletes_nothing(files: Files) -> None:
    files.write(HEAD, ANN, BOB, CYD)
    files.run()
    files.write(HEAD, ANN, seconds_ago=1)
    ended = files.run()
    assert ended.pushed == {"crm": "", "erp": ""}
    assert "contacts.csv was changed 1 s ago and may be still being written" in ended.message["reason"]
    files.write(HEAD, ANN, seconds_ago=1)
    assert files.run(settled="0s").pushed == {"crm": "", "erp": "2 delete"}
