"""examples/: each manifest of the built-in worker, run by its program between real systems.

tests/cluster/test_bring_your_own_worker.py applies all of them to an API server.
"""

from pathlib import Path

import yaml

from devcluster.paths import ROOT
from documentation.pages import Page

from .declared import DeclaredSync, Ended
from .mariadb import Database as MariaDB
from .postgresql import Database as PostgreSQL
from .rest_server import Api

EXAMPLES = ROOT / "examples"

_TOUCH = """
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
"""


def postgresql_table(database: PostgreSQL, name: str, columns: str) -> None:
    database.sql(f"""
        CREATE TABLE {name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns},
            updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE TRIGGER touch BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION touch();
        GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO worker;
    """)


def mariadb_table(database: MariaDB, name: str, columns: str) -> None:
    moment = "TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"
    database.sql(f"CREATE TABLE {name} (id BIGINT AUTO_INCREMENT PRIMARY KEY, {columns}, updated_at {moment})")


def complete(ended: Ended) -> None:
    assert (ended.code, ended.message["outcome"]) == (0, "complete"), ended.log


def test_every_example_is_on_the_page_and_run_here() -> None:
    files = {path.name for path in EXAMPLES.glob("*.yaml")}
    page = (EXAMPLES / "README.md").read_text()
    assert files == {name for name in files if f"[{name}]({name})" in page}
    assert files == {"sql-and-sql.yaml", "csv-and-sql.yaml", "rest-and-sql.yaml", "own-worker.yaml"}


def test_sql_and_sql(postgresql_database: PostgreSQL, mariadb_database: MariaDB, tmp_path: Path) -> None:
    crm, billing = postgresql_database, mariadb_database
    crm.sql(_TOUCH)
    postgresql_table(crm, "company", "name text")
    postgresql_table(crm, "contact", "email text, phone text, company_id bigint REFERENCES company")
    mariadb_table(billing, "customer", "name VARCHAR(100)")
    mariadb_table(billing, "person", "mail VARCHAR(100), phone_no VARCHAR(30), customer_id BIGINT")
    billing.sql("INSERT INTO customer (id, name) VALUES (70, 'Analytical Engines')")
    crm.sql("INSERT INTO company (name) VALUES ('analytical engines'), ('Bletchley')")
    crm.sql("INSERT INTO contact (email, phone, company_id) VALUES ('ada@x', '+44 20 71', 1), ('alan@x', NULL, 2)")
    instead = {"CRM_URL": crm.worker_url, "BILLING_URL": billing.url}
    sync = DeclaredSync.read(EXAMPLES / "sql-and-sql.yaml", tmp_path / "sync", instead)
    complete(sync.run())
    joined = "SELECT mail, phone_no, name FROM person JOIN customer ON customer.id = customer_id ORDER BY mail"
    assert billing.sql(joined) == [("ada@x", "+44 20 71", "Analytical Engines"), ("alan@x", None, "Bletchley")]
    billing.sql("UPDATE person SET phone_no = '1912' WHERE mail = 'alan@x'")
    complete(sync.run("changes"))
    assert crm.sql("SELECT phone FROM contact WHERE email = 'alan@x'") == [("1912",)]


def test_csv_and_sql(postgresql_database: PostgreSQL, tmp_path: Path) -> None:
    shop = postgresql_database
    shop.sql(_TOUCH)
    postgresql_table(shop, "product", "sku text, price numeric(10, 2), stock integer")
    shop.sql("INSERT INTO product (sku, price, stock) VALUES ('apple', 1.50, 7)")
    lists = tmp_path / "lists"
    lists.mkdir()
    file = lists / "prices.csv"
    file.write_text("number;sku;price;in_stock\n1;apple;1.5;\n2;pear;2.25;\n")
    instead = {"PRICE_LISTS": str(lists), "SHOP_URL": shop.worker_url}
    sync = DeclaredSync.read(EXAMPLES / "csv-and-sql.yaml", tmp_path / "sync", instead)
    complete(sync.run())
    assert file.read_text() == "number;sku;price;in_stock\n1;apple;1.5;7\n2;pear;2.25;\n"
    assert shop.sql("SELECT sku, price::text FROM product ORDER BY sku") == [("apple", "1.50"), ("pear", "2.25")]
    file.write_text(file.read_text().replace("2.25", "3"))
    shop.sql("UPDATE product SET stock = 5 WHERE sku = 'pear'")
    complete(sync.run("changes"))
    assert shop.sql("SELECT price::text FROM product WHERE sku = 'pear'") == [("3.00",)]
    assert "2;pear;3;5\n" in file.read_text()


def test_rest_and_sql(postgresql_database: PostgreSQL, api: Api, tmp_path: Path) -> None:
    erp = postgresql_database
    erp.sql(_TOUCH)
    postgresql_table(erp, "contact", "email text, full_name text, city text")
    erp.sql("INSERT INTO contact (email, full_name, city) VALUES ('bob@x', 'Bob', 'Bonn')")
    api.token, api.items, api.paging, api.page_size = "secret", "data", "cursor", 2
    for name in ("ada", "eve", "kim"):
        api.add(email=f"{name}@x", name=name, address={"city": "Rome"})
    instead = {"CRM_API": api.url, "CRM_TOKEN": "secret", "ERP_URL": erp.worker_url}
    sync = DeclaredSync.read(EXAMPLES / "rest-and-sql.yaml", tmp_path / "sync", instead)
    complete(sync.run())
    assert erp.sql("SELECT email, city FROM contact ORDER BY email") == [
        *(("ada@x", "Rome"), ("bob@x", "Bonn"), ("eve@x", "Rome"), ("kim@x", "Rome"))
    ]
    (bob,) = (contact for contact in api.contacts.values() if contact["email"] == "bob@x")
    assert (bob["name"], bob["address"]) == ("Bob", {"city": "Bonn"})
    api.edit(bob["id"], name="Robert")
    complete(sync.run("changes"))
    assert erp.sql("SELECT full_name, city FROM contact WHERE email = 'bob@x'") == [("Robert", "Bonn")]


def test_the_own_worker_example_is_the_documented_one() -> None:
    *_, text = (EXAMPLES / "own-worker.yaml").read_text().split("---\n")
    assert text in Page.read("docs/bring-your-own-worker.md").blocks("yaml")


def test_each_example_is_one_integration_that_is_on() -> None:
    for path in EXAMPLES.glob("*.yaml"):
        *others, integration = yaml.safe_load_all(path.read_text())
        assert integration["kind"] == "SyncIntegration", path.name
        assert "SyncIntegration" not in {o["kind"] for o in others}, path.name
        assert integration["spec"]["status"] in (True, "ON"), path.name
