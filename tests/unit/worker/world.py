"""Two systems with their users and a sync between them, that is disturbed, crashed and started again.

The systems are real (SQLite). What happens is data: the acts of users, and the runs with what disturbs them.
"""

import io
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import orjson

from tidegate.worker.cache.file import FILE
from tidegate.worker.cache.object_resets import ObjectReset
from tidegate.worker.config.parse import parse
from tidegate.worker.config.rules import SIDES, other
from tidegate.worker.errors import Halted
from tidegate.worker.run.environment import Order, Scope

from .databases import FIELDS as SYNCED
from .databases import SIDES as NAMES
from .databases import WITH_CURSOR, Databases
from .disturbed import Crash, Steps, Systems, attempt, crash
from .ledger import Contacts, Ledger, plain

FIELDS = ("email", "name", "phone")
NOTHING = {"create": 0, "update": 0, "delete": 0}

# One of the systems may turn names into capitals, as some systems do.
NORMALISE = """
ALTER TABLE contact ADD COLUMN kind TEXT DEFAULT 'customer';
CREATE TABLE normalises (yes INTEGER); INSERT INTO normalises VALUES (0);
CREATE TRIGGER shout_new AFTER INSERT ON contact WHEN (SELECT yes FROM normalises) BEGIN
  UPDATE contact SET name = upper(NEW.name) WHERE id = NEW.id; END;
CREATE TRIGGER shout AFTER UPDATE OF name ON contact WHEN (SELECT yes FROM normalises) BEGIN
  UPDATE contact SET name = upper(NEW.name) WHERE id = NEW.id; END;
"""
_EMPTY = """
DELETE FROM contact; DELETE FROM sqlite_sequence; UPDATE clock SET now = 0; UPDATE normalises SET yes = 0;
"""


Deed = Literal[
    "add", "edit name", "edit phone", "clear", "rename", "delete", "reload", "reload and edit", "leave", "enter",
    "restore",
]  # fmt: skip


@dataclass(frozen=True)
class Act:
    """What a user does in one of the systems; `pick` chooses the record, or the e-mail address of a new one."""

    side: Literal[0, 1]
    what: Deed
    pick: int


CRASH: Literal["crash"] = "crash"

# So many records of a side may be deleted without an approval.
_ALLOWED = 1
_GUARDED = {"maxDeletes": {"percent": 0, "min": _ALLOWED}, "maxBlanked": {"min": 1000}, "emptySide": "halt"}
_NOT_GUARDED = {"maxDeletes": {"min": 1000}, "maxBlanked": {"min": 1000}, "emptySide": "allow"}

# What happens to one process, by the number of its step.
Disturbances = Mapping[int, Act | Literal["crash"]]


@dataclass(frozen=True)
class Policies:
    conflict: Literal["crm", "erp", "park"]
    deletes: Literal["unlink", "propagate"]
    normalises: bool
    # Whether spaces in names and phone numbers count. None are entered: only what is remembered of a value is another.
    trims: bool = False
    # Whether crm has its customers synced only: there are others too.
    filtered: bool = False
    # Whether phone numbers are synced.
    phones: bool = True
    # What the object is called.
    name: Literal["contact", "person"] = "contact"
    # Whether runs are journalled, so that they can be undone.
    journal: bool = False
    # Whether a run halts that finds more than one record of a side gone, or all of them.
    guarded: bool = False

    @property
    def crm(self) -> dict[str, Any]:
        """Where crm's records are."""
        customers = {"field": "kind", "operator": "In", "values": ["customer"]}
        return {**WITH_CURSOR, "where": [customers]} if self.filtered else WITH_CURSOR


@dataclass(frozen=True)
class _Halted:
    """A run that halted, and what it has shown: the e-mail addresses, by side, of what would be deleted."""

    run: int
    found: Sequence[Mapping[str, Any]]
    shown: tuple[set[str], set[str]]


@dataclass(frozen=True)
class _Backup:
    """All contacts of a side, with what is not synced of them, and the clock that their versions come from."""

    contacts: Sequence[tuple[Any, ...]]
    clock: int


class World:
    """Made once for many histories: each begins with `reset`."""

    def __init__(self, directory: Path) -> None:
        self._databases = Databases(directory)
        self._connections = []
        for name in NAMES:
            connection = sqlite3.connect(directory / f"{name}.db", isolation_level=None, timeout=10)
            connection.executescript(f"PRAGMA journal_mode = WAL; {NORMALISE}")
            connection.execute("PRAGMA synchronous = OFF")
            self._connections.append(connection)
        self._sync = parse(orjson.dumps(self._databases.config(crm=WITH_CURSOR, erp=WITH_CURSOR)))
        self._systems = Systems(self._sync)

    def reset(self, policies: Policies) -> None:
        """Empty systems, no cache, nothing entered."""
        for connection in self._connections:
            connection.executescript(_EMPTY)
        self._connections[1].execute("UPDATE normalises SET yes = ?", (policies.normalises,))
        for file in self._databases.cache.iterdir():
            file.unlink()
        self._unlinked = False  # a run may have let a record stay on one side
        self._ledger = Ledger(self.contacts, self.synced)
        self._policies, self._phones_unread = policies, False
        self.change(policies)
        self.writes = self._ledger.writes
        self._accepted = False  # a read-only run has accepted differences
        self._backups: tuple[list[_Backup], list[_Backup]] = ([], [])
        self._decisions: Path | None = None
        self._halted: _Halted | None = None
        self._emails: tuple[dict[int, str], dict[int, str]] = ({}, {})  # of all records that runs have met
        self._reset: ObjectReset | None = None
        self._runs = 0
        self.steps = 0  # of all processes together

    def change(self, policies: Policies) -> None:
        """From the next run on."""
        email, name, phone = SYNCED
        others = [name, phone] if policies.phones else [name]
        trimmed = [{**field, "normalize": "trim"} for field in others] if policies.trims else others
        config = self._databases.config(
            name=policies.name, crm=policies.crm, erp=WITH_CURSOR, fields=[email, *trimmed],
            conflict=policies.conflict, deletes=policies.deletes,
            safety=_GUARDED if policies.guarded else _NOT_GUARDED,
        )  # fmt: skip
        self._sync = parse(orjson.dumps({**config, **({"journal": {}} if policies.journal else {})}))
        self._phones_unread |= policies.phones and not self._policies.phones
        self._policies = policies
        self._let_phones_be()
        self._unlinked |= policies.deletes == "unlink" or policies.filtered

    def _let_phones_be(self) -> None:
        """What is entered into a field need not arrive while it is not synced, or before a run has read it since.

        Until then its values are unknown, and what is unknown does not count as changed.
        """
        if not self._policies.phones or self._phones_unread:
            self._ledger.set_aside({plain(phone) for side in SIDES for _, _, phone in self.contacts(side).values()})

    @property
    def normalises(self) -> bool:
        """Whether erp turns names into capitals."""
        return self._policies.normalises

    def close(self) -> None:
        self._systems.close()
        for connection in self._connections:
            connection.close()

    def contacts(self, side: int) -> Contacts:
        """(email, name, phone) by id."""
        rows = self._connections[side].execute("SELECT id, email, name, phone FROM contact")
        return {row[0]: row[1:] for row in rows}

    def synced(self, side: int) -> Contacts:
        """The same of those that are synced."""
        if side == 1 or not self._policies.filtered:
            return self.contacts(side)
        customers = self._connections[0].execute("SELECT id FROM contact WHERE kind = 'customer'").fetchall()
        return {rid: contact for rid, contact in self.contacts(0).items() if (rid,) in customers}

    def decide(self, field: str, take: str, pick: int | None) -> None:
        """A person decides about the conflicts of a record of crm, or of all; each run finds it until the next time."""
        contacts = sorted(self.contacts(0))
        rid = contacts[pick % len(contacts)] if contacts and pick is not None else "*"
        self._decisions = self._databases.directory / "decisions.json"
        decision = {"object": self._policies.name, "id": rid, "connector": "crm", "field": field, "take": take}
        self._decisions.write_bytes(orjson.dumps([{**decision, "at": str(self._runs)}]))

    def request_reset(self, *, push: bool) -> None:
        """A person asks for a reset of the object; the runs from now on are asked for it."""
        self._reset = ObjectReset(self._policies.name, str(self._runs), push)

    def act(self, act: Act) -> None:
        """Do it; what cannot be done, such as a second contact with the same address, is not done."""
        contacts = self.contacts(act.side)
        email = f"p{act.pick % 8}@x"
        free = email not in {plain(contact[0]) for contact in contacts.values()}
        rid = sorted(contacts)[act.pick % len(contacts)] if contacts else None
        if act.what == "add" and free:
            typed = email.upper() if act.pick % 5 == 0 else email
            values = typed, self._entry(act), self._entry(act) if act.pick % 3 else None
            self._execute(act, "INSERT INTO contact (email, name, phone) VALUES (?, ?, ?)", *values)
            self._ledger.made(act.side, email)
        elif act.what == "delete" and rid:
            self._execute(act, "DELETE FROM contact WHERE id = ?", rid)
        elif act.what == "restore":
            self._restore(act)
        elif act.what.startswith("reload") and rid:
            self._reload(act, rid)
        elif act.what == "rename" and rid and free:
            self._execute(act, "UPDATE contact SET email = ? WHERE id = ?", email, rid)
            self._ledger.made(act.side, email)
        elif act.what == "clear" and rid:
            self._execute(act, "UPDATE contact SET phone = NULL WHERE id = ?", rid)
        elif act.what in ("leave", "enter") and rid:
            kind = "lead" if act.what == "leave" else "customer"
            self._execute(act, "UPDATE contact SET kind = ?, phone = phone WHERE id = ?", kind, rid)
        elif act.what == "edit phone" and rid:
            self._execute(act, "UPDATE contact SET phone = ? WHERE id = ?", self._entry(act), rid)
        elif rid:
            self._execute(act, "UPDATE contact SET name = ? WHERE id = ?", self._entry(act), rid)
        self._let_phones_be()

    def _reload(self, act: Act, rid: int) -> None:
        """Delete everything and load it again under new ids, with or without an edit of one record."""
        contacts = self.contacts(act.side)
        if act.what == "reload and edit":
            contacts = {**contacts, rid: (contacts[rid][0], self._entry(act), contacts[rid][2])}
        self._execute(act, "BEGIN")
        self._execute(act, "DELETE FROM contact")
        for contact in contacts.values():
            self._execute(act, "INSERT INTO contact (email, name, phone) VALUES (?, ?, ?)", *contact)
            self._ledger.made(act.side, contact[0])
        self._execute(act, "COMMIT")

    def _restore(self, act: Act) -> None:
        """Put the side back to what it was when an earlier run began, its cursor and the clock of that too."""
        if not self._backups[act.side]:
            return
        backup = self._backups[act.side][act.pick % len(self._backups[act.side])]
        self._execute(act, "BEGIN")
        self._execute(act, "DELETE FROM contact")
        for rid, *values, version in backup.contacts:
            columns = "id, email, name, phone, kind"
            self._execute(act, f"INSERT INTO contact ({columns}) VALUES (?, ?, ?, ?, ?)", rid, *values)  # noqa: S608
            self._execute(act, "UPDATE contact SET version = ? WHERE id = ?", version, rid)
            self._ledger.made(act.side, values[0])
        self._execute(act, "UPDATE clock SET now = ?", backup.clock)
        self._execute(act, "COMMIT")

    def _back_up(self) -> None:
        for connection, backups in zip(self._connections, self._backups, strict=True):
            query = "SELECT id, email, name, phone, kind, version FROM contact"
            ((clock,),) = connection.execute("SELECT now FROM clock")
            backups.append(_Backup(connection.execute(query).fetchall(), clock))

    def _execute(self, act: Act, statement: str, *values: Any) -> None:
        self._connections[act.side].execute(statement, values)

    def _entry(self, act: Act) -> str:
        return self._ledger.entry(act.side, NAMES[act.side])

    def sync(
        self,
        scope: Scope = "full",
        *disturbed: Disturbances,
        push: bool = True,
        undo: int | None = None,
        approved: bool = False,
    ) -> dict[str, Any]:
        """One run, started again after each crash; what disturbs each process, until there is nothing any more.

        With `approved` a person has approved the run that has just halted. Returns the message, or nothing of a run
        that halts.
        """
        self._runs += 1
        self._back_up()
        self._ledger.lost = 0
        self._ledger.pushes = push
        order = self._order(scope, push=push, undo=undo)
        halted, self._halted = self._halted, None
        if approved and halted is not None:
            order = replace(order, approved=halted.run, confirmed=tuple(halted.found))
        self._ledger.deleted = ([], [])
        self._note_emails()
        report = None
        for disturbances in (*disturbed, {}):
            events = {n: crash if what == CRASH else partial(self.act, what) for n, what in disturbances.items()}
            steps = Steps(events, self._ledger)
            calls, out = self._ledger.calls, io.StringIO()
            try:
                report = attempt(order, self._sync, self._systems, steps, out)
            except Crash:
                continue
            except Halted:
                assert self._ledger.calls == calls, "a process writes something, and halts"
                self._halted = self._shown(order.run, out.getvalue())
                return {}
            finally:
                self.steps += steps.count
                self._note_emails()
            break
        assert report is not None
        self._phones_unread &= not self._policies.phones
        self._check_losses(report, push=push)
        self._check_deletes(halted if approved else None)
        if self._reset is not None and not self._reset.push and undo is None:
            self._accepted = True
            self._ledger.accept()
        self._accepted |= undo is not None  # what it has written back differs from the other side
        return report

    def _order(self, scope: Scope, *, push: bool, undo: int | None = None) -> Order:
        where = self._databases
        return Order(
            self._runs, scope, push, where.cache, "1", where.directory, decisions=self._decisions, undo=undo,
            resets=(self._reset,) if self._reset is not None else (),
        )  # fmt: skip

    def abandon(
        self, disturbances: Disturbances, scope: Scope = "full", *, push: bool, undo: int | None = None
    ) -> bool:
        """One process of a run that is never started again; whether it crashed."""
        self._runs += 1
        self._ledger.lost = 0
        self._ledger.pushes = push
        order = self._order(scope, push=push, undo=undo)
        events = {n: crash if what == CRASH else partial(self.act, what) for n, what in disturbances.items()}
        try:
            attempt(order, self._sync, self._systems, Steps(events, self._ledger))
        except Crash:
            return True
        return False

    def sync_exchanged(self, scope: Scope, *, push: bool) -> None:
        """A run for which each connector leads to the other system: it halts, and nothing is read or written."""
        before = [self.contacts(side) for side in SIDES]
        self._runs += 1
        self._systems.exchanged = True
        # A reset would make the object one of these systems.
        order = replace(self._order(scope, push=push), resets=())
        try:
            attempt(order, self._sync, self._systems, Steps({}, self._ledger))
        except Halted:
            assert [self.contacts(side) for side in SIDES] == before
        else:
            raise AssertionError("a run takes each system for the other")
        finally:
            self._systems.exchanged = False

    def _shown(self, run: int, log: str) -> _Halted:
        """What a person can read of a halted run. Each record that is gone would be deleted on the other side."""
        gone = [line for line in map(json.loads, log.splitlines()) if line["type"] == "gone"]
        shown: tuple[set[str], set[str]] = (set(), set())
        for side in SIDES:
            ids = {line["id"] for line in gone if line["connector"] == NAMES[other(side)]}
            shown[side].update(self._emails[other(side)][rid] for rid in ids)
        return _Halted(run, _Memory(self._databases.cache).found, shown)

    def _note_emails(self) -> None:
        for side in SIDES:
            self._emails[side].update({rid: plain(email) for rid, (email, *_) in self.contacts(side).items()})

    def _check_deletes(self, approved: _Halted | None) -> None:
        """What is deleted was shown before it was approved, but for what is allowed anyway."""
        if not self._policies.guarded:
            return
        for side in SIDES:
            unseen = [
                email for email in self._ledger.deleted[side] if not approved or email not in approved.shown[side]
            ]
            assert len(unseen) <= _ALLOWED, f"{unseen} of {NAMES[side]} were deleted, and nobody has approved that"

    @property
    def has_halted(self) -> bool:
        """Whether the last run has halted, so that a person may approve it."""
        return self._halted is not None

    @property
    def runs(self) -> int:
        """The number of the last run."""
        return self._runs

    @property
    def has_synced(self) -> bool:
        """Whether a run has met the systems."""
        return self._runs > 0

    def _check_losses(self, report: Mapping[str, Any], *, push: bool) -> None:
        allowed = 0 if self._policies.conflict == "park" else report["conflicts"]
        assert self._ledger.lost <= allowed, "an entry that nobody had seen was lost in silence"
        if not push:
            self._accepted = True
            self._ledger.accept()
        self._ledger.set_aside(_Memory(self._databases.cache).waiting(self))

    def check(self) -> None:
        """Left alone, the sync settles, and both sides are the same but for what it was told to leave."""
        self.change(replace(self._policies, phones=True, guarded=False))
        self.sync()
        everything = [self.contacts(side) for side in SIDES]
        before = [self.synced(side) for side in SIDES]
        again = self.sync()
        assert [self.contacts(side) for side in SIDES] == everything, "the next run writes something"
        assert again["pushed"] == dict.fromkeys(NAMES, NOTHING)
        assert again["read"] == {name: len(contacts) for name, contacts in zip(NAMES, before, strict=True)}
        assert not self._ledger.unseen(), "an entry has not arrived on the other side"
        memory = _Memory(self._databases.cache)
        assert memory.intents == 0
        for side in SIDES:
            assert memory.keys(side) >= set(before[side])
        for rid, side, key, link in memory.records:
            if key not in before[side]:
                assert (link, "") in memory.parked, f"record {key} of {NAMES[side]} is remembered and not there"
                continue
            if link is None:
                kept_alone = self._accepted or self._unlinked
                assert kept_alone or (rid, "") in memory.parked, f"record {key} of {NAMES[side]} is on one side only"
                continue
            _, across, other_key, back = memory.record(link)
            assert (across, back) == (other(side), rid), "links are not symmetric"
            if not self._accepted and other_key in before[across]:
                self._check_equal(memory, (rid, link), before[side][key], before[across][other_key])

    def _check_equal(self, memory: "_Memory", rids: tuple[int, int], *contacts: tuple[Any, ...]) -> None:
        for field, a, b in zip(FIELDS, *contacts, strict=True):
            waits = any((rid, name) in memory.parked for rid in rids for name in ("", field))
            same = plain(a) == plain(b) if field == "email" or self._policies.normalises else (a or "") == (b or "")
            assert same or waits, f"{field}: {a!r} and {b!r}"


class _Memory:
    """What the sync remembers, read from its cache."""

    def __init__(self, directory: Path) -> None:
        connection = sqlite3.connect(directory / FILE)
        self.records: list[tuple[int, Literal[0, 1], int, int | None]] = connection.execute(
            "SELECT rid, source % 2, id, link FROM record"
        ).fetchall()
        self.parked: set[tuple[int, str]] = set(connection.execute("SELECT rid, field FROM parked"))
        halted = connection.execute("SELECT value FROM meta WHERE name = 'halted'").fetchone()
        self.found: Sequence[Mapping[str, Any]] = (json.loads(halted[0]) or {}).get("found", ()) if halted else ()
        (self.intents,) = connection.execute("SELECT count(*) FROM intent").fetchone()
        connection.close()

    def keys(self, side: int) -> set[int]:
        return {key for _, source, key, _ in self.records if source == side}

    def record(self, rid: int) -> tuple[int, Literal[0, 1], int, int | None]:
        return next(record for record in self.records if record[0] == rid)

    def waiting(self, world: World) -> set[str]:
        """The values, on either side, of what waits for a human."""
        values = set()
        for rid, field in self.parked:
            _, _, _, link = self.record(rid)
            for _, side, key, _ in [record for record in self.records if record[0] in (rid, link)]:
                contact = world.contacts(side).get(key, (None, None, None))
                values |= {plain(v) for f, v in zip(FIELDS, contact, strict=True) if field in ("", f)}
        return values
