"""Records that an API lists below their parents only: all are read, and none is deleted because a parent is missed."""

from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.api.contract import ExitCode

from .rest_accounts import PAGINGS, PARENTS, Accounts
from .rest_and_sqlite import NOTHING, Ended, RestAndSqlite
from .rest_server import Api, Request, rest_server

FIELDS: tuple[Any, ...] = ("email", "name", {"crm": "accountId", "erp": "account"})
MANY = {"maxDeletes": {"percent": 100}, "maxBlanked": {"percent": 100}}


def opened(api: Api, directory: Any, paging: str = "none") -> tuple[RestAndSqlite, Accounts]:
    """Contacts below three accounts, the second of which has none, and a table of them."""
    systems, accounts = RestAndSqlite(api, directory), Accounts(api, paging)
    systems.sql("ALTER TABLE contact ADD account INTEGER")
    systems.place = {"id": "id", "paging": PAGINGS[paging], **PARENTS}
    systems.place["parents"] = {"path": "/accounts", "paging": PAGINGS[paging]}
    for n in range(7):
        api.add(email=f"p{n}@x", name=f"N{n}", accountId=(1, 3)[n % 2])
    return systems, accounts


@pytest.fixture
def systems(api: Api, tmp_path: Any) -> RestAndSqlite:
    return opened(api, tmp_path)[0]


@pytest.fixture
def accounts(systems: RestAndSqlite) -> Accounts:
    around = systems.api.around
    assert around is not None
    accounts = around.__self__  # type: ignore[attr-defined]
    assert isinstance(accounts, Accounts)
    return accounts


def run(systems: RestAndSqlite, scope: str = "full", **more: Any) -> Ended:
    return systems.run(scope, fields=FIELDS, deletes="propagate", safety=MANY, **more)


def erp(systems: RestAndSqlite) -> dict[str, int]:
    return dict(systems.sql("SELECT email, account FROM contact"))


def crm(systems: RestAndSqlite) -> dict[str, int]:
    return {it["email"]: it["accountId"] for it in systems.api.contacts.values()}


@pytest.mark.parametrize("paging", PAGINGS)
class TestWithEachKindOfPages:
    def test_the_records_of_all_parents_are_synced_and_a_second_run_finds_nothing(
        self, api: Api, tmp_path: Any, paging: str
    ) -> None:
        systems, _ = opened(api, tmp_path, paging)
        assert (run(systems).code, erp(systems)) == (0, crm(systems))
        ended = run(systems)
        assert (ended.pushed, ended.reason) == (NOTHING, "")

    def test_a_new_record_is_created_below_its_parent(self, api: Api, tmp_path: Any, paging: str) -> None:
        systems, _ = opened(api, tmp_path, paging)
        systems.sql("INSERT INTO contact (email, name, account) VALUES ('new@x', 'New', 2)")
        ended = run(systems)
        assert ended.pushed["crm"] == "1 create"
        assert crm(systems)["new@x"] == 2
        assert any(request.path == "/contacts" and request.method == "POST" for request in api.requests)
        assert run(systems).pushed == NOTHING

    def test_a_deleted_record_and_a_deleted_parent_with_all_its_records_are_deletes(
        self, api: Api, tmp_path: Any, paging: str
    ) -> None:
        systems, accounts = opened(api, tmp_path, paging)
        run(systems)
        gone = next(key for key, it in api.contacts.items() if it["accountId"] == 1)
        del api.contacts[gone]
        accounts.ids.remove(3)
        for key in [key for key, it in api.contacts.items() if it["accountId"] == 3]:
            del api.contacts[key]
        ended = run(systems)
        assert (ended.pushed["erp"], ended.reason) == ("4 delete", "")
        assert erp(systems) == crm(systems)

    def test_a_paused_run_goes_on_where_it_left_off(self, api: Api, tmp_path: Any, paging: str) -> None:
        systems, _ = opened(api, tmp_path, paging)
        codes: list[int] = []
        while len(codes) < 50 and (not codes or codes[-1] == ExitCode.PAUSED):
            began = len(api.requests)  # each process reads the list of parents first
            ended = run(systems, again=bool(codes), interrupted=lambda: len(api.requests) - began > 25)  # noqa: B023
            codes.append(ended.code)
        assert codes[-1] == ExitCode.COMPLETE
        assert erp(systems) == crm(systems)


@pytest.mark.parametrize("account", [1, 2, 3])
def test_no_record_is_deleted_for_a_list_that_is_not_there(
    systems: RestAndSqlite, accounts: Accounts, account: int
) -> None:
    systems.api.add(email="p7@x", name="N7", accountId=2)
    run(systems)
    accounts.refused[account] = 404
    systems.api.edit(next(key for key, it in systems.api.contacts.items() if it["accountId"] != account), name="edited")
    ended = run(systems)
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "1 update"})
    assert f"there is no list at /accounts/{account}/contacts, although the list of parents has it" in ended.reason
    assert "no record that is missing from it counts as deleted" in ended.reason
    assert erp(systems) == crm(systems)


@pytest.mark.parametrize("beyond", ["404", "last"])
def test_a_numbered_page_beyond_the_last_is_the_end_of_one_list_and_not_of_the_others(
    api: Api, tmp_path: Any, beyond: Literal["404", "last"]
) -> None:
    systems, accounts = opened(api, tmp_path, "page")
    api.add(email="p7@x", name="N7", accountId=3)
    accounts.beyond = beyond  # account 1 has two whole pages, and so has account 3
    ended = run(systems)
    assert (ended.code, ended.reason, erp(systems)) == (0, "", crm(systems))


@pytest.mark.parametrize("status", [401, 403])
def test_a_list_that_may_not_be_read_stops_the_sync(systems: RestAndSqlite, accounts: Accounts, status: int) -> None:
    run(systems)
    accounts.refused[3] = status
    ended = run(systems)
    assert ended.code == 2
    assert "/accounts/3/contacts" in ended.reason
    assert erp(systems) == crm(systems)


def test_a_record_that_moves_to_a_parent_that_was_read_is_not_a_delete(
    systems: RestAndSqlite, accounts: Accounts
) -> None:
    run(systems)
    moved = next(key for key, it in systems.api.contacts.items() if it["accountId"] == 3)

    def move(request: Request) -> None:
        if request.path == "/accounts/3/contacts":
            systems.api.edit(moved, accountId=1)

    accounts.before = move
    assert run(systems).code == 0
    accounts.before = lambda _: None
    run(systems)
    assert erp(systems) == crm(systems)


@pytest.mark.parametrize("of", [{1, 3}, {3}])
def test_a_record_that_moves_while_the_lists_are_read_is_read_by_the_same_run(
    systems: RestAndSqlite, accounts: Accounts, of: set[int]
) -> None:
    for contact in systems.api.contacts.values():
        contact["accountId"] = contact["accountId"] if contact["accountId"] in of else 3
    moved = next(key for key, it in systems.api.contacts.items() if it["accountId"] == 3)

    def move(request: Request) -> None:
        first = [each for each in systems.api.requests if each.path == "/accounts/1/contacts"]
        if request.path == "/accounts/3/contacts" and len(first) > 1:  # one was before the run reads the lists
            systems.api.contacts[moved]["accountId"] = 1

    accounts.before = move
    assert (run(systems).reason, erp(systems)) == ("", crm(systems))


def test_an_empty_page_in_the_middle_of_a_list_is_not_its_end(api: Api, tmp_path: Any) -> None:
    systems, accounts = opened(api, tmp_path, "page")
    accounts.second_page_is_empty = True
    assert (run(systems).reason, erp(systems)) == ("", crm(systems))


def test_a_list_of_parents_in_doubt_deletes_nothing(api: Api, tmp_path: Any) -> None:
    systems, accounts = opened(api, tmp_path, "page")
    run(systems)
    asked = [0]

    def hide(request: Request) -> None:
        if request.path == "/accounts" and request.query.get("page") == "1":
            asked[0] += 1
            accounts.ids = [1, 2] if asked[0] % 2 else [1, 2, 3]

    accounts.before = hide
    ended = run(systems)
    assert (ended.code, ended.pushed) == (0, NOTHING)
    assert "the list of parents" in ended.reason
    assert erp(systems) == crm(systems)


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        (None, 0, "the list of parents: item 4 of page 1 cannot be read"),
        ("..", 2, "parents: '..' cannot be a part of the path /accounts/{accountId}/contacts"),
    ],
)
def test_a_parent_that_cannot_be_asked_for_is_named_and_deletes_nothing(
    systems: RestAndSqlite, accounts: Accounts, key: Any, code: int, words: str
) -> None:
    run(systems)
    accounts.ids.append(key)
    ended = run(systems)
    assert (ended.code, erp(systems)) == (code, crm(systems))
    assert words in ended.reason


def test_changes_are_asked_for_below_each_parent(systems: RestAndSqlite) -> None:
    systems.place |= {"cursor": "updatedAt", "since": "updated_after"}
    run(systems)
    key = next(iter(systems.api.contacts))
    systems.api.edit(key, name="edited")
    ended = run(systems, "changes")
    assert ended.pushed["erp"] == "1 update"
    asked = [r for r in systems.api.requests if r.path.startswith("/accounts/") and "updated_after" in r.query]
    assert {each.path for each in asked} == {f"/accounts/{n}/contacts" for n in (1, 2, 3)}


def test_changes_at_a_path_of_their_own_are_asked_for_once(systems: RestAndSqlite) -> None:
    since = {"path": "/contacts", "parameters": {"updated_after": "{since}"}}
    systems.place |= {"cursor": "updatedAt", "since": since}
    run(systems)
    systems.api.edit(next(iter(systems.api.contacts)), name="edited")
    began = len(systems.api.requests)
    assert run(systems, "changes").pushed["erp"] == "1 update"
    lists = {r.path for r in systems.api.requests[began:] if "updated_after" in r.query}
    assert lists == {"/contacts"}


def test_find_scan_reads_the_lists_below_all_parents(systems: RestAndSqlite) -> None:
    systems.place["find"] = "scan"
    systems.sql("INSERT INTO contact (email, name, account) VALUES ('p1@x', 'N1', 3), ('new@x', 'New', 1)")
    assert run(systems, push=True).pushed["crm"] == "1 create"
    assert erp(systems) == crm(systems)


def test_a_new_record_without_a_parent_is_set_aside(systems: RestAndSqlite) -> None:
    systems.sql("INSERT INTO contact (email, name) VALUES ('new@x', 'New')")
    ended = run(systems)
    assert ended.pushed["crm"] == ""
    assert "accountId is empty, which says below which record it is created" in str(ended.parked)


def test_a_new_record_below_a_parent_that_is_not_there_is_set_aside_and_stops_no_other(systems: RestAndSqlite) -> None:
    run(systems)
    systems.sql("INSERT INTO contact (email, name, account) VALUES ('new@x', 'New', 9)")
    assert run(systems).code == 0, "there is nothing else to write"
    systems.sql("UPDATE contact SET account = 1 WHERE email = 'p1@x'")
    ended = run(systems)
    assert (ended.code, ended.pushed["crm"]) == (0, "1 update")
    assert "/accounts/9/contacts is not there, which accountId names: 404 Not Found" in str(ended.parked)
    systems.sql("UPDATE contact SET account = 2 WHERE email = 'new@x'")
    ended = run(systems)
    assert (ended.reason, erp(systems)) == ("", crm(systems))


def test_without_parents_there_is_nothing_to_read(systems: RestAndSqlite, accounts: Accounts) -> None:
    accounts.ids = []
    systems.api.contacts.clear()
    ended = run(systems)
    assert (ended.code, ended.pushed) == (0, NOTHING)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"parents": None}, "path: /accounts/{accountId}/contacts needs parents"),
        ({"path": "/contacts"}, "path: write where the parent's id comes"),
        ({"path": "/a/{x}/b/{y}"}, "path: write where the parent's id comes"),
        ({"recordPath": None}, "parents needs recordPath: the path of one record, without its parent"),
        ({"recordPath": "/accounts/{accountId}/contacts/{id}"}, "recordPath: only {id} can stand in it"),
        ({"find": {"email": "{email}"}}, "find: beside parents, write a search at a path of its own"),
        ({"batch": {"parameter": "ids"}}, "batch cannot be used beside parents"),
        ({"path": "/accounts/{account}/contacts"}, "path: account must be one of the fields"),
        ({"recordPath": "/nowhere/{id}"}, "recordPath: the list has the record 1, and the API has none at /nowhere/1"),
        ({"parents": {"path": "/acounts"}}, "/acounts"),
        ({"parents": {"path": "/accounts", "id": "nr"}}, "id: a record has no nr"),
        ({"parents": {"path": "/a/{b}/c"}}, "parents.path"),
        ({"parents": {"paht": "/accounts"}}, "paht"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_written(
    systems: RestAndSqlite, place: dict[str, Any], words: str
) -> None:
    systems.sql("INSERT INTO contact (email, name, account) VALUES ('new@x', 'New', 1)")
    systems.place = {key: value for key, value in (systems.place | place).items() if value is not None}
    ended = run(systems)
    assert ended.code == 2
    assert words in ended.reason
    assert systems.api.writes == 0
    assert len(erp(systems)) == 1


def test_a_field_that_none_of_many_short_lists_has_is_a_mistake_that_a_check_reports_too(
    systems: RestAndSqlite, accounts: Accounts
) -> None:
    systems.api.contacts.clear()
    accounts.ids = [*range(10)]
    for n in range(20):
        systems.api.add(email=f"p{n}@x", name="N", accountId=n // 2)
    said = "field nmae: none of the first 20 records has it"
    ended = systems.run(fields=("email", {"crm": "nmae", "erp": "name"}, {"crm": "accountId", "erp": "account"}))
    assert (ended.code, erp(systems)) == (2, {})
    assert said in ended.reason
    code, found = systems.checked()
    assert code == 2
    assert said in found["complaints"][0]


_ACTS = st.tuples(st.integers(0, 30), st.sampled_from(["move", "hide", "add"]), st.integers(0, 6), st.integers(1, 3))


@given(paging=st.sampled_from([*PAGINGS]), acts=st.lists(_ACTS, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_while_it_is_read_no_record_that_is_there_is_deleted(
    paging: str, acts: list[tuple[int, str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with rest_server() as api:
        systems, accounts = opened(api, tmp_path_factory.mktemp("systems"), paging)
        assert run(systems).code == 0
        before = set(erp(systems))
        left = sorted(acts)
        began = len(api.requests)

        def meanwhile(_: Request) -> None:
            while left and len(api.requests) - began >= left[0][0]:
                what, n, account = left.pop(0)[1:]
                keys = [*api.contacts]
                if what == "move":
                    api.edit(keys[n], accountId=account)
                elif what == "hide":  # an account that is not listed for a while
                    accounts.ids = (
                        [1, 2, 3] if len(accounts.ids) < 3 else [each for each in accounts.ids if each != account]
                    )
                else:
                    api.add(email=f"added{len(keys)}@x", name="added", accountId=account)

        accounts.before = meanwhile
        run(systems)
        assert set(erp(systems)) >= before


def test_a_parent_that_is_listed_no_more_while_its_records_are_there_deletes_none_of_them(
    systems: RestAndSqlite, accounts: Accounts
) -> None:
    run(systems)
    accounts.ids.remove(3)
    ended = run(systems)
    assert erp(systems) == crm(systems), ended
