"""Whole runs of the worker between any two kinds of systems: both become the same, and then nothing is written."""

import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.main import work
from tidegate.worker.values.normal_form import normal

from .connector_systems import FIELDS, Rest, System, sqlite
from .rest_server import DROPPED, Api, Fault, Reply

SIDES = ("crm", "erp")
NOTHING = {side: {"create": 0, "update": 0, "delete": 0} for side in SIDES}
BORN = datetime(1990, 1, 2, 3, 4, 5)


class Sync:
    """crm and erp with a sync between them; where both were edited, erp wins."""

    def __init__(self, systems: Sequence[System], directory: Path) -> None:
        self.crm, self.erp = systems
        self._directory = directory
        self._runs = 0
        (directory / "cache").mkdir()
        config = {
            "connectors": {"crm": self.crm.connector, "erp": self.erp.connector},
            "objects": [
                {
                    "name": "contact",
                    "crm": self.crm.place,
                    "erp": self.erp.place,
                    "match": ["email"],
                    "fields": [
                        {"crm": name, "erp": name, **({"match": "casefold"} if name == "email" else {})}
                        for name in FIELDS
                    ],
                    "conflict": "erp",
                    "deletes": "propagate",
                }
            ],
            "overlap": "0s",
        }
        (directory / "sync.json").write_text(json.dumps(config))

    def attempt(self) -> int:
        """Another attempt at the first run; its exit code."""
        self._runs = 1
        return self._work(self._runs, "full", push=True)[0]

    def run(self, scope: str = "full", *, push: bool = True) -> dict[str, Any]:
        """A run; what was pushed, by side."""
        self._runs += 1
        code, message = self._work(self._runs, scope, push=push)
        assert (code, message["reason"]) == (0, "")
        pushed: dict[str, Any] = message["pushed"]
        return pushed

    def _work(self, run: int, scope: str, *, push: bool) -> tuple[int, dict[str, Any]]:
        environment = {
            "SYNC_PROTOCOL": "1",
            "SYNC_RUN": str(run),
            "SYNC_SCOPE": scope,
            "SYNC_PUSH": str(push).lower(),
            "SYNC_CACHE_DIR": str(self._directory / "cache"),
            "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self._directory / "sync.json"),
            "SYNC_TERMINATION_LOG": str(self._directory / "message"),
        }
        code = work(environment, io.StringIO(), lambda: False)
        return code, json.loads((self._directory / "message").read_text())


def contacts(system: System) -> list[tuple[str | None, ...]]:
    rows = [tuple(map(normal, values)) for values in system.contacts().values()]
    return sorted((str(email).casefold(), *rest) for email, *rest in rows)


def key_of(system: System, email: str) -> Any:
    return next(key for key, values in system.contacts().items() if values[0] == email)


@pytest.fixture
def sync(two_systems: Sequence[System], tmp_path: Path) -> Sync:
    return Sync(two_systems, tmp_path)


def test_both_systems_converge_and_stay_equal(sync: Sync) -> None:
    crm, erp = sync.crm, sync.erp
    for n in range(8):
        crm.add(email=f"p{n}@x", name=f'Zoë {n}, "Z"\n', score=n, **({"born": BORN} if n == 7 else {}))
    for n in range(5, 12):
        erp.add(email=f"P{n}@X", name=f'Zoë {n}, "Z"\n', score=n, born=BORN)
    assert sync.run() == {
        "crm": {"create": 4, "update": 2, "delete": 0}, "erp": {"create": 5, "update": 0, "delete": 0}
    }  # fmt: skip
    born = normal(BORN)
    assert (
        contacts(crm)
        == contacts(erp)
        == sorted((f"p{n}@x", f'Zoë {n}, "Z"\n', str(n), born if n >= 5 else None) for n in range(12))
    )
    assert [sync.run(), sync.run("changes")] == [NOTHING, NOTHING]

    crm.edit(key_of(crm, "p0@x"), name="edited in crm")
    erp.edit(key_of(erp, "p1@x"), score=100, born=BORN)
    crm.edit(key_of(crm, "p2@x"), name="by crm", score=7)
    erp.edit(key_of(erp, "p2@x"), name="by erp")
    crm.add(email="new@crm", name="", score=1)
    erp.add(email="new@erp", born=BORN)
    crm.remove(key_of(crm, "p3@x"))
    erp.remove(key_of(erp, "p4@x"))
    assert sync.run() == {
        "crm": {"create": 1, "update": 2, "delete": 1}, "erp": {"create": 1, "update": 2, "delete": 1}
    }  # fmt: skip
    assert contacts(crm) == contacts(erp)
    rows = {row[0]: row[1:] for row in contacts(crm)}
    assert rows["p0@x"][0] == "edited in crm"
    assert rows["p1@x"][1:] == ("100", born)
    assert rows["p2@x"][:2] == ("by erp", "7")
    assert rows["new@crm"] == (None, "1", None)
    assert rows["new@erp"] == (None, None, born)
    assert rows.keys().isdisjoint({"p3@x", "p4@x"})
    assert [sync.run("changes"), sync.run()] == [NOTHING, NOTHING]


def test_scope_changes_is_enough_for_edits_and_new_records(sync: Sync) -> None:
    for n in range(4):
        sync.crm.add(email=f"p{n}@x", name=f"N{n}")
    sync.run()
    sync.crm.edit(key_of(sync.crm, "p1@x"), name="edited in crm")
    sync.erp.edit(key_of(sync.erp, "p2@x"), name="edited in erp")
    sync.erp.add(email="new@erp")
    sync.run("changes")
    assert contacts(sync.crm) == contacts(sync.erp)
    assert len(contacts(sync.crm)) == 5


def test_a_read_only_run_writes_to_neither_side_and_its_records_are_accepted(sync: Sync) -> None:
    for system, name in ((sync.crm, "C"), (sync.erp, "E")):
        system.add(email="both@x", name=name, score=1)
        system.add(email=f"only@{name}", name=name)
    before = contacts(sync.crm), contacts(sync.erp)
    assert sync.run(push=False) == NOTHING
    assert [sync.run(), sync.run("changes")] == [NOTHING, NOTHING]
    assert (contacts(sync.crm), contacts(sync.erp)) == before
    sync.crm.edit(key_of(sync.crm, "both@x"), score=2)
    pushed = sync.run()
    assert pushed == {**NOTHING, "erp": {"create": 0, "update": 1, "delete": 0}}
    assert ("both@x", "E", "2", None) in contacts(sync.erp)


@pytest.mark.parametrize("find", [{"email": "{email}"}, "scan"], ids=["asking", "scanning"])
@pytest.mark.parametrize("reply", [DROPPED, Reply(504)], ids=["dropped", "timed out"])
def test_a_create_with_a_lost_answer_makes_no_duplicate(api: Api, tmp_path: Path, find: Any, reply: Reply) -> None:
    rest, table = Rest(api), sqlite(tmp_path)
    rest.place["find"] = find
    sync = Sync((table, rest), tmp_path)
    for n in range(20):
        table.add(email=f"p{n}@x", name=f"N{n}")
    api.faults = [Fault(Reply(429, None, {"Retry-After": "0"}), "POST", times=2), Fault(reply, "POST", done=True)]
    assert sync.attempt() == 0  # the records of the batch are sent again one by one, after a look-up
    assert contacts(rest) == contacts(table)
    assert [sync.run(), sync.run("changes")] == [NOTHING, NOTHING]
    assert len(api.contacts) == 20
