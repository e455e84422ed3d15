"""`tidegate-worker conformance`: passes workers that keep the contract, and names what those break that do not."""

import json
import os
import select
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

import tidegate
from tidegate.worker.commands.conformance.checks import CHECKS, CHECKS_OF_APPROVALS, CHECKS_OF_PLANS
from tidegate.worker.main import main

PROGRAM = Path(__file__).with_name("small_worker.py")


def conformance(directory: Path, *flaw: str, only: str = "", grace: str = "10", also: str = "") -> int:
    program = f"{sys.executable} -S {PROGRAM} {directory}"
    return main(
        ["conformance", "--reset", f"{program} reset", "--state", f"{program} state", "--edit", f"{program} edit",
         "--grace", grace, "--interruptions", "3",
         *([also] if also else []), "--only", only, "--", *program.split(), "work", *flaw]
    )  # fmt: skip


def test_a_third_party_worker_that_keeps_the_contract_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance(tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        *(f"ok          {check.sentence}" for check in CHECKS),
        "the contract is kept, as far as it was checked",
    ]


FLAWS = [
    ("fails when all is done", "a complete run", "a full run exits with 1, not 0"),
    ("long message", "message", "the message had 5"),
    ("message in words", "message", "it is not one JSON object"),
    ("message of another run", "message", "it names run 99, but the run was 1"),
    ("needs no configuration", "cannot work", "without its configuration it exits with 0, as if nothing were wrong"),
    ("does something every time", "nothing to do", "a second run has changed the systems"),
    ("reads once", "edits are pushed", "a run of scope changes has not pushed what was edited"),
    ("writes when read-only", "read-only", "a read-only run has changed the systems"),
    ("dies of SIGTERM", "SIGTERM", "of a run ends it with 143 (of SIGTERM); paused is 75"),
    ("ignores SIGTERM", "SIGTERM", "of a run is not obeyed within 0 s"),
    ("takes a pause for the end", "a paused run", "it exits with 0 and has left work undone"),
    ("forgets what is left", "a paused run", "the systems end up different than after an undisturbed run"),
    ("makes things twice", "a killed run", "the systems end up different than after an undisturbed run"),
    ("takes the marker away", "epoch", "it changed .tidegate-epoch in its cache"),
    ("needs its old cache", "epoch", "the first run after a reset exits with 4, not 0"),
]


@pytest.mark.parametrize(("flaw", "check", "words"), FLAWS, ids=[flaw for flaw, _, _ in FLAWS])
def test_a_worker_that_breaks_the_contract_fails_with_the_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flaw: str, check: str, words: str
) -> None:
    assert conformance(tmp_path, flaw, only=check, grace="0.05" if flaw == "ignores SIGTERM" else "10") == 1
    said = capsys.readouterr().out
    assert said.startswith("FAILED")
    assert words in said
    assert said.endswith("the contract is broken\n")


def test_a_worker_that_plans_is_checked_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance(tmp_path, only="a plan", also="--plans") == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"ok          {check.sentence}" for check in CHECKS_OF_PLANS),
        "the contract is kept, as far as it was checked",
    ]


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("does not know plans", "a plan of a first run has changed the cache directory, which is mounted read-only"),
        ("plans in its cache", "a plan after an edit has changed the cache directory, which is mounted read-only"),
        ("pushes what it plans", "a plan after an edit has changed the systems"),
        ("keeps its plan to itself", "a plan of a first run exits with 0 and its message has no `plan` with `sides`"),
    ],
)
def test_a_worker_whose_plan_is_none_fails_with_the_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flaw: str, words: str
) -> None:
    assert conformance(tmp_path, flaw, only="a plan", also="--plans") == 1
    assert words in capsys.readouterr().out


def test_a_worker_that_knows_approvals_is_checked_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance(tmp_path, only="approval", also="--approvals") == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"ok          {check.sentence}" for check in CHECKS_OF_APPROVALS),
        "the contract is kept, as far as it was checked",
    ]


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("does not know approvals", "a full run that needs an approval exits with 0, not 3"),
        ("halts after its first write", "a full run that needs an approval has changed the systems without one"),
        ("halts although it was approved", "the approved run exits with 3, not 0"),
        ("halts with nothing to write", "a full run that has nothing to write, and needs no approval, exits with 3"),
    ],
)
def test_a_worker_that_does_not_wait_for_an_approval_fails_with_the_violation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flaw: str, words: str
) -> None:
    assert conformance(tmp_path, flaw, only="approval", also="--approvals") == 1
    assert words in capsys.readouterr().out


def test_an_impossible_check_is_reported_as_unchecked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-S", str(PROGRAM), str(tmp_path), "work"]
    assert main(["conformance", "--only", "edits", "--", *program]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "not checked edits are pushed: give --state and --edit"


def test_a_worker_that_was_never_paused_gets_advice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--only", "SIGTERM", "--", "true"]) == 0
    assert (
        "warning: no run was paused: give the worker more to do, and have it print something" in capsys.readouterr().out
    )


def test_a_worker_can_trap_sigterm_where_the_command_itself_ignores_it(capsys: pytest.CaptureFixture[str]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    worker = ["sh", "-c", "trap 'exit 75' TERM; echo begun; sleep 0.2; sleep 0.2"]
    assert main(["conformance", "--only", "SIGTERM", "--", *worker]) == 0
    assert "warning" not in capsys.readouterr().out


def test_a_failing_command_of_the_user_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--reset", "echo no database >&2; exit 7", "--", "true"]) == 1
    assert "exits with 7: no database" in capsys.readouterr().err


def test_child_processes_end_with_the_worker_as_in_a_container(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    work = f"sleep 1000 & echo $! >> {pids}; exec {sys.executable} -S {PROGRAM} {tmp_path} work"
    reset = f"{sys.executable} -S {PROGRAM} {tmp_path} reset"
    assert main(["conformance", "--reset", reset, "--only", "complete run", "--", "sh", "-c", work]) == 0
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    try:
        assert all(ended(pid) for pid in started)
    finally:
        for pid in started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def ended(pid: int) -> bool:
    """Also one that nobody has asked how it ended; the seconds are for a SIGKILL that is on its way."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)


SYSTEMS = """
import sqlite3, sys
where, what = sys.argv[1:]
crm, erp = (sqlite3.connect(f"{where}/{name}.db") for name in ("crm", "erp"))
if what == "reset":
    for n, db in enumerate((crm, erp)):
        db.executescript("DROP TABLE IF EXISTS contact; CREATE TABLE contact (id INTEGER PRIMARY KEY, email, name)")
        people = [(f"p{i}@x", f"name {i}") for i in range(200 * n, 200 * n + 300)]
        db.executemany("INSERT INTO contact (email, name) VALUES (?, ?)", people)
if what == "edit":
    crm.execute("UPDATE contact SET name = name || '!' WHERE id = 5")
if what == "state":
    print([db.execute("SELECT email, name FROM contact ORDER BY 1, 2").fetchall() for db in (crm, erp)])
for db in (crm, erp):
    db.commit()
"""


def test_the_built_in_worker_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("crm", "erp"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.execute("CREATE TABLE made (it)")
    (tmp_path / "systems.py").write_text(SYSTEMS)
    place = {"table": "contact", "id": "id"}
    fields = [{"crm": name, "erp": name} for name in ("email", "name")]
    config = {
        "connectors": {name: {"type": "sql", "url": f"sqlite:///{tmp_path}/{name}.db"} for name in ("crm", "erp")},
        "objects": [{"name": "contact", "crm": place, "erp": place, "match": ["email"], "fields": fields}],
        "pace": {"recordsPerSecond": 2000},
    }
    (tmp_path / "sync.json").write_text(json.dumps(config))
    monkeypatch.setenv("PYTHONPATH", str(Path(tidegate.__file__).parents[1]))
    users = f"{sys.executable} -S {tmp_path}/systems.py {tmp_path}"
    code = main(
        ["conformance", "--config", str(tmp_path / "sync.json"), "--interruptions", "2", "--reset", f"{users} reset",
         "--state", f"{users} state", "--edit", f"{users} edit", "--", sys.executable, "-m", "tidegate.worker.main"]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.splitlines() == [
        *(f"ok          {check.sentence}" for check in CHECKS), "the contract is kept, as far as it was checked"
    ]  # fmt: skip
