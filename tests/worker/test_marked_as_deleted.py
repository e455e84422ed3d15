"""Records that stay in their system after they are deleted, marked by a field: the setting `deleted`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidegate.worker.connectors import Description, FieldUse, sql
from tidegate.worker.connectors.sql.settings import Settings, TableSettings

from .mariadb import Database as MariaDBDatabase
from .postgresql import PostgreSQL
from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Api, Reply, Request, Serve
from .two_databases import Contact, TwoDatabases

ADA: Contact = ("ada@x", "Ada", "1")
BOB: Contact = ("bob@x", "Bob", "2")
EVE: Contact = ("eve@x", "Eve", "3")


class TestInPostgreSQL:
    @pytest.fixture
    def systems(self, postgresql_server: PostgreSQL, tmp_path: Path) -> Iterator[TwoDatabases]:
        """Ada and Bob on both sides; in crm, what has an `archived_at` is deleted."""
        systems = TwoDatabases(postgresql_server, tmp_path)
        systems["crm"].sql("ALTER TABLE contact ADD archived_at timestamptz, ADD status text, ADD gone boolean")
        self.configure(systems, {"field": "archived_at"})
        systems.add("crm", ADA, BOB)
        assert systems.run(1).code == 0
        yield systems
        systems.close()

    @staticmethod
    def configure(systems: TwoDatabases, deleted: dict[str, Any], **changes: Any) -> None:
        place = {"table": "contact", "id": "id", "cursor": "updated_at", "deleted": deleted}
        systems.configure(**{"crm": place, "deletes": "propagate", **changes})

    @staticmethod
    def archive(systems: TwoDatabases, email: str) -> None:
        systems["crm"].sql("UPDATE contact SET archived_at = now() WHERE email = %s", email)

    def test_an_archived_row_is_a_delete_that_the_next_run_of_changes_reads(self, systems: TwoDatabases) -> None:
        self.archive(systems, "ada@x")
        assert systems.run(2, "changes").code == 0
        assert systems.contacts("erp") == [BOB]
        assert systems.contacts("crm") == [ADA, BOB], "an archived row is left as it is"
        assert systems.run(3, "full").message["changed"] == {"crm": 0, "erp": 0}

    def test_an_edit_of_the_other_side_beats_it_and_makes_a_new_row(self, systems: TwoDatabases) -> None:
        self.archive(systems, "ada@x")
        systems["erp"].sql("UPDATE contact SET phone = 'new' WHERE email = 'ada@x'")
        systems.run(2, "changes")
        assert systems.contacts("erp") == [("ada@x", "Ada", "new"), BOB]
        assert systems.contacts("crm") == [ADA, ("ada@x", "Ada", "new"), BOB]

    def test_a_row_archived_before_the_first_sync_is_never_synced_or_linked(self, systems: TwoDatabases) -> None:
        systems.add("crm", EVE)
        self.archive(systems, "eve@x")
        systems.add("erp", EVE)
        systems.run(2, "full")
        assert systems.contacts("crm").count(EVE) == 2
        assert systems.run(3, "full").message["changed"] == {"crm": 0, "erp": 0}

    @pytest.mark.parametrize("push", [True, False])
    def test_a_row_restored_after_its_delete_was_synced_is_a_new_one(self, systems: TwoDatabases, push: bool) -> None:
        self.archive(systems, "ada@x")
        systems.run(2, "changes", push=push)
        systems["crm"].sql("UPDATE contact SET archived_at = NULL, phone = 'back'")
        assert systems.run(3, "changes").code == 0
        assert [contact for contact in systems.contacts("erp") if contact[0] == "ada@x"] == [("ada@x", "Ada", "back")]
        assert systems.contacts("crm")[0] == ("ada@x", "Ada", "back")

    def test_a_row_restored_before_the_next_run_was_never_deleted(self, systems: TwoDatabases) -> None:
        self.archive(systems, "ada@x")
        systems["crm"].sql("UPDATE contact SET archived_at = NULL WHERE email = 'ada@x'")
        systems.run(2, "changes")
        assert systems.written("erp") == {"insert": 2}

    def test_a_delete_of_the_other_side_removes_the_row_unless_the_table_marks_it_itself(
        self, systems: TwoDatabases
    ) -> None:
        systems.add("crm", EVE)
        systems.run(2, "full")
        systems["erp"].sql("DELETE FROM contact WHERE email = 'bob@x'")
        systems.run(3, "full")
        assert systems.contacts("crm") == [ADA, EVE]
        systems["crm"].sql(
            "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE contact SET archived_at = now() WHERE id = OLD.id; RETURN NULL; END $$; "
            "CREATE TRIGGER mark BEFORE DELETE ON contact FOR EACH ROW EXECUTE FUNCTION mark();"
        )
        systems["erp"].sql("DELETE FROM contact WHERE email = 'ada@x'")
        ended = systems.run(4, "full")
        assert (ended.message["pushed"]["crm"]["delete"], ended.message["waiting"]) == (1, 0)
        assert systems.contacts("crm") == [ADA, EVE]
        assert systems.run(5, "full").message["changed"] == {"crm": 0, "erp": 0}

    def test_too_many_archived_rows_stop_the_run_as_deletes_do(self, systems: TwoDatabases) -> None:
        systems["crm"].sql("UPDATE contact SET archived_at = now()")
        assert systems.run(2, "changes").code == 3
        assert systems.contacts("erp") == [ADA, BOB]

    def test_only_the_configured_values_delete(self, systems: TwoDatabases) -> None:
        self.configure(systems, {"field": "status", "values": ["trash", "spam"]})
        systems["crm"].sql("UPDATE contact SET status = 'active'")
        systems.run(2, "full")
        assert systems.contacts("erp") == [ADA, BOB]
        systems["crm"].sql("UPDATE contact SET status = 'spam' WHERE email = 'ada@x'")
        systems.run(3, "changes")
        assert systems.contacts("erp") == [BOB]

    @pytest.mark.parametrize(
        ("deleted", "complaint"),
        [
            ({"field": "gonne"}, "deleted: table contact has no column gonne; it has id, email, name"),
            ({"field": "status", "values": []}, "write at least one value, or leave values out"),
            ({"field": "gone", "values": ["perhaps"]}, "deleted: column gone cannot hold 'perhaps'"),
            ({"field": "phone"}, "deleted: field phone is also synced to this side"),
            ({}, "deleted.field is missing"),
        ],
    )
    def test_an_invalid_mark_is_a_configuration_error(
        self, systems: TwoDatabases, deleted: dict[str, Any], complaint: str
    ) -> None:
        self.configure(systems, deleted)
        ended = systems.run(2, "full")
        assert (ended.code, complaint in ended.message["reason"]) == (2, True), ended.message["reason"]

    @pytest.mark.parametrize(
        ("type_", "kept", "marked"),
        [
            ("boolean", "false", "true"),
            ("timestamptz", "'infinity'", "'2026-01-01'"),
            ("date", "NULL", "'2026-01-01'"),
            ("integer", "0", "1"),
            ("text", "''", "'yes'"),
            ("text", "'False'", "'x'"),
            ("mood", "NULL", "'trash'"),
            ("uuid", "NULL", "'9f4c2d1e-0000-4000-8000-000000000000'"),
        ],
    )
    def test_blank_values_mark_nothing(self, systems: TwoDatabases, type_: str, kept: str, marked: str) -> None:
        systems["crm"].sql("CREATE TYPE mood AS ENUM ('fine', 'trash')")
        systems["crm"].sql(f"ALTER TABLE contact ADD mark {type_} DEFAULT {kept}")
        self.configure(systems, {"field": "mark"})
        systems.run(2, "full")
        assert systems.contacts("erp") == [ADA, BOB]
        systems["crm"].sql(f"UPDATE contact SET mark = {marked} WHERE email = 'ada@x'")  # noqa: S608
        systems.run(3, "changes")
        assert systems.contacts("erp") == [BOB]


@pytest.mark.parametrize(
    ("type_", "kept", "marked"),
    [
        ("BIT(1)", "b'0'", "b'1'"),
        ("BOOLEAN", "FALSE", "TRUE"),
        ("DATETIME", "'0000-00-00 00:00:00'", "'2026-01-01 00:00:00'"),
        ("ENUM('no', 'trash')", "NULL", "'trash'"),
    ],
)
def test_blank_values_in_mariadb_mark_nothing(
    mariadb_database: MariaDBDatabase, type_: str, kept: str, marked: str
) -> None:
    mariadb_database.sql(f"CREATE TABLE contact (id INT AUTO_INCREMENT PRIMARY KEY, email TEXT, mark {type_})")
    mariadb_database.sql(f"INSERT INTO contact VALUES (1, 'a@x', {kept}), (2, 'b@x', {marked})")  # noqa: S608
    connector = sql.TYPE.connect(Settings(type="sql", url=mariadb_database.url), {}, "erp")
    place = TableSettings.model_validate({"table": "contact", "id": "id", "deleted": {"field": "mark"}})
    uses = (FieldUse("email", True),)
    try:
        collection = connector.open(Description("object contact, connector erp", place, uses, (0,), True))
        assert [record.key for record in collection.scan(None, 100, None).records] == [1]
        assert [*collection.get([1, 2])] == [1]
        assert [record.key for record in collection.find([("a@x",), ("b@x",)])] == [1]
    finally:
        connector.close()


class TestInAnApi:
    @pytest.fixture(params=["listed", "left out of lists"])
    def systems(self, request: pytest.FixtureRequest, api: Api, tmp_path: Any) -> RestAndSqlite:
        """Twenty contacts on both sides; those with an `archivedAt` are deleted, and still answered by id."""
        api.totals, api.paging, api.page_size = "header", "after", 7
        systems = RestAndSqlite(api, tmp_path)
        for n in range(20):
            api.add(email=f"p{n}@x", name=f"N{n}", phone=str(n), archivedAt=None)
        systems.place |= {"paging": {"after": {}}, "deleted": {"field": "archivedAt"}}
        if request.param != "listed":
            api.around = self._unlisted
        assert systems.run(deletes="propagate").pushed == {"crm": "", "erp": "20 create"}
        return systems

    @staticmethod
    def _unlisted(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if request.method != "GET" or not isinstance(reply.body, list):
            return reply
        shown = [document for document in reply.body if not document["archivedAt"]]
        headers = {name: value for name, value in reply.headers.items() if name != "X-Total-Count"}
        return Reply(200, shown, headers)

    def test_an_archived_record_is_deleted_on_the_other_side(self, systems: RestAndSqlite) -> None:
        systems.api.edit(7, archivedAt="2026-01-01")  # the last one of its page
        systems.api.edit(8, archivedAt="2026-01-01")
        assert systems.run(deletes="propagate").pushed == {"crm": "", "erp": "2 delete"}
        assert len(systems.erp()) == 18
        assert systems.run(deletes="propagate").pushed == NOTHING

    def test_a_restored_record_comes_back(self, systems: RestAndSqlite) -> None:
        systems.api.edit(7, archivedAt="2026-01-01")
        systems.run(deletes="propagate")
        systems.api.edit(7, archivedAt=None)
        assert systems.run(deletes="propagate").pushed == {"crm": "", "erp": "1 create"}
        assert systems.run(deletes="propagate").pushed == NOTHING
        assert systems.erp() == systems.crm()

    def test_a_delete_that_the_api_turns_into_a_mark_has_succeeded(self, systems: RestAndSqlite) -> None:
        around = systems.api.around

        def archives(request: Request, serve: Serve) -> Reply:
            if request.method == "DELETE":
                systems.api.edit(int(request.path.rpartition("/")[2]), archivedAt="2026-01-01")
                return Reply(202)
            return serve(request) if around is None else around(request, serve)

        systems.api.around = archives
        systems.sql("DELETE FROM contact WHERE email = 'p3@x'")
        ended = systems.run(deletes="propagate")
        assert (ended.pushed, ended.parked) == ({"crm": "1 delete", "erp": ""}, {})
        ended = systems.run(deletes="propagate")
        assert (ended.pushed, ended.parked) == (NOTHING, {})
        assert "p3@x" not in systems.erp()


def test_a_record_is_not_linked_to_one_that_the_api_has_archived(api: Api, tmp_path: Any) -> None:
    systems = RestAndSqlite(api, tmp_path)
    systems.place |= {"paging": {"none": {}}, "deleted": {"field": "archivedAt"}}
    api.add(email="a@x", name="old", archivedAt="2026-01-01")
    systems.sql("INSERT INTO contact (email, name) VALUES ('a@x', 'new')")
    assert systems.run().pushed == {"crm": "1 create", "erp": ""}
    assert [document["name"] for document in api.contacts.values()] == ["old", "new"]


def test_changes_of_an_api_may_be_deletes(api: Api, tmp_path: Any) -> None:
    systems = RestAndSqlite(api, tmp_path)
    systems.fill(5)
    systems.place |= {
        "paging": {"none": {}}, "cursor": "updatedAt", "since": "updated_after",
        "deleted": {"field": "meta.state", "values": ["trash"]}, "missing": "empty",
    }  # fmt: skip
    systems.run(deletes="propagate")
    api.edit(3, meta={"state": "trash"})
    assert systems.run("changes", deletes="propagate").pushed == {"crm": "", "erp": "1 delete"}


def test_a_mark_field_that_no_record_has_is_a_configuration_error(api: Api, tmp_path: Any) -> None:
    systems = RestAndSqlite(api, tmp_path)
    systems.fill(20)
    systems.place |= {"paging": {"none": {}}, "deleted": {"field": "archived"}}
    ended = systems.run()
    assert ended.code == 2
    assert "deleted: none of the first 20 records has archived; they have id, email" in ended.reason
