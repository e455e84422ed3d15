"""`tidegate-worker plan`: it says what the next full run would do, and writes nothing anywhere."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode
from tidegate.worker.cache.store import Cache
from tidegate.worker.commands.plan import Plan, plan
from tidegate.worker.errors import CacheLocked, ConfigurationError, Halted, Paused
from tidegate.worker.main import main

from .databases import SIDES, Databases
from .declared_form import declared
from .test_references import Firms


def planned(databases: Databases, config: Any = None, *, cache: bool = True, **more: bool) -> Plan:
    text = json.dumps(config or databases.config()).encode()
    return plan(text, {}, databases.cache if cache else None, lambda: False, **more)


def counts(found: Plan) -> dict[str, str]:
    """What would be written to each side, in the words of `Ended.pushed`."""
    said = {}
    for name in SIDES:
        sums = {what: sum(getattr(s, what) for s in found.sides if s.connector == name) for what in _VERBS}
        said[name] = ", ".join(f"{number} {what}" for what, number in sums.items() if number)
    return said


_VERBS = ("create", "update", "delete")


def everything(databases: Databases) -> tuple[Any, ...]:
    """What the systems hold, and each byte of the cache's directory."""
    return databases.everything(), {file.name: file.read_bytes() for file in databases.cache.iterdir()}


def test_a_plan_counts_what_the_run_would_write_and_writes_nothing(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"), ("b@x", "Bob"))
    databases.add("erp", ("b@x", "Bob"), ("c@x", "Cid"))
    databases.run(deletes="propagate", safety={"maxDeletes": {"percent": 100, "min": 10}})
    databases.delete("crm", "a@x")
    databases.edit("erp", "b@x", name="Bobby")
    databases.add("crm", ("d@x", "Dora"))
    config = databases.config(deletes="propagate", safety={"maxDeletes": {"percent": 100, "min": 10}})
    before = everything(databases)
    found = planned(databases, config)
    assert everything(databases) == before
    assert counts(found) == {"crm": "1 update", "erp": "1 create, 1 delete"}
    assert (found.first, found.would_halt, found.remarks) == (False, [], [])
    assert databases.run(config=config).pushed == counts(found)


def test_without_a_cache_a_first_run_is_planned(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"))
    databases.run()
    databases.delete("erp", "a@x")
    found = planned(databases, cache=False)
    assert (found.first, counts(found)) == (True, {"crm": "", "erp": "1 create"})


def test_details_name_records_and_fields_and_show_values_only_on_request(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"), ("b@x", "Bob"))
    databases.add("erp", ("b@x", "Robert"))
    assert planned(databases, cache=False).details == []
    contact = {"type": "planned", "object": "contact"}
    updated = {**contact, "connector": "crm", "what": "update", "id": 2}
    created = {**contact, "connector": "erp", "what": "create", "id": "(new 1)"}
    assert planned(databases, cache=False, details=True).details == [
        {**updated, "fields": ["name"]}, {**created, "fields": ["email", "name"]},
    ]  # fmt: skip
    assert planned(databases, cache=False, values=True).details == [
        {**updated, "match": {"email": "b@x"}, "fields": {"name": ["Bob", "Robert"]}},
        {**created, "fields": {"email": [None, "a@x"], "name": [None, "Ada"]}},
    ]


def test_records_that_would_be_set_aside_are_counted_with_their_reasons(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"), ("a@x", "Eve"))
    found = planned(databases, cache=False, details=True)
    assert [side.set_aside for side in found.sides] == [2, 0]
    assert [(each["type"], each["id"]) for each in found.details] == [("waiting", 1), ("waiting", 2)]
    assert all("the same email" in each["reason"] for each in found.details)
    assert "held" not in found.details[0], "a record that waits whole waits for no field's value"


def test_both_values_of_a_waiting_field_are_shown_on_request(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"))
    databases.run(conflict="park")
    databases.edit("crm", "a@x", name="Ada Lovelace")
    databases.edit("erp", "a@x", name="Ada King")
    config = databases.config(conflict="park")
    (named,) = planned(databases, config, details=True).details
    assert (named["type"], named["field"]) == ("waiting", "name")
    assert {"match", "held"} & set(named) == set()
    (shown,) = planned(databases, config, values=True).details
    assert shown["match"] == {"email": "a@x"}
    assert shown["held"] == {"crm": "Ada Lovelace", "erp": "Ada King"}


def test_records_that_refer_to_each_other_are_planned_together(databases: Databases) -> None:
    firms = Firms(databases)
    firms.sql("crm", "INSERT INTO company VALUES (1, 'Acme')")
    firms.sql("crm", "INSERT INTO person (id, email, company, boss) VALUES (1, 'a@x', 1, 2), (2, 'b@x', 1, NULL)")
    found = planned(databases, firms.config(), cache=False)
    assert {(side.object, side.connector): side.create for side in found.sides if side.connector == "erp"} == {
        ("company", "erp"): 1, ("person", "erp"): 2,
    }  # fmt: skip
    assert firms.run().pushed == counts(found)


def test_a_run_that_would_halt_is_planned_to_its_end(databases: Databases) -> None:
    databases.add("crm", ("a@x", "Ada"), ("b@x", "Bob"))
    databases.run(deletes="propagate")
    databases.delete("crm", "a@x", "b@x")
    found = planned(databases, databases.config(deletes="propagate"))
    (reason,) = found.would_halt
    assert reason.startswith("crm no longer has any contact, and had 2 before")
    assert counts(found) == {"crm": "", "erp": "2 delete"}
    assert databases.run(deletes="propagate").code == ExitCode.HALTED


def test_a_plan_after_an_interrupted_run_shows_the_remaining_work(databases: Databases) -> None:
    databases.add("crm", *[(f"p{n}@x", "name") for n in range(1200)])
    steps = iter([False] * 5)
    interrupted = databases.run(interrupted=lambda: next(steps, True), pace={"recordsPerSecond": 100_000})
    assert interrupted.code == ExitCode.PAUSED
    before = everything(databases)
    found = planned(databases)
    assert everything(databases) == before
    assert len(databases.contacts("erp")) + found.sides[1].create == 1200


class TestAPlanIsRefused:
    def test_while_a_run_has_the_cache(self, databases: Databases) -> None:
        databases.run()
        with closing(Cache(databases.cache, "1")), pytest.raises(CacheLocked, match="another process is working"):
            planned(databases)

    def test_of_a_missing_cache(self, databases: Databases) -> None:
        with pytest.raises(ConfigurationError, match=r"there is no cache in .*: leave out --cache to plan a first run"):
            planned(databases)

    def test_for_databases_other_than_the_cache_s(self, databases: Databases) -> None:
        databases.add("crm", ("a@x", "Ada"))
        databases.run()
        crm, erp = (databases.config()["connectors"][name] for name in SIDES)
        with pytest.raises(Halted):
            planned(databases, databases.config(connectors={"crm": erp, "erp": crm}))

    def test_that_is_interrupted(self, databases: Databases) -> None:
        text = json.dumps(databases.config()).encode()
        with pytest.raises(Paused):
            plan(text, {}, None, lambda: True)


def test_the_command_prints_counts_and_ends_as_the_run_would(
    databases: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    databases.add("crm", ("a@x", "\x1b[31mAda"))
    spec = {"status": "ON", "sync": declared(databases.config())}
    manifest = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "SyncIntegration", "metadata": {"name": "a"}}
    path = databases.directory / "contacts.yaml"
    path.write_text(yaml.safe_dump({**manifest, "spec": spec}))
    assert main(["plan", str(path), "--values"]) == ExitCode.COMPLETE
    assert capsys.readouterr().out.splitlines() == [
        "contact in crm: 0 created, 0 updated, 0 deleted",
        "contact in erp: 1 created, 0 updated, 0 deleted",
        '    create (new 1): email "a@x", name "\\u001b[31mAda"',
        "this is a first run: without --cache nothing is known of earlier ones",
        "✓ nothing was written; PastAndFuture pushes this, and FutureOnly skips it",
    ]
    databases.run()
    databases.delete("crm", "a@x")
    assert main(["plan", str(path), "--cache", str(databases.cache), "--json"]) == ExitCode.HALTED
    found = json.loads(capsys.readouterr().out)
    assert len(found["would_halt"]) == 1


_EMAILS = st.sampled_from(["a@x", "b@x", "c@x", "d@x"])
_ACTS = st.lists(
    st.tuples(st.sampled_from(SIDES), st.sampled_from(["add", "edit", "rename", "delete"]), _EMAILS, _EMAILS),
    max_size=6,
)


@settings(max_examples=settings().max_examples // 4)
@given(
    rounds=st.lists(_ACTS, min_size=1, max_size=3),
    conflict=st.sampled_from(["crm", "erp", "park"]),
    deletes=st.sampled_from(["unlink", "propagate"]),
)
def test_a_run_does_what_the_plan_showed(
    directory_in_memory: Path, rounds: list[list[tuple[str, str, str, str]]], conflict: str, deletes: str
) -> None:
    with TemporaryDirectory(dir=directory_in_memory) as directory:
        databases = Databases(Path(directory))
        safety = {"maxDeletes": {"percent": 100, "min": 100}, "maxRekeyed": {"percent": 100}, "emptySide": "allow"}
        config = databases.config(conflict=conflict, deletes=deletes, safety=safety)
        databases.run(config=config)
        for number, acts in enumerate(rounds):
            for side, what, email, other in acts:
                _act(databases, side, what, email, other, f"value {number}")
            before = everything(databases)
            found = planned(databases, config)
            assert everything(databases) == before
            ended = databases.run(config=config)
            assert ended.pushed == counts(found)
            assert ended.message["waiting"] == sum(side.set_aside for side in found.sides)


def _act(databases: Databases, side: str, what: str, email: str, other: str, value: str) -> None:
    with closing(sqlite3.connect(databases.directory / f"{side}.db")) as connection, connection:
        if what == "add":
            connection.execute("INSERT INTO contact (email, name) VALUES (?, ?)", (email, f"{value} of {side}"))
        elif what == "edit":
            connection.execute("UPDATE contact SET name = ? WHERE email = ?", (f"{value} of {side}", email))
        elif what == "rename":
            connection.execute("UPDATE contact SET email = ? WHERE email = ?", (other, email))
        else:
            connection.execute("DELETE FROM contact WHERE email = ?", (email,))
