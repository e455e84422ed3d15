"""A cache belongs to the systems that it was made with: another one, of the same shape, stops the run."""

import shutil
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.systems import Another, Same, System, Unconfirmed, compare
from tidegate.worker.connectors import Description, Identified
from tidegate.worker.connectors.registry import CONNECTORS

from .databases import WITH_CURSOR, Databases

PEOPLE = [(f"p{n}@x", f"Person {n}", str(n)) for n in range(30)]
STRANGERS = [(f"q{n}@x", f"Stranger {n}", None) for n in range(30)]
UNTOUCHED = {"crm": "", "erp": ""}


class TestCompare:
    """What the signals say, and what a person says, who knows better."""

    HERE, COPY = {"server": "1", "database": "crm"}, {"server": "2", "database": "crm"}

    @pytest.mark.parametrize(
        ("before", "now", "same"),
        [
            ((HERE, None), (HERE, None), True),
            ((HERE, None), (COPY, None), False),
            ((HERE, None), (COPY, "crm"), True),  # a person says that it has moved
            ((HERE, "crm"), (COPY, "crm"), True),
            ((HERE, "crm"), (COPY, "other"), False),
            ((HERE, "crm"), (COPY, None), False),
            ((HERE, "crm"), (HERE, "other"), True),  # a name that is only put better
            ((HERE, "crm"), (HERE, None), True),
            ((HERE, None), ({"database": "crm"}, None), True),  # the role may not read the server's number any more
            (({"database": "crm"}, None), (HERE, None), True),
            (({}, None), (HERE, None), True),
        ],
    )
    def test_shared_signals_decide_unless_the_name_stays(self, before: Any, now: Any, same: bool) -> None:
        assert isinstance(compare(System(*before), System(*now)), Same) is same

    def test_a_signal_that_is_temporarily_unreadable_is_still_known_afterwards(self) -> None:
        verdict = compare(System(self.HERE), System({"database": "crm"}))
        assert isinstance(verdict, Same)
        assert compare(verdict.known, System(self.COPY)) == Unconfirmed("its server was 1 and is 2")

    def test_a_moved_system_is_remembered_with_its_new_signals(self) -> None:
        verdict = compare(System(self.HERE), System(self.COPY, "crm"))
        assert verdict == Same(System(self.COPY, "crm"))

    def test_another_name_with_other_signals_is_another_system(self) -> None:
        verdict = compare(System(self.HERE, "crm"), System(self.COPY, "staging"))
        assert verdict == Another("its identity was 'crm' and is 'staging', and its server was 1 and is 2")


@pytest.fixture
def linked(databases: Databases) -> Databases:
    """Thirty people on both sides, with notes in erp that are not synced."""
    databases.link(*PEOPLE)
    return databases


def pointed_at(databases: Databases, file: str, **more: str) -> dict[str, Any]:
    """The usual configuration, with crm's URL of another database."""
    config = databases.config()
    config["connectors"]["crm"] |= {"url": f"sqlite:///{databases.directory / file}", **more}
    return config


def copy(databases: Databases, file: str, sql: str = "SELECT 1") -> None:
    shutil.copy(databases.directory / "crm.db", databases.directory / file)
    with closing(sqlite3.connect(databases.directory / file)) as connection:
        connection.executescript(sql)


class TestAnotherDatabaseOfTheSameShape:
    @pytest.mark.parametrize("push", [True, False])
    @pytest.mark.parametrize("scope", ["full", "changes"])
    def test_stops_the_run_before_anything_is_read(self, linked: Databases, scope: str, push: bool) -> None:
        copy(linked, "staging.db", "UPDATE contact SET email = 'q' || email, name = 'Stranger'")
        before = linked.everything()
        for _ in range(2):
            ended = linked.run(scope, push=push, config=pointed_at(linked, "staging.db"))
            assert ended.code == ExitCode.HALTED
            assert "read" not in ended.message
        place = linked.directory
        assert ended.message["reason"] == (
            "crm is not the system that the cache was made for: "
            f"its file was {place}/crm.db and is {place}/staging.db. "
            "If the same system has moved, name it by identity under connectors.crm, such as identity: crm. If it is "
            "another system, reset this sync. No record was read or written"
        )
        assert linked.everything() == before
        assert linked.run().pushed == UNTOUCHED, "the first one is still known"

    def test_continues_when_the_identity_confirms_a_move(self, linked: Databases) -> None:
        copy(linked, "moved.db", "UPDATE contact SET phone = '11' WHERE email = 'p1@x'")
        moved = pointed_at(linked, "moved.db", identity="crm")
        assert linked.run(config=moved).pushed == {"crm": "", "erp": "1 update"}
        assert linked.run(config=moved).pushed == UNTOUCHED
        assert linked.run(config=pointed_at(linked, "moved.db")).code == 0, "the name may go again"
        assert linked.run().code == ExitCode.HALTED, "and the former place is another one now"

    def test_with_the_same_identity_is_the_same_anywhere(self, linked: Databases) -> None:
        linked.run(config=pointed_at(linked, "crm.db", identity="crm"))
        copy(linked, "moved.db")
        assert linked.run(config=pointed_at(linked, "moved.db", identity="crm")).code == 0

    def test_with_another_identity_needs_a_reset(self, linked: Databases) -> None:
        linked.run(config=pointed_at(linked, "crm.db", identity="crm"))
        copy(linked, "staging.db")
        ended = linked.run(config=pointed_at(linked, "staging.db", identity="staging"))
        assert ended.code == ExitCode.CACHE_UNUSABLE
        assert ended.message["reason"].startswith(
            "reset needed: crm is another system now: its identity was 'crm' and is 'staging', and its file was "
        )

    def test_stops_the_run_when_the_two_are_swapped(self, linked: Databases) -> None:
        config = linked.config()
        crm, erp = (config["connectors"][side]["url"] for side in ("crm", "erp"))
        config["connectors"]["crm"]["url"], config["connectors"]["erp"]["url"] = erp, crm
        before = linked.everything()
        ended = linked.run(config=config)
        assert ended.code == ExitCode.HALTED
        assert "crm is not the system" in ended.message["reason"]
        assert "erp is not the system" in ended.message["reason"]
        assert linked.everything() == before


def test_another_path_to_the_same_file_is_the_same_system(linked: Databases) -> None:
    (linked.directory / "here").symlink_to(linked.directory)
    assert linked.run(config=pointed_at(linked, "here/crm.db")).code == 0


class TestSystemIdentity:
    """By the connectors that need no server for it; databases are in tests/worker/test_which_system.py."""

    def signals_of(self, **settings: Any) -> dict[str, str]:
        kind = CONNECTORS[settings["type"]]
        checked = kind.settings.model_validate(settings)
        connector = kind.connect(checked, {"URL": "https://crm.example/s3cret", "TOKEN": "t"}, "crm")
        assert isinstance(connector, Identified)
        try:
            return dict(connector.system(Description("object contact", checked, (), (), False)))
        finally:
            connector.close()

    def api(self, base_url: Any, **more: Any) -> dict[str, str]:
        return self.signals_of(type="http", baseUrl=base_url, **more)

    def files(self, url: Any) -> dict[str, str]:
        return self.signals_of(type="file", url=url)

    def test_is_the_host_and_path_of_an_api(self) -> None:
        here = {"base URL": "crm.example/api"}
        assert self.api("https://crm.example/api") == here
        assert self.api("http://CRM.example:80/api/", auth={"bearer": {"env": "TOKEN"}}) == here
        assert self.api("https://crm.example:8443/api") == {"base URL": "crm.example:8443/api"}

    def test_is_not_shown_when_it_comes_from_a_secret(self) -> None:
        (shown,) = self.api({"env": "URL"}).values()
        assert shown.startswith("sha256:")
        assert "s3cret" not in shown

    def test_is_the_location_of_files(self) -> None:
        assert self.files("/data") == self.files("file:///data/") == {"place": "/data"}
        assert self.files("memory://exports/a") == {"place": "exports /exports/a"}


class TestOtherRecordsUnderTheSameIds:
    """In the same place, as when a backup is restored or a token is of another tenant: only the records tell."""

    def strangers(self, databases: Databases, number: int) -> None:
        for n, (email, name, phone) in enumerate(STRANGERS[:number], 1):
            databases.query(
                "crm", "UPDATE contact SET email = ?, name = ?, phone = ? WHERE id = ?", email, name, phone, n
            )

    def test_stop_every_run_before_anything_is_pushed(self, linked: Databases) -> None:
        self.strangers(linked, 30)
        before = linked.everything()
        by_cursor: dict[str, Any] = {"crm": WITH_CURSOR, "erp": WITH_CURSOR}
        for scope in ("full", "changes", "changes"):
            ended = linked.run(scope, **by_cursor)
            assert ended.code == ExitCode.HALTED
            assert ended.message["reason"].startswith(
                "30 of 30 contact records of crm have another email under the same id, more than the 20 % that "
                "safety.maxRekeyed allows: they may be the records of another database or tenant"
            )
        assert linked.everything() == before

    def test_stop_no_run_after_they_are_gone(self, linked: Databases) -> None:
        before = linked.everything()
        self.strangers(linked, 30)
        linked.run()
        for n, (email, name, phone) in enumerate(PEOPLE, 1):
            linked.query("crm", "UPDATE contact SET email = ?, name = ?, phone = ? WHERE id = ?", email, name, phone, n)
        assert linked.run().pushed == UNTOUCHED
        assert linked.everything()[1] == before[1]

    def test_count_as_edits_within_the_limit(self, linked: Databases) -> None:
        linked.sql("crm", "UPDATE contact SET email = replace(email, '@x', '@new')")
        assert linked.run().code == ExitCode.HALTED
        ended = linked.run(safety={"maxRekeyed": {"percent": 100}})
        assert ended.pushed == {"crm": "", "erp": "30 update"}

    def test_stop_no_run_after_the_one_that_was_allowed_them_also_where_the_other_side_refuses_them(
        self, linked: Databases
    ) -> None:
        linked.sql("crm", "UPDATE contact SET email = replace(email, '@x', '@new') WHERE id <= 15")
        linked.sql(
            "erp", "CREATE TRIGGER no BEFORE UPDATE OF email ON contact BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        assert linked.run(safety={"maxRekeyed": {"percent": 100}}).message["waiting"] == 15
        linked.edit("crm", "p29@x", name="edited")
        ended = linked.run()
        assert (ended.code, ended.pushed["erp"]) == (0, "1 update")
        linked.sql("crm", "UPDATE contact SET email = replace(email, '@x', '@other')")
        assert linked.run().message["reason"].startswith("15 of 30 contact records of crm have another email")

    def test_stop_runs_with_several_match_fields_too(self, databases: Databases) -> None:
        databases.add("crm", *PEOPLE)
        databases.run(match=["email", "name"])
        databases.sql("crm", "UPDATE contact SET name = name || ' the second'")
        assert databases.run(match=["email", "name"]).code == ExitCode.HALTED

    def test_are_accepted_up_to_the_limit(self, linked: Databases) -> None:
        linked.sql("crm", "UPDATE contact SET email = replace(email, '@x', '@new') WHERE id <= 10")
        assert linked.run().pushed == {"crm": "", "erp": "10 update"}

    def test_are_not_values_that_differ_only_in_case(self, linked: Databases) -> None:
        linked.sql("crm", "UPDATE contact SET email = upper(email)")
        assert linked.run().code == 0
