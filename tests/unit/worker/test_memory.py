"""How much memory a run takes: it is bounded by bytes, however large the records are."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from .databases import SIDES, Databases

MIB = 1 << 20

# A worker that tells the most memory that it has had; what the system counts of a child begins with its parent's.
WORKER = """
import sys
from tidegate.worker.main import main
try:
    main([])
finally:
    print("peak", next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(databases: Databases, config: dict[str, Any], run: int) -> int:
    """The most memory that a whole run takes, in bytes."""
    databases.write_config(config)
    values = databases.environment(run)
    done = subprocess.run(
        [sys.executable, "-c", WORKER], env=values, capture_output=True, text=True, check=False, cwd=databases.directory
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("peak "))
    return int(line.split()[1]) * 1024


NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"


def long_texts(databases: Databases) -> dict[str, Any]:
    """A hundred and fifty records of a megabyte."""
    databases.sql(
        "crm",
        f"{NUMBERS.format(150)} INSERT INTO contact (email, name) SELECT i || '@x', printf('%.1000000c', 'x') FROM n",  # noqa: S608
    )
    return databases.config()


def long_texts_after_short_ones(databases: Databases) -> dict[str, Any]:
    """A hundred and fifty records of a megabyte among many small ones."""
    length = "CASE WHEN i BETWEEN 4000 AND 4150 THEN 1000000 ELSE 10 END"
    databases.sql(
        "crm",
        f"{NUMBERS.format(8000)} INSERT INTO contact (email, name) "  # noqa: S608
        f"SELECT i || '@x', printf('%.*c', {length}, 'x') FROM n",
    )
    return databases.config()


def many_fields(databases: Databases) -> dict[str, Any]:
    """Two thousand records of three hundred fields."""
    names = [f"field{n}" for n in range(300)]
    for side in SIDES:
        columns = ", ".join(f"{name} TEXT" for name in names)
        databases.sql(side, f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns})")
    values = ", ".join(["'value ' || i"] * len(names))
    databases.sql("crm", f"{NUMBERS.format(2000)} INSERT INTO wide ({', '.join(names)}) SELECT {values} FROM n")  # noqa: S608
    place = {"table": "wide", "id": "id"}
    fields = [{"crm": name, "erp": name} for name in names]
    return databases.config(crm=place, erp=place, match=["field0"], fields=fields)


def long_lines_of_a_file(databases: Databases) -> dict[str, Any]:
    """A hundred and fifty lines of a megabyte, to be synced with a database."""
    with (databases.directory / "contacts.csv").open("w") as file:
        file.write("id,email,name,phone\n")
        file.writelines(f"{n},{n}@x,{'x' * 1_000_000},1\n" for n in range(1, 151))
    connectors = {
        "crm": {"type": "file", "url": f"file://{databases.directory}"},
        "erp": {"type": "sql", "url": databases.url("erp")},
    }
    return databases.config(connectors=connectors, crm={"path": "contacts.csv", "id": "id"})


LARGE = [long_texts, long_texts_after_short_ones, many_fields, long_lines_of_a_file]


# Beyond what a run takes without any large record.
BOUND = 110 * MIB


@pytest.fixture(scope="module")
def least(tmp_path_factory: pytest.TempPathFactory) -> int:
    databases = Databases(tmp_path_factory.mktemp("small"))
    databases.add("crm", ("ada@x", "Ada"))
    return peak(databases, databases.config(), 1)


@pytest.mark.parametrize("large", LARGE, ids=lambda large: large.__name__)
def test_large_records_take_no_more_memory_than_a_page_of_them(
    databases: Databases, least: int, large: Callable[[Databases], dict[str, Any]]
) -> None:
    config = large(databases)
    for run in (1, 2):
        assert peak(databases, config, run) < least + BOUND


def test_large_records_that_were_edited_take_no_more_memory_than_a_batch_of_them(
    databases: Databases, least: int
) -> None:
    config = long_texts(databases)
    peak(databases, config, 1)
    for side, edit in (("crm", "name = name || '!'"), ("erp", "phone = '1'")):
        databases.sql(side, f"UPDATE contact SET {edit}")  # noqa: S608
    assert peak(databases, config, 2) < least + BOUND
    for side in SIDES:
        merged = "SELECT count(*) FROM contact WHERE phone = '1' AND length(name) = 1000001"
        assert databases.query(side, merged) == [(150,)]
