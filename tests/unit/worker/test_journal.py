"""What a run writes is in the journal before it is written, within bounds, and unreadable without its key."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.journal.changes import Change, Entry
from tidegate.worker.journal.encoding import from_bytes, to_bytes
from tidegate.worker.journal.store import FILE, Journal
from tidegate.worker.main import main
from tidegate.worker.values.normal_form import MISSING

from .databases import Databases

KEYED = {"journal": {"key": {"env": "JOURNAL_KEY"}}}
SECRET = {"JOURNAL_KEY": "correct horse"}


def config(databases: Databases, /, **journal: Any) -> dict[str, Any]:
    return {**databases.config(deletes="propagate"), "journal": journal}


def entries(databases: Databases, run: int, secret: str | None = None) -> list[Entry]:
    with closing(Journal(databases.cache, secret)) as journal:
        return list(journal.entries(run))


def changes(databases: Databases, run: int, secret: str | None = None) -> list[tuple[Any, ...]]:
    """(what, connector, id, id of the counterpart, before, after) of all that are done."""
    found = entries(databases, run, secret)
    assert all(each.done for each in found)
    return [
        (each.change.what, each.change.connector, each.change.key, each.change.across, each.change.before,
         each.change.after)
        for each in found
    ]  # fmt: skip


@pytest.fixture
def three_runs(databases: Databases) -> Databases:
    """Run 1 creates two contacts in erp, run 2 updates the first, and run 3 deletes the second."""
    databases.add("crm", ("ada@x", "Ada", "1"), ("bob@x", "Bob", None))
    databases.run(config=config(databases))
    databases.edit("crm", "ada@x", name="Ada Lovelace")
    databases.run(config=config(databases))
    databases.delete("crm", "bob@x")
    databases.run(config=config(databases))
    return databases


def test_each_write_is_recorded_with_the_values_before_and_after(three_runs: Databases) -> None:
    bob = {"email": "bob@x", "name": "Bob", "phone": None}
    assert changes(three_runs, 1) == [
        ("create", "erp", 1, 1, {}, {"email": "ada@x", "name": "Ada", "phone": "1"}),
        ("create", "erp", 2, 2, {}, bob),
    ]
    assert changes(three_runs, 2) == [("update", "erp", 1, 1, {"name": "Ada"}, {"name": "Ada Lovelace"})]
    assert changes(three_runs, 3) == [("delete", "erp", 2, 2, bob, {})]


def test_an_update_is_recorded_with_the_stored_values(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.run(config=config(databases))
    databases.sql(
        "erp",
        "CREATE TRIGGER shout AFTER UPDATE OF name ON contact BEGIN "
        "UPDATE contact SET name = upper(NEW.name) WHERE id = NEW.id; END",
    )
    databases.edit("crm", "ada@x", name="Ada Lovelace")
    databases.run(config=config(databases))
    assert changes(databases, 2) == [("update", "erp", 1, 1, {"name": "Ada"}, {"name": "ADA LOVELACE"})]


def test_a_refused_write_is_not_recorded(databases: Databases) -> None:
    databases.sql("erp", "CREATE TRIGGER no BEFORE INSERT ON contact BEGIN SELECT raise(ABORT, 'no'); END")
    databases.add("crm", ("ada@x", "Ada", "1"))
    ended = databases.run(config=config(databases))
    assert ended.code == 0
    assert ended.parked
    assert entries(databases, 1) == []


def test_writes_of_a_rehearsal_are_not_recorded(databases: Databases) -> None:
    databases.add("crm", ("ada@x", "Ada", "1"))
    limited = {**config(databases), "safety": {"maxCreates": {"percent": 0, "min": 0}}}
    assert databases.run(config=limited).code == 3
    assert not (databases.cache / FILE).exists() or entries(databases, 1) == []
    assert databases.run(config=limited, environment={"SYNC_APPROVED": "1"}).pushed["erp"] == "1 create"
    assert len(changes(databases, 2)) == 1


def test_without_the_setting_nothing_is_recorded_and_old_entries_are_deleted(three_runs: Databases) -> None:
    assert (three_runs.cache / FILE).exists()
    three_runs.run()
    assert not (three_runs.cache / FILE).exists()


def test_a_read_only_run_does_not_change_the_journal(three_runs: Databases) -> None:
    before = (three_runs.cache / FILE).read_bytes()
    assert three_runs.run(push=False).code == 0
    assert (three_runs.cache / FILE).read_bytes() == before


class TestBounds:
    def test_a_run_is_dropped_whole_when_it_is_older_than_keep(self, three_runs: Databases) -> None:
        with closing(sqlite3.connect(three_runs.cache / FILE)) as db, db:
            db.execute("UPDATE run SET began = began - 7200 WHERE run < 3")
        three_runs.run(config=config(three_runs, keep="1h"))
        with closing(Journal(three_runs.cache)) as journal:
            assert [run.run for run in journal.runs()] == [3]
        assert entries(three_runs, 1) == []

    def test_the_oldest_runs_are_dropped_for_new_ones_and_a_message_says_so(self, databases: Databases) -> None:
        for n in range(6):
            databases.add("crm", *((f"{n}-{i}@x", "x" * 200, None) for i in range(100)))
            ended = databases.run(config=config(databases, maxSize="160Ki"))
            assert (databases.cache / FILE).stat().st_size < 256 * 1024
        warnings = [line["reason"] for line in ended.lines if line["type"] == "warning"]
        with closing(Journal(databases.cache)) as journal:
            kept = [run.run for run in journal.runs()]
        assert kept == list(range(kept[0], 7))
        assert 1 < kept[0] < 6
        dropped = f"run {kept[0] - 1} can no longer be undone: the journal has reached its maxSize of 160Ki"
        assert warnings[-1] == dropped
        assert len(entries(databases, 6)) == 100

    def test_a_run_that_does_not_fit_is_not_recorded_and_continues(self, databases: Databases) -> None:
        databases.add("crm", *((f"{i}@x", "x" * 200, None) for i in range(2000)))
        ended = databases.run(config=config(databases, maxSize="64Ki"))
        assert ended.code == 0
        assert ended.pushed["erp"] == "2000 create"
        (warning,) = [line["reason"] for line in ended.lines if line["type"] == "warning"]
        assert warning == (
            "run 1 cannot be undone: it writes more than fits in the journal; set spec.sync.journal.maxSize to more "
            "than 64Ki"
        )
        with closing(Journal(databases.cache)) as journal:
            assert [(run.run, run.whole, run.counts) for run in journal.runs()] == [(1, False, {})]


class TestEncryption:
    @pytest.fixture
    def sealed(self, databases: Databases) -> Databases:
        databases.add("crm", ("ada@x", "Ada Secretname", "555-0100"))
        databases.run(config=config(databases, key={"env": "JOURNAL_KEY"}), environment=SECRET)
        return databases

    def test_no_value_is_in_the_files(self, sealed: Databases) -> None:
        held = b"".join(file.read_bytes() for file in sealed.cache.iterdir())
        for value in (b"Secretname", b"555-0100", b"ada@x", b"correct horse"):
            assert value not in held
        assert b"contact" in held

    def test_the_key_decrypts_them(self, sealed: Databases) -> None:
        ((_, _, _, _, _, after),) = changes(sealed, 1, "correct horse")
        assert after == {"email": "ada@x", "name": "Ada Secretname", "phone": "555-0100"}

    @pytest.mark.parametrize(
        ("secret", "given"),
        [("another", "spec.sync.journal.key is another"), (None, "spec.sync.journal.key is not set")],
    )
    def test_another_key_does_not_decrypt_them(self, sealed: Databases, secret: str | None, given: str) -> None:
        with pytest.raises(Exception, match=f"the journal of run 1 is encrypted, and {given}: give the key"):
            entries(sealed, 1, secret)

    def test_runs_with_another_key_are_kept_beside_them(self, sealed: Databases) -> None:
        sealed.edit("crm", "ada@x", name="Ada")
        sealed.run(config=config(sealed, key={"env": "JOURNAL_KEY"}), environment={"JOURNAL_KEY": "another"})
        assert len(changes(sealed, 1, "correct horse")) == len(changes(sealed, 2, "another")) == 1

    def test_a_key_that_is_not_set_is_a_configuration_error(self, databases: Databases) -> None:
        ended = databases.run(config=config(databases, key={"env": "JOURNAL_KEY"}))
        assert (ended.code, ended.message["reason"]) == (
            2, "journal: key: the environment variable JOURNAL_KEY is not set",
        )  # fmt: skip

    def test_values_cannot_be_moved_to_another_record(self, sealed: Databases) -> None:
        with closing(sqlite3.connect(sealed.cache / FILE)) as db, db:
            db.execute("UPDATE entry SET id = '7'")
        with pytest.raises(Exception, match="the journal has been altered"):
            entries(sealed, 1, "correct horse")


class TestTheCommand:
    @pytest.fixture
    def listed(
        self, three_runs: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., list[str]]:
        for name, value in three_runs.environment(4).items():
            monkeypatch.setenv(name, value)

        def listed(*arguments: str, code: int = 0) -> list[str]:
            assert main(["changes", *arguments]) == code
            said = capsys.readouterr()
            return (said.err if code else said.out).splitlines()

        return listed

    def test_lists_the_runs(self, listed: Callable[..., list[str]]) -> None:
        lines = [line.partition(", ")[0] + ":" + line.rpartition(":")[2] for line in listed()]
        assert lines == [
            "run 1: 2 created, 0 updated, 0 deleted",
            "run 2: 0 created, 1 updated, 0 deleted",
            "run 3: 0 created, 0 updated, 1 deleted",
        ]

    def test_lists_the_writes_of_a_run_without_values(self, listed: Callable[..., list[str]]) -> None:
        assert listed("--run", "2") == ["update contact 1 of erp: name"]
        assert listed("--run", "3") == ["delete contact 2 of erp: email, name, phone"]

    def test_shows_values_on_request(self, listed: Callable[..., list[str]]) -> None:
        assert listed("--run", "2", "--values") == ['update contact 1 of erp: name "Ada" → "Ada Lovelace"']

    def test_reports_a_missing_run(self, listed: Callable[..., list[str]]) -> None:
        (line,) = listed("--run", "9", code=1)
        assert line.startswith("run 9 is not in the journal: it wrote nothing, it is older than")

    def test_reports_a_missing_journal(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SYNC_CACHE_DIR", str(databases.cache))
        assert main(["changes"]) == 1
        assert "set spec.sync.journal, and runs are kept from then on" in capsys.readouterr().err


class TestAJournalThatCannotBeOpened:
    def test_stops_the_sync_with_advice_when_it_is_damaged(self, three_runs: Databases) -> None:
        (three_runs.cache / FILE).write_bytes(b"no database, but long enough to be looked at" * 50)
        ended = three_runs.run(config=config(three_runs))
        assert (ended.code, ended.message["reason"]) == (
            ExitCode.CACHE_UNUSABLE,
            "the journal journal.sqlite cannot be read: file is not a database; a reset deletes it together with the "
            "cache",
        )

    def test_is_retried_when_its_disk_is_full(self, three_runs: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorname = "SQLITE_FULL"
            raise error

        monkeypatch.setattr(Journal, "_prepare", full)
        ended = three_runs.run(config=config(three_runs))
        assert (ended.code, ended.message["reason"]) == (
            1,
            "the journal journal.sqlite cannot be written: database or disk is full",
        )


def test_an_entry_is_durable_before_its_write_and_in_doubt_until_its_answer(tmp_path: Path) -> None:
    change = Change(0, "contact", "crm", "update", 1, 2, {"name": "a"}, {"name": "b"}, {"email": "x"})
    with closing(Journal(tmp_path)) as journal:
        journal.begin(5, 0)
        (number,) = journal.intend(5, [change])
    with closing(Journal(tmp_path)) as journal:
        assert list(journal.entries(5)) == [Entry(number, 5, False, change)]
        journal.complete(5, {number: change})
        assert list(journal.entries(5)) == [Entry(number, 5, True, change)]


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(), st.dates(),
    st.times(), st.datetimes(timezones=st.sampled_from([None, UTC])), st.timedeltas(),
    st.decimals(allow_nan=False), st.uuids(), st.just(MISSING),
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(value=values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    back = from_bytes(to_bytes({"after": {"field": value}}))["after"]["field"]
    assert (back, type(back)) == (value, type(value))


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1.50"), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), date(2026, 1, 2), time(3, 4), timedelta(seconds=1),
        UUID(int=5), b"\x00\xff", 1 << 70, True, {"a": [1, Decimal("2.0")]}, MISSING,
    ],
    ids=repr,
)  # fmt: skip
def test_types_are_kept(value: Any) -> None:
    back = from_bytes(to_bytes({"after": {"field": value}}))["after"]["field"]
    assert (back, type(back)) == (value, type(value))
