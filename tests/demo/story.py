"""The story, act by act: the help article's promises, each acted out and then proved by counting records."""

from pathlib import Path

from demo.databases import Comparison, Databases
from demo.errors import DemoError
from demo.kubectl import Kubectl
from demo.plugin import Plugin
from demo.screen import Screen
from demo.toggle import NAME, Toggle
from devcluster.paths import ROOT

NAMESPACE = "demo"

_HERE = Path(__file__).resolve().parent
DATABASES_MANIFEST = str(_HERE / "databases.yaml")
SYNC_MANIFEST = str(_HERE / "contacts.yaml")

# In the middle of a run there must be time to look around. Without the overlap it is not spent on reading once more
# what the runs before have just written.
_SLOW = {"pace": {"recordsPerSecond": 100}, "overlap": "0s"}
_FAST = {"pace": None, "overlap": None}


def tell(kubectl: Kubectl, plugin: Plugin, screen: Screen) -> None:
    """Play all acts, on a new namespace."""
    databases = Databases(kubectl, screen)
    toggle = Toggle(kubectl, screen)
    two_databases(kubectl, databases, screen)
    on_past_and_future(databases, toggle, screen)
    edits_on_both_sides(databases, toggle, screen)
    off_without_waiting(databases, toggle, screen)
    off_and_wait(databases, toggle, screen)
    on_future_only(databases, toggle, plugin, screen)
    decide_a_conflict(databases, toggle, plugin, screen)
    take_a_run_back(databases, toggle, plugin, screen)
    reset_after_mass_delete(databases, toggle, screen)


def exists(kubectl: Kubectl) -> bool:
    """Whether it has been played on this cluster before."""
    return bool(kubectl.run("get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name"))


def two_databases(kubectl: Kubectl, databases: Databases, screen: Screen) -> None:
    screen.act("Two databases that have never met")
    kubectl.run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=300s")
    kubectl.run("create", "namespace", NAMESPACE)
    kubectl.run("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    databases.start(DATABASES_MANIFEST)
    databases.expect(Comparison(crm=3000, billing=2000, only_crm=1500, only_billing=500, differ=150))


def on_past_and_future(databases: Databases, toggle: Toggle, screen: Screen) -> None:
    screen.act("ON: Sync Past and Future Changes", "A full sync reads everything, pairs people by e-mail, and pushes.")
    toggle.apply(str(Path(SYNC_MANIFEST).relative_to(ROOT)))
    toggle.wait("condition=Ready")
    toggle.show()
    toggle.expect_success(1)
    databases.expect(Comparison(crm=3500, billing=3500))
    in_conflict = "phone LIKE '+1 777 %'"
    databases.expect_count("crm", in_conflict, 100, "100 phone numbers were in conflict: billing's won, as declared")


def edits_on_both_sides(databases: Databases, toggle: Toggle, screen: Screen) -> None:
    screen.act("Edits on both sides are synced by the next run")
    databases.edit("crm", "10 people have a new phone number", _new_phone("crm", 1, 10), records=10)
    databases.edit("crm", "3 people are new", _new_people("crm", 4001, 4003), records=3)
    databases.edit("billing", "7 people have a new phone number", _new_phone("billing", 2001, 2007), records=7)
    databases.edit("billing", "2 people are new", _new_people("billing", 5001, 5002), records=2)
    databases.expect(Comparison(crm=3503, billing=3502, only_crm=3, only_billing=2, differ=17))
    run = toggle.sync_now()  # rather than to wait for the rest of the delay of 5 minutes
    toggle.wait_for_run(run)
    toggle.show()
    toggle.expect_pushed(run, {"crm": 9, "billing": 13})
    databases.expect(Comparison(crm=3505, billing=3505))


def off_without_waiting(databases: Databases, toggle: Toggle, screen: Screen) -> None:
    screen.act("OFF without waiting pauses the run", "The next ON picks up where it left off.")
    toggle.patch(offPolicy="PauseRun", sync=_SLOW)
    databases.edit("crm", "1,000 people have a new phone number", _new_phone("crm", 101, 1100), records=1000)
    run = _begin_slow_run(databases, toggle, screen, first=101, last=1100)
    toggle.patch(status="OFF")
    toggle.wait("condition=Ready")
    toggle.show()
    toggle.expect_phase("Paused")
    pushed = _pushed(databases, 101, 1100)
    screen.fact(f"{pushed:,} of 1,000 numbers have reached billing; nothing runs")
    toggle.patch(status="ON")
    toggle.wait_for_run(run)
    toggle.show()
    databases.expect(Comparison(crm=3505, billing=3505))


def off_and_wait(databases: Databases, toggle: Toggle, screen: Screen) -> None:
    screen.act(
        "OFF in the middle of a run lets it finish", "OFF is honoured when the run has ended; it is never killed."
    )
    toggle.patch(offPolicy="FinishRun")
    databases.edit("crm", "1,000 people have a new phone number", _new_phone("crm", 1201, 2200), records=1000)
    run = _begin_slow_run(databases, toggle, screen, first=1201, last=2200)
    toggle.patch(status="OFF")
    toggle.wait("jsonpath={.status.phase}=TurningOff")
    toggle.show()
    toggle.expect_phase("TurningOff")
    toggle.wait("condition=Syncing=False")
    toggle.wait("condition=Ready")
    toggle.show()
    toggle.expect_phase("Off")
    toggle.expect_success(run)
    toggle.expect_one_undisturbed_pod(run)
    databases.expect(Comparison(crm=3505, billing=3505))


def on_future_only(databases: Databases, toggle: Toggle, plugin: Plugin, screen: Screen) -> None:
    screen.act(
        "ON: Sync Future Changes Only",
        "A plan answers what was changed while OFF, and what ON would do with it; it writes nothing.",
        "What was edited while OFF is read and never pushed; later edits are.",
    )
    databases.edit("crm", "while OFF, 40 people have a new phone number", _new_phone("crm", 11, 50), records=40)
    databases.edit("crm", "while OFF, 5 people are new", _new_people("crm", 4101, 4105), records=5)
    databases.edit("billing", "while OFF, 30 people have a new number", _new_phone("billing", 2011, 2040), records=30)
    drifted = Comparison(crm=3510, billing=3505, only_crm=5, differ=70)
    databases.expect(drifted)
    toggle.patch(sync=_FAST)
    plugin.answer("on", NAME, answers=[("See what it would do first?", "y"), ("Choose", "2")])
    toggle.expect_plan({"crm": (0, 30), "billing": (5, 40)})
    databases.expect(drifted)
    toggle.wait("condition=Ready")
    toggle.show()
    run = int(toggle.status["lastRun"]["number"])
    toggle.expect_pushed(run, {"crm": 0, "billing": 0})
    databases.expect(drifted)
    databases.edit("crm", "now, 10 other people have a new phone number", _new_phone("crm", 51, 60), records=10)
    run = toggle.sync_now()
    toggle.wait_for_run(run)
    toggle.show()
    toggle.expect_pushed(run, {"crm": 0, "billing": 10})
    databases.expect(drifted)


def decide_a_conflict(databases: Databases, toggle: Toggle, plugin: Plugin, screen: Screen) -> None:
    screen.act("A person decides a conflict", "With the policy park no side wins by itself: the field waits.")
    toggle.replace("/spec/sync/objects/0/conflict", "park")
    for database in ("crm", "billing"):
        databases.edit(
            database, "one person has a new number, another one here", _new_phone(database, 2500, 2500), records=1
        )
    run = toggle.sync_now()
    toggle.wait_for_run(run)
    toggle.show()
    plugin.show("conflicts", NAME)
    databases.expect(Comparison(crm=3510, billing=3505, only_crm=5, differ=71))
    plugin.show("decide", NAME, "--all", "--take", "crm", "--yes", "--wait")
    databases.expect(Comparison(crm=3510, billing=3505, only_crm=5, differ=70))
    chosen = f"phone_no LIKE '+1 888 crm %' AND {_numbered(2500, 2500)}"
    databases.expect_count("billing", chosen, 1, "billing has the number that was chosen")
    toggle.replace("/spec/sync/objects/0/conflict", "billing")


def take_a_run_back(databases: Databases, toggle: Toggle, plugin: Plugin, screen: Screen) -> None:
    screen.act(
        "A run is taken back",
        "With a journal, what a run has written can be listed, and undone: what was edited since is left alone.",
    )
    toggle.patch(sync={"journal": {}})
    wrong, corrected = "phone{} = '+1 000'", "phone{} = '+1 222'"
    numbered, one = _numbered(2601, 2605), _numbered(2605, 2605)
    mistake = f"UPDATE contact SET {wrong.format('')} WHERE {numbered}"  # noqa: S608
    databases.edit("crm", "an import gives 5 people the same wrong phone number", mistake, records=5)
    run = toggle.sync_now()
    toggle.wait_for_run(run)
    toggle.show()
    databases.expect_count("billing", wrong.format("_no"), 5, "the 5 wrong numbers have reached billing")
    correction = f"UPDATE contact SET {corrected.format('_no')} WHERE {one}"  # noqa: S608
    databases.edit("billing", "one of them is corrected by hand", correction, records=1)
    plugin.show("changes", NAME, "--run", str(run))
    plugin.show("undo", NAME, "--run", str(run), "--plan")
    databases.expect_count("billing", wrong.format("_no"), 4, "the plan has written nothing")
    plugin.show("undo", NAME, "--run", str(run), "--yes", "--wait")
    toggle.show()
    databases.expect_count("billing", wrong.format("_no"), 0, "billing has its own numbers again")
    databases.expect_count(
        "billing", corrected.format("_no"), 1, "the number that was corrected by hand is still there"
    )
    databases.expect(Comparison(crm=3510, billing=3505, only_crm=5, differ=75))


def reset_after_mass_delete(databases: Databases, toggle: Toggle, screen: Screen) -> None:
    screen.act(
        "OFF, delete many records, ON with reset",
        "The cache is deleted first, so the sync has nothing to miss: mass deletes are forgotten, not pushed.",
        "What one side alone still holds is new to the other, as if seen for the first time.",
    )
    toggle.patch(status="OFF")
    toggle.wait("condition=Ready")
    toggle.expect_phase("Off")
    for database in ("crm", "billing"):
        databases.edit(database, "1,000 people are deleted", _delete(501, 1500), records=1000)
    databases.edit("crm", "another 200 are deleted here only", _delete(1501, 1700), records=200)
    databases.expect(Comparison(crm=2310, billing=2505, only_crm=5, only_billing=200, differ=75))
    toggle.patch(status="ON", mode="PastAndFuture", reset=True)
    toggle.wait("condition=Ready")
    toggle.show()
    databases.expect(Comparison(crm=2510, billing=2510))
    for database in ("crm", "billing"):
        gone = f"{database}: none of the 1,000 deleted people has come back"
        databases.expect_count(database, _numbered(501, 1500), 0, gone)
    came_back = "crm: the 200 that billing still had are there again"
    databases.expect_count("crm", _numbered(1501, 1700), 200, came_back)


def _begin_slow_run(databases: Databases, toggle: Toggle, screen: Screen, *, first: int, last: int) -> int:
    """Have a run begin; return its number when it is in the middle of its work."""
    run = toggle.sync_now()
    total = last - first + 1

    def in_the_middle() -> bool:
        if toggle.status.get("lastRun", {}).get("number") == run:
            raise DemoError(f"run {run} was over before it could be turned off\n{toggle.diagnosis()}")
        return 0 < _pushed(databases, first, last) < total

    toggle.wait_until(f"the middle of run {run}", in_the_middle)
    screen.fact(
        f"run {run} is under way: {_pushed(databases, first, last):,} of {total:,} numbers have reached billing"
    )
    return run


_PHONE = {"crm": "phone", "billing": "phone_no"}
_PEOPLE = {"crm": "(email, name, phone)", "billing": "(email, full_name, phone_no)"}


def _new_phone(database: str, first: int, last: int) -> str:
    column = _PHONE[database]
    return f"UPDATE contact SET {column} = '+1 888 {database} ' || email WHERE {_numbered(first, last)}"  # noqa: S608


def _new_people(database: str, first: int, last: int) -> str:
    values = "'person' || n || '@example.com', 'Person ' || n, '+1 999 ' || n"
    people = f"SELECT {values} FROM generate_series({first}, {last}) AS n"  # noqa: S608
    return f"INSERT INTO contact {_PEOPLE[database]} {people}"


def _delete(first: int, last: int) -> str:
    return f"DELETE FROM contact WHERE {_numbered(first, last)}"  # noqa: S608


def _numbered(first: int, last: int) -> str:
    return f"substring(email FROM '[0-9]+')::int BETWEEN {first} AND {last}"


def _pushed(databases: Databases, first: int, last: int) -> int:
    return databases.count("billing", f"{_numbered(first, last)} AND phone_no LIKE '+1 888 crm %'")
