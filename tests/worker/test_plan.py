"""A plan, by `tidegate-worker plan` and by a run, on a database that refuses every write."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from tidegate.api.contract import ExitCode
from tidegate.worker.commands.local_run import environment_of_a_run
from tidegate.worker.commands.plan import plan
from tidegate.worker.main import work

from .postgresql import PostgreSQL

_CONTACTS = """
CREATE TABLE contact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, name text);
INSERT INTO contact (email, name) VALUES ('{0}@x', '{0}'), ('b@x', '{0}');
"""


def test_a_plan_works_on_a_read_only_database(postgresql_server: PostgreSQL, tmp_path: Path) -> None:
    databases = {name: postgresql_server.database() for name in ("crm", "erp")}
    try:
        for name, database in databases.items():
            database.sql(_CONTACTS.format(name))
            (current,) = database.sql("SELECT current_database()")[0]
            database.sql(f'ALTER DATABASE "{current}" SET default_transaction_read_only = on')
            database.sql("GRANT SELECT ON contact TO worker")
        place = {"table": "contact", "id": "id"}
        config: dict[str, Any] = {
            "connectors": {name: {"type": "sql", "url": database.worker_url} for name, database in databases.items()},
            "objects": [{
                "name": "contact", "crm": place, "erp": place, "match": ["email"], "conflict": "crm",
                "fields": [{"crm": name, "erp": name} for name in ("email", "name")],
            }],
        }  # fmt: skip
        found = plan(json.dumps(config).encode(), {}, None, lambda: False)
        assert [(side.create, side.update, side.delete) for side in found.sides] == [(1, 0, 0), (1, 1, 0)]
        requested = {**environment_of_a_run(json.dumps(config).encode(), tmp_path, push=False), "SYNC_PLAN": "true"}
        assert work(requested, StringIO(), lambda: False) == ExitCode.COMPLETE
        said = json.loads((tmp_path / "termination-message.json").read_text())["plan"]
        assert [(side["create"], side["update"], side["delete"]) for side in said["sides"]] == [(1, 0, 0), (1, 1, 0)]
    finally:
        for database in databases.values():
            database.close()
