"""Nothing is written before a person has approved it: two PostgreSQL databases log every row that the worker writes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.api.contract import ExitCode

from .postgresql import PostgreSQL
from .two_databases import Contact, Ended, TwoDatabases

ALWAYS = {"SYNC_APPROVAL": "always"}
UNTOUCHED: list[dict[str, int]] = [{}, {}]
PEOPLE: list[Contact] = [(f"p{n:04}@x", f"name {n}", None) for n in range(1500)]


@pytest.fixture
def systems(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    """crm has a thousand contacts, and erp half of them with phone numbers, and five hundred others."""
    systems = TwoDatabases(postgresql_server, tmp_path)
    systems.configure(deletes="propagate")
    systems.add("crm", *PEOPLE[:1000])
    systems.add("erp", *((email, name, "1") for email, name, _ in PEOPLE[500:]))
    yield systems
    systems.close()


def written(systems: TwoDatabases) -> list[dict[str, int]]:
    return [systems.written(name) for name in ("crm", "erp")]


def approval(halted: Ended) -> dict[str, str]:
    assert halted.code == ExitCode.HALTED
    found = json.dumps(halted.message["found"])
    return {**ALWAYS, "SYNC_APPROVED": str(halted.message["run"]), "SYNC_CONFIRMED": found}


def test_nothing_is_written_until_it_is_approved_and_then_what_was_shown(systems: TwoDatabases) -> None:
    halted = systems.run(1, told=ALWAYS)
    shown = {(each["what"], each["connector"]): each["count"] for each in halted.message["found"]}
    assert shown == {("creates", "crm"): 500, ("updates", "crm"): 500, ("creates", "erp"): 500}
    halted = systems.run(2, told={**approval(halted), "SYNC_APPROVED": "7"})
    assert halted.code == ExitCode.HALTED, "it is not run 7 that has halted"
    assert written(systems) == UNTOUCHED
    assert systems.run(3, told=approval(halted)).code == 0
    assert written(systems) == [{"insert": 500, "update": 500}, {"insert": 500}]
    assert systems.contacts("crm") == systems.contacts("erp")


def test_a_run_that_is_killed_writes_nothing_unapproved_and_no_more_than_was_approved(systems: TwoDatabases) -> None:
    for _ in range(2):
        with systems.process(1, told=ALWAYS) as process:
            while (systems.message() or {}).get("phase") != "guard":
                assert process.poll() is None, "it has ended before it could be killed while it counts"
                time.sleep(0.001)
    told = approval(systems.run(1, told=ALWAYS))
    assert written(systems) == UNTOUCHED
    with systems.process(2, told=told) as process:
        while not systems.written("erp"):
            assert process.poll() is None, "it has ended before it could be killed while it pushes"
    assert systems.run(2, told=told).code == 0
    assert written(systems) == [{"insert": 500, "update": 500}, {"insert": 500}]
