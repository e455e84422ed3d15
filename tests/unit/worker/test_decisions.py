"""A decision settles the conflict that it is about, once, and nothing that has been edited since."""

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.run import report

from .databases import FIELDS, SIDES, WITH_CURSOR, Databases, Ended

BOTH_CHANGED = "it was changed on both sides, to different values"


def about(id_: Any = 1, field: str = "name", take: str = "crm", **more: Any) -> dict[str, Any]:
    return {"object": "contact", "id": id_, "connector": "crm", "field": field, "take": take, **more}


class Sync:
    """Ada and Ben on both sides, whose names and phones were changed on both: four conflicts."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        databases.add("crm", ("ada@x", "Ada", "1"), ("ben@x", "Ben", "2"))
        databases.run(conflict="park")
        for side in SIDES:
            for who in ("ada", "ben"):
                databases.edit(side, f"{who}@x", name=f"{who} of {side}", phone=f"{who} at {side}")
        assert self.run().message["waiting"] == 4

    def run(self, *decisions: dict[str, Any], text: str | None = None, **how: Any) -> Ended:
        """The next run; the file of decisions stands as it is where none are given."""
        file = self.databases.directory / "decisions.json"
        if decisions or text is not None:
            file.write_text(json.dumps(decisions) if text is None else text)
        environment = {"SYNC_DECISIONS": str(file) if file.exists() else ""}
        if how.pop("plan", False):
            environment["SYNC_PLAN"] = "true"
        return self.databases.run(environment=environment, **{"conflict": "park", **how})

    def names(self, side: str) -> list[str]:
        return [name for _, name, _ in self.databases.contacts(side)]

    def phones(self, side: str) -> list[str]:
        return [phone for _, _, phone in self.databases.contacts(side)]


@pytest.fixture
def sync(databases: Databases) -> Sync:
    return Sync(databases)


def undecided(ended: Ended) -> list[tuple[Any, ...]]:
    """(id, field, reason) of the decisions that were not carried out."""
    assert ended.code == 0
    lines = [line for line in ended.lines if line["type"] == "undecided"]
    return [(line["id"], line["field"], line["reason"]) for line in lines]


@pytest.mark.parametrize("take", SIDES)
def test_the_side_that_is_taken_wins_and_all_else_waits(sync: Sync, take: str) -> None:
    ended = sync.run(about(take=take))
    assert undecided(ended) == []
    assert [sync.names(side) for side in SIDES] == [[f"ada of {take}", f"ben of {side}"] for side in SIDES]
    assert [sync.phones(side) for side in SIDES] == [[f"ada at {side}", f"ben at {side}"] for side in SIDES]
    assert (ended.message["waiting"], ended.message["conflicts"]) == (3, 0)
    assert ended.message["reason"] == "3 waiting for a decision: see the run's log; fields settled as decided: 1"


def test_a_plan_says_what_they_settle_and_settles_nothing(sync: Sync) -> None:
    before = sync.databases.everything()
    planned = sync.run(about(), push=False, plan=True)
    counts = {side["connector"]: side["update"] for side in planned.message["plan"]["sides"]}
    assert counts == {"crm": 0, "erp": 1}
    assert planned.message["reason"].endswith("fields settled as decided: 1")
    assert len([line for line in planned.lines if line["type"] == "waiting"]) == 3
    assert sync.databases.everything() == before
    assert sync.run().pushed == {"crm": "", "erp": "1 update"}


@pytest.mark.parametrize(
    ("decision", "left"),
    [
        (about([1, 2]), 2),
        (about(field="*"), 2),
        (about("*"), 2),
        (about("*", "*"), 0),
        (about("1"), 3),
        (about("1", connector="erp"), 3),
    ],
    ids=["two records", "all fields", "all records", "all", "an id as text", "the other side's id"],
)
def test_it_is_about_what_it_names(sync: Sync, decision: dict[str, Any], left: int) -> None:
    ended = sync.run(decision)
    assert (undecided(ended), ended.message["waiting"]) == ([], left)


def test_the_later_of_two_decisions_counts(sync: Sync) -> None:
    sync.run(about("*", "*"), about(2, "phone", "erp"))
    assert sync.phones("crm") == sync.phones("erp") == ["ada at crm", "ben at erp"]


def test_it_is_carried_out_once_and_settles_no_later_conflict(sync: Sync) -> None:
    sync.run(about())
    for side in SIDES:
        sync.databases.edit(side, "ada@x", name=f"again {side}")
    assert sync.run().message["waiting"] == 4
    ended = sync.run(about(), about(2))
    assert (undecided(ended), ended.message["waiting"]) == ([], 3)
    assert sync.names("erp") == ["again erp", "ben of crm"]


def test_the_same_decision_at_another_time_is_another_one(sync: Sync) -> None:
    sync.run(about())
    for side in SIDES:
        sync.databases.edit(side, "ada@x", name=f"again {side}")
    sync.run()
    sync.run(about(at="later"))
    assert sync.names("erp")[0] == "again crm"


def test_an_edit_made_since_on_the_other_side_is_not_overwritten(sync: Sync) -> None:
    sync.databases.edit("erp", "ada@x", name="Countess")
    ended = sync.run(about())
    reason = "the field was edited since it was set aside, and waits again"
    assert undecided(ended) == [(1, "name", reason)]
    assert [sync.names(side)[0] for side in SIDES] == ["ada of crm", "Countess"]
    assert (ended.message["waiting"], ended.message["conflicts"]) == (4, 1)
    assert sync.run().message["waiting"] == 4


def test_an_edit_made_since_on_the_side_that_is_taken_arrives(sync: Sync) -> None:
    sync.databases.edit("crm", "ada@x", name="Countess")
    assert undecided(sync.run(about())) == []
    assert [sync.names(side)[0] for side in SIDES] == ["Countess", "Countess"]


def test_a_policy_decides_where_an_edit_contradicts_the_decision(sync: Sync) -> None:
    sync.databases.edit("erp", "ada@x", name="Countess")
    ended = sync.run(about(), conflict="erp")
    reason = "the field was edited since it was set aside, and the conflict policy took the other side"
    assert undecided(ended) == [(1, "name", reason)]
    assert sync.names("crm") == ["Countess", "ben of erp"]


def test_a_decision_goes_before_the_policy(sync: Sync) -> None:
    sync.run(about(), conflict="erp")
    assert sync.names("erp") == ["ada of crm", "ben of erp"]


def test_a_changed_policy_settles_each_field_that_waits(sync: Sync) -> None:
    assert sync.run(conflict="crm").message["waiting"] == 0
    assert (sync.names("erp"), sync.phones("erp")) == (sync.names("crm"), sync.phones("crm"))


def test_a_read_only_run_carries_none_out(sync: Sync) -> None:
    before = sync.databases.everything()
    sync.run(about(), push=False)
    assert sync.databases.everything() == before


NO_CURSOR = "crm and erp have no cursor that tells which side is newer: take a connector"


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (about(object="company"), "spec.sync has no object of this name"),
        (about(connector="hr"), "there is no connector of this name, only crm and erp"),
        (about(field="fax"), "the object has no field of this name"),
        (about(take="hr"), "take must be crm, erp or newest"),
        (about(take="newest"), NO_CURSOR),
        (about(77), "no record of crm with this id is known"),
        (about("a'; DROP TABLE record"), "no record of crm with this id is known"),
        (about(10**30), "no record of crm with this id is known"),
        (about(field="email"), "it waits for no decision"),
        (about("*", "email"), "no conflict of these waits for a decision"),
    ],
    ids=lambda each: "" if isinstance(each, dict) else each,
)
def test_an_impossible_decision_is_reported_and_fails_nothing(
    sync: Sync, decision: dict[str, Any], reason: str
) -> None:
    before = sync.databases.everything()
    ended = sync.run(decision)
    assert undecided(ended) == [(decision["id"], decision["field"], reason)]
    assert ended.message["reason"].endswith("1 decisions not carried out: see the run's log")
    assert sync.databases.everything() == before
    assert undecided(sync.run()) == []


def test_a_record_that_waits_whole_is_settled_by_an_edit_only(sync: Sync) -> None:
    sync.databases.add("crm", (None, "Nobody", None))
    sync.run()
    reason = "it waits for a reason that only an edit settles: it cannot be matched: it has no email"
    assert undecided(sync.run(about(3, "*"))) == [(3, "*", reason)]


def test_a_record_gone_from_one_side_is_reported(sync: Sync) -> None:
    sync.databases.delete("erp", "ada@x")
    assert undecided(sync.run(about())) == [(1, "name", "the record is gone from one side")]
    assert sync.names("crm")[0] == "ada of crm"


def test_a_field_that_does_not_go_that_way_any_more_waits_as_before(sync: Sync) -> None:
    fields = [{**field, "direction": "to-erp"} if field["crm"] == "name" else field for field in FIELDS]
    ended = sync.run(about(take="erp"), fields=fields)
    assert undecided(ended) == [(1, "name", "the field is not written to crm: see its direction and writes")]
    assert undecided(sync.run(about(at="later"), fields=fields)) == []
    assert sync.names("erp")[0] == "ada of crm"


@pytest.mark.parametrize("text", ["[", "{}", '[{"object": "contact"}]', "null", "\0"])
def test_a_file_that_cannot_be_read_is_warned_of_and_carries_nothing_out(sync: Sync, text: str) -> None:
    before = sync.databases.everything()
    ended = sync.run(text=text)
    (warning,) = [line["reason"] for line in ended.lines if line["type"] == "warning"]
    assert warning.startswith("the decisions cannot be read, and none is carried out: ")
    assert (ended.code, sync.databases.everything()) == (0, before)


def test_a_decision_about_a_refused_record_stays_until_the_record_can_be_written(sync: Sync) -> None:
    refusing = "CREATE TRIGGER no BEFORE UPDATE OF name ON contact BEGIN SELECT RAISE(ABORT, 'closed today'); END"
    sync.databases.sql("erp", refusing)
    ended = sync.run(about())
    assert undecided(ended) == []
    assert ("crm", "", "erp refuses it: closed today") in ended.parked
    sync.databases.sql("erp", "DROP TRIGGER no")
    assert sync.databases.run(conflict="park").message["waiting"] == 3
    assert sync.names("erp")[0] == "ada of crm"


class TestNewest:
    @pytest.mark.parametrize(("versions", "wins"), [((5, 9), "erp"), ((9, 5), "crm")])
    def test_the_side_that_was_changed_last_wins(
        self, databases: Databases, versions: tuple[int, int], wins: str
    ) -> None:
        sync = _with_versions(databases, versions)
        assert undecided(sync.run(about(take="newest"), crm=WITH_CURSOR, erp=WITH_CURSOR)) == []
        assert [sync.names(side)[0] for side in SIDES] == [f"ada of {wins}"] * 2

    def test_an_undecidable_field_waits(self, databases: Databases) -> None:
        sync = _with_versions(databases, (9, 9))
        ended = sync.run(about(take="newest"), crm=WITH_CURSOR, erp=WITH_CURSOR)
        reason = "the records' times do not tell which side is newer; take a connector's side"
        assert undecided(ended) == [(1, "name", reason)]
        assert ended.message["waiting"] == 4


def _with_versions(databases: Databases, versions: tuple[int, int]) -> Sync:
    sync = Sync(databases)
    for side, version in zip(SIDES, versions, strict=True):
        databases.query(side, "UPDATE contact SET version = ? WHERE email = 'ada@x'", version)
    return sync


def test_decisions_beyond_the_log_limit_are_counted(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "WAITING_LINES", 10)
    ended = sync.run(about([*range(100, 150)]))
    assert len(undecided(ended)) == 10
    assert ended.message["reason"].endswith("50 decisions not carried out: see the run's log")


def test_five_thousand_decisions_at_once_are_all_carried_out(databases: Databases) -> None:
    databases.add("crm", *((f"p{n}@x", "Name", "1") for n in range(5000)))
    databases.run(conflict="park")
    for side in SIDES:
        databases.sql(side, f"UPDATE contact SET name = '{side} of ' || email")  # noqa: S608
    assert databases.run(conflict="park").message["waiting"] == 5000
    ids = [id_ for (id_,) in databases.query("crm", "SELECT id FROM contact")]
    (databases.directory / "decisions.json").write_text(json.dumps([about(ids)]))
    decided = databases.run(
        conflict="park", environment={"SYNC_DECISIONS": str(databases.directory / "decisions.json")}
    )
    assert undecided(decided) == []
    assert (decided.message["waiting"], decided.pushed) == (0, {"crm": "", "erp": "5000 update"})
    assert databases.contacts("erp") == databases.contacts("crm")


def test_a_record_that_several_columns_identify_is_named_by_their_list(tmp_path: Path) -> None:
    databases = Databases(tmp_path)
    line = "CREATE TABLE line (order_no INTEGER, line_no INTEGER, text TEXT, PRIMARY KEY (order_no, line_no))"
    place = {"table": "line", "id": ["order_no", "line_no"]}
    fields = [{"crm": name, "erp": name} for name in ("order_no", "line_no", "text")]
    for side in SIDES:
        databases.sql(side, f"{line}; INSERT INTO line VALUES (7, 1, 'one'), (7, 2, 'two')")  # noqa: S608
    how: Any = {"conflict": "park", "name": "line", "crm": place, "erp": place, "fields": fields}
    how["match"] = ["order_no", "line_no"]
    databases.run(**how)
    for side in SIDES:
        databases.sql(side, f"UPDATE line SET text = 'of {side}'")  # noqa: S608
    parked = databases.run(**how)
    assert parked.message["waiting"] == 2
    id_ = next(line["id"] for line in parked.lines if line["type"] == "parked" and line["id"] == "[7,2]")
    (tmp_path / "decisions.json").write_text(json.dumps([{**about(id_, field="text"), "object": "line"}]))
    decided = databases.run(**how, environment={"SYNC_DECISIONS": str(tmp_path / "decisions.json")})
    assert undecided(decided) == []
    assert databases.query("erp", "SELECT text FROM line ORDER BY line_no") == [("of erp",), ("of crm",)]
