"""Real processes, killed or terminated at random moments while the users of both PostgreSQL databases go on.

It ends as it does undisturbed, which is what the model says: the users' entries do not collide, so that both sides hold
all of them. Nothing is written twice, and an interruption costs one page that is read again at the most.
"""

import random
import re
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tidegate.api.contract import ExitCode

from .postgresql import PostgreSQL
from .two_databases import Contact, TwoDatabases

INTERRUPTIONS = 50
RECORDS_PER_SECOND = 1000  # of which a page or a batch is half
LONGEST_SECONDS = 0.4  # from a process's first checkpoint to its end

_OTHER = {"crm": "erp", "erp": "crm"}


class Users:
    """What they enter, in both systems and in a model: names in crm, phone numbers in erp, new contacts in either."""

    def __init__(self, systems: TwoDatabases, chance: random.Random) -> None:
        self._systems = systems
        self._chance = chance
        self._entries = count()
        self._model: dict[str, tuple[str | None, str | None]] = {}
        self.created = {"crm": 0, "erp": 0}  # what the sync has to make and to edit there
        for name, other in _OTHER.items():
            new: list[Contact] = [(f"{name}{n:04}@x", name, None) for n in range(1500)]
            systems.add(name, *new)
            self.created[other] += len(new)
            self._model |= {contact[0]: contact[1:] for contact in new}
        # Nobody's values are in conflict, not even when they are paired for the first time.
        systems.add("crm", *[(f"both{n:03}@x", "both", None) for n in range(500)])
        systems.add("erp", *[(f"both{n:03}@x", None, "0") for n in range(500)])
        self._model |= {f"both{n:03}@x": ("both", "0") for n in range(500)}
        self.edited = {"crm": 500, "erp": 500}

    def act(self, *, linked: bool) -> None:
        """What is not linked yet is not deleted: a record that was only on one side so far would be made anew."""
        self._edit("crm", "name")
        self._edit("erp", "phone")
        for name, other in _OTHER.items():
            email = f"new{next(self._entries)}@x"
            self._systems.add(name, (email, "new", None))
            self._model[email] = ("new", None)
            self.created[other] += 1
        if not linked:
            return
        gone = f"both{self._chance.randrange(400, 500)}@x"
        self._systems[self._chance.choice(["crm", "erp"])].sql("DELETE FROM contact WHERE email = %s", gone)
        self._model.pop(gone, None)

    def _edit(self, system: str, field: str) -> None:
        for email in self._chance.sample([f"both{n:03}@x" for n in range(400)], 20):
            entry = f"{field} {next(self._entries)}"
            statement = f"UPDATE contact SET {field} = %s WHERE email = %s"  # noqa: S608
            self._systems[system].sql(statement, entry, email)
            self.edited[_OTHER[system]] += 1
            name, phone = self._model[email]
            self._model[email] = (entry, phone) if field == "name" else (name, entry)

    def contacts(self) -> list[Contact]:
        return [(email, *rest) for email, rest in sorted(self._model.items())]


class Pages:
    """The pages that the worker asks for, as the database has logged them."""

    _ASKED = re.compile(r"execute [^:]*: (SELECT [^\n]* LIMIT [^\n]*)\n[^\n]*DETAIL:  parameters: ([^\n]*)")

    def __init__(self, server: PostgreSQL, systems: TwoDatabases) -> None:
        for database in systems.databases.values():
            database.sql(f"ALTER ROLE worker IN DATABASE {database.name} SET log_statement = 'all'")
            database.sql(f"ALTER ROLE worker IN DATABASE {database.name} SET application_name = '{database.name}'")
        self._log = server.log
        self._offset = server.log.stat().st_size

    def asked(self) -> list[str]:
        """Those of the process that has just ended."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            text = log.read()
        self._offset += len(text)
        return [" ".join(found) for found in self._ASKED.findall(text.decode())]


@pytest.fixture
def systems(postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
    systems = TwoDatabases(postgresql_server, tmp_path)
    yield systems
    systems.close()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, ExitCode.PAUSED)], ids=["killed", "paused"]
)
def test_a_repeatedly_interrupted_run_has_the_result_of_an_uninterrupted_one(
    systems: TwoDatabases, postgresql_server: PostgreSQL, number: signal.Signals, code: int
) -> None:
    chance = random.Random(number)  # noqa: S311 - moments, not secrets
    users = Users(systems, chance)
    pages = Pages(postgresql_server, systems)
    systems.configure(deletes="propagate", pace={"recordsPerSecond": RECORDS_PER_SECOND})
    run, interrupted = 1, 0
    read: set[str] = set()
    while interrupted < INTERRUPTIONS:
        with systems.process(run) as process:
            while systems.message() is None and process.poll() is None:
                time.sleep(0.005)
            users.act(linked=run > 1)
            time.sleep(chance.uniform(0, LONGEST_SECONDS))  # the moment itself: nothing is waited for
            process.send_signal(number)
            ended = process.wait()
        asked = pages.asked()
        assert len(read.intersection(asked)) <= 1, "more than a page is read again"
        read.update(asked)
        if ended == 0:
            run, read = run + 1, set()
        else:
            assert ended == code
            interrupted += 1
    systems.configure(deletes="propagate")
    for last in (run, run + 1):
        report = systems.run(last)
        assert report.code == 0
        assert (report.message["conflicts"], report.message["parked"]) == (0, 0)
    for name in ("crm", "erp"):
        assert systems.contacts(name) == users.contacts()
        written = systems.written(name)
        assert written["insert"] == users.created[name]
        assert 0 < written["update"] <= users.edited[name]
