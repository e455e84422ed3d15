"""What waits for a human is named by every run's log, listed by a command, and settled by an edit."""

from pathlib import Path

import pytest

from tidegate.worker.cache.store import Cache
from tidegate.worker.main import main
from tidegate.worker.run import steps

from .databases import SIDES, Databases

BOTH_CHANGED = "it was changed on both sides, to different values"
SETTLE = "waiting for a decision: edit the record in either system, and the next run applies the edit"


@pytest.fixture
def waiting(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Databases:
    """A conflict since run 2, and since run 3 a record that cannot be matched; the environment of the last run."""
    databases.add("crm", ("ada@x", "Ada", "1"))
    databases.run(conflict="park")
    for side in ("crm", "erp"):
        databases.edit(side, "ada@x", name=f"Ada of {side}")
    databases.run(conflict="park")
    databases.add("erp", (None, "Nobody", None))
    databases.run(conflict="park")
    for name, value in databases.environment(3).items():
        monkeypatch.setenv(name, value)
    return databases


def test_every_run_lists_everything_that_waits_regardless_of_its_age(waiting: Databases) -> None:
    ended = waiting.run(conflict="park")
    assert sorted(ended.parked) == [
        ("crm", "name", BOTH_CHANGED),
        ("erp", "", "it cannot be matched: it has no email"),
    ]
    assert ended.message["parked"] == 2


def test_the_log_names_all_that_waits_up_to_a_limit_and_then_how_many_more(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "WAITING_LINES", 120)
    databases.add("crm", *((f"{n}@x", "Ada", "1") for n in range(125)))
    databases.run(conflict="park")
    for side in SIDES:
        databases.query(side, "UPDATE contact SET name = ?", f"of {side}")
    databases.run(conflict="park")
    ended = databases.run(conflict="park")
    assert len(set(ended.parked)) == 1
    assert len(ended.parked) == 120
    assert [line["reason"] for line in ended.lines if line["type"] == "warning"] == [
        "5 more wait for a decision than the 120 that this log names; "
        "`tidegate-worker conflicts` lists all of them, in a Pod that mounts the cache"
    ]


def test_settled_conflicts_are_no_longer_listed(waiting: Databases) -> None:
    waiting.edit("crm", "ada@x", name="Ada Lovelace")
    waiting.query("erp", "UPDATE contact SET email = 'nobody@x' WHERE email IS NULL")
    assert waiting.run(conflict="park").parked == []


def test_conflicts_are_listed_with_their_record_and_age(waiting: Databases, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conflicts"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"contact 1 of crm and 1 of erp, field name, since run 2: {BOTH_CHANGED}",
        "contact 2 of erp, since run 3: it cannot be matched: it has no email",
        f"2 {SETTLE}",
    ]


def test_their_values_are_read_from_both_systems_and_shown_as_inert_text(
    waiting: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting.query("erp", "UPDATE contact SET name = char(27) || '[31mréd' WHERE email = 'ada@x'")
    assert main(["conflicts", "--values"]) == 0
    assert capsys.readouterr().out.splitlines()[1:4] == [
        '    match email: "ada@x"',
        '    crm: "Ada of crm"',
        '    erp: "\\u001b[31mréd"',
    ]


def test_with_values_a_record_that_waits_whole_shows_what_it_is_matched_by(
    waiting: Databases, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conflicts", "--values"]) == 0
    assert capsys.readouterr().out.splitlines()[4:6] == [
        "contact 2 of erp, since run 3: it cannot be matched: it has no email",
        "    match email: null",
    ]


def test_nothing_waiting_is_listed_as_none(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    databases.run()
    monkeypatch.setenv("SYNC_CACHE_DIR", str(databases.cache))
    assert main(["conflicts"]) == 0
    assert capsys.readouterr().out == "nothing waits for a decision\n"


def test_a_cache_in_use_by_a_run_cannot_be_listed(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    databases.run()
    monkeypatch.setenv("SYNC_CACHE_DIR", str(databases.cache))
    run = Cache(databases.cache, "1")
    run.remember("it", "works")
    assert main(["conflicts"]) == 1
    assert capsys.readouterr().err == "another process is working on the cache\n"
    run.close()


@pytest.mark.parametrize(
    ("arguments", "missing", "said"),
    [
        ([], "SYNC_CACHE_DIR", "the environment variable SYNC_CACHE_DIR is not set"),
        (["--values"], "SYNC_CONFIG", "the environment variable SYNC_CONFIG is not set: values need the systems"),
    ],
)
def test_missing_requirements_are_reported(
    waiting: Databases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    missing: str,
    said: str,
) -> None:
    monkeypatch.delenv(missing)
    assert main(["conflicts", *arguments]) == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_listing_creates_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYNC_CACHE_DIR", str(tmp_path))
    assert main(["conflicts"]) == 1
    assert "no run has been made with it" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
