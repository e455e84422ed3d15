"""The built-in worker's cases: real processes of it between two real databases."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tidegate
from worker.postgresql import postgresql

from . import contacts
from .measured import Measured, run


@dataclass(frozen=True)
class Synced:
    """What a run took, and what the worker's own message says that it has read and written on both sides."""

    took: Measured
    read: int
    changed: int
    created: int
    cache_bytes: int


class Pair:
    """Two systems, crm and erp, and the worker's cache, in a directory."""

    def __init__(self, directory: Path, crm: str, erp: str) -> None:
        self.urls = crm, erp
        self._directory = directory
        self._runs = 0
        (directory / "cache").mkdir()
        place = {"table": "contact", "id": "id", "cursor": "updated_at"}
        contact = {
            "name": "contact", "crm": place, "erp": place, "match": ["email"],
            "fields": [_field(name) for name in contacts.FIELDS],
        }  # fmt: skip
        connectors = {name: {"type": "sql", "url": url} for name, url in (("crm", crm), ("erp", erp))}
        (directory / "sync.json").write_text(json.dumps({"connectors": connectors, "objects": [contact]}))

    def sync(self, *, push: bool) -> Synced:
        """A full sync. Raises RuntimeError unless it is complete."""
        self._runs += 1
        message, cache = self._directory / "message", self._directory / "cache"
        variables = {
            "PYTHONPATH": str(Path(tidegate.__file__).parents[1]),
            "SYNC_PROTOCOL": "1", "SYNC_RUN": str(self._runs), "SYNC_SCOPE": "full", "SYNC_PUSH": str(push).lower(),
            "SYNC_CACHE_DIR": str(cache), "SYNC_CACHE_EPOCH": "1",
            "SYNC_CONFIG": str(self._directory / "sync.json"), "SYNC_TERMINATION_LOG": str(message),
        }  # fmt: skip
        took = run([sys.executable, "-m", "tidegate.worker.main"], variables, self._directory / "log")
        said = json.loads(message.read_text())
        created = sum(counts["create"] for counts in said["pushed"].values())
        size = sum(file.stat().st_size for file in cache.iterdir())
        return Synced(took, sum(said["read"].values()), sum(said["changed"].values()), created, size)


def _field(name: str) -> dict[str, str]:
    return {"crm": name, "erp": name, **({"match": "casefold"} if name == "email" else {})}


def sqlite_and_sqlite(directory: Path, records: int) -> Pair:
    """Two systems that hold the same contacts."""
    for name in ("crm", "erp"):
        contacts.write_sqlite(directory / f"{name}.db", records)
    return Pair(directory, *(f"{contacts.SQLITE}{directory / name}.db" for name in ("crm", "erp")))


def parked_and_unpaired(directory: Path, records: int) -> Pair:
    """Two systems of which one holds so many contacts without a counterpart, and as many that the other refuses."""
    contacts.write_sqlite(directory / "crm.db", records)
    contacts.write_sqlite(directory / "erp.db", 0)
    pair = Pair(directory, *(f"{contacts.SQLITE}{directory / name}.db" for name in ("crm", "erp")))
    pair.sync(push=False)
    contacts.add_to_sqlite(directory / "crm.db", range(records, 2 * records))
    contacts.refuse_in_sqlite(directory / "erp.db")
    pair.sync(push=True)
    return pair


@contextmanager
def sqlite_and_postgresql(directory: Path, records: int) -> Iterator[Pair]:
    """One that holds contacts, and one that has an empty table for them."""
    contacts.write_sqlite(directory / "crm.db", records)
    with postgresql() as server, contacts.in_postgresql(server, 0) as erp:
        yield Pair(directory, f"{contacts.SQLITE}{directory}/crm.db", erp.worker_url)


@contextmanager
def postgresql_and_postgresql(directory: Path, records: int) -> Iterator[Pair]:
    """Two that hold the same contacts, on one server."""
    with (
        postgresql() as server,
        contacts.in_postgresql(server, records) as crm,
        contacts.in_postgresql(server, records) as erp,
    ):
        yield Pair(directory, crm.worker_url, erp.worker_url)
