"""One record that the API fails on is set aside, the others go on, and the same failure on many is the system's."""

import pytest

from .rest_and_sqlite import NOTHING, RestAndSqlite
from .rest_server import Reply, Request, Serve


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.worker.connectors.http.turns._FIRST_BACKOFF_SECONDS", 0.001)


@pytest.fixture
def systems(systems: RestAndSqlite) -> RestAndSqlite:
    systems.api.totals = "header"
    return systems


STATUSES = [402, 403, 406, 412, 415, 423, 428, 451, 500]


def failing(systems: RestAndSqlite, status: int, method: str, *emails: str) -> None:
    """Requests about these records are answered with this status."""

    def answer(request: Request, serve: Serve) -> Reply:
        key = request.path.rpartition("/")[2]
        document = next((it for it in systems.api.contacts.values() if str(it["id"]) == key), request.body) or {}
        if request.method == method and (method != "GET" or key != "contacts") and document.get("email") in emails:
            return Reply(status, {"error": {"message": "not this one"}})
        return serve(request)

    systems.api.around = answer


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "GET"])
def test_one_record_is_set_aside_with_the_api_s_error_text_and_the_others_are_synced(
    systems: RestAndSqlite, status: int, method: str
) -> None:
    systems.fill(6)
    systems.run()
    if method == "POST":
        for n in range(10, 16):
            systems.sql("INSERT INTO contact (email, name) VALUES (?, 'new')", f"p{n}@x")
    elif method == "DELETE":
        systems.sql("DELETE FROM contact WHERE id < 4")
    elif method == "PATCH":
        systems.sql("UPDATE contact SET name = 'new'")
    else:
        for key in systems.api.contacts:
            systems.api.edit(key, name="new")
    bad = "p12@x" if method == "POST" else "p2@x"
    failing(systems, status, method, bad)
    for _ in range(2):
        ended = systems.run(deletes="propagate", conflict="erp")
        assert ended.code == 0
        ((reason),) = ended.parked.values()
        assert "not this one" in reason
        assert str(status) in reason
    systems.api.around = None
    ended = systems.run(deletes="propagate", conflict="erp")
    assert ended.parked == {}
    assert systems.erp() == systems.crm()


@pytest.mark.parametrize(("status", "code"), [(403, 2), (402, 2), (500, 1)])
def test_the_same_failure_on_many_records_is_the_system_s(systems: RestAndSqlite, status: int, code: int) -> None:
    emails = [f"p{n}@x" for n in range(8)]
    for email in emails:
        systems.sql("INSERT INTO contact (email, name) VALUES (?, 'new')", email)
    failing(systems, status, "POST", *emails)
    ended = systems.run()
    assert ended.code == code
    assert "not this one" in ended.reason


def test_a_create_that_succeeded_despite_an_error_is_not_repeated(systems: RestAndSqlite) -> None:
    systems.sql("INSERT INTO contact (email, name) VALUES ('a@x', 'A')")

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        return Reply(500) if request.method == "POST" else reply

    systems.api.around = answer
    assert systems.run().code == 0
    assert systems.run().pushed == NOTHING
    assert len(systems.api.contacts) == 1


@pytest.mark.parametrize("key", [".", ".."])
def test_an_id_that_cannot_be_part_of_a_url_affects_one_record(systems: RestAndSqlite, key: str) -> None:
    systems.api.order = lambda document: str(document["id"])
    systems.fill(3)
    systems.api.contacts[key] = {"id": key, "email": "dot@x", "name": "D", "phone": "1", "updatedAt": "", "version": 0}
    ended = systems.run()
    assert ended.code == 0
    assert "cannot be a part of a URL" in ended.parked["crm", key]
    assert len(systems.erp()) == 3


def test_etags_that_always_differ_and_never_match_are_not_used(systems: RestAndSqlite) -> None:
    systems.fill(3)
    count = iter(range(10_000))

    def answer(request: Request, serve: Serve) -> Reply:
        if request.method == "PATCH" and "if-match" in request.headers:
            return Reply(412)
        reply = serve(request)
        return Reply(reply.status, reply.body, {**reply.headers, "ETag": f'W/"{next(count)}"'})

    systems.api.around = answer
    systems.run()
    systems.sql("UPDATE contact SET name = 'new'")
    systems.run()
    assert {name for name, _ in systems.crm().values()} == {"new"}


def test_a_delete_that_is_accepted_and_not_carried_out_is_reported_and_restores_nothing(systems: RestAndSqlite) -> None:
    systems.fill(3)
    systems.run()
    systems.sql("DELETE FROM contact WHERE id = 1")
    systems.api.around = lambda request, serve: Reply(202) if request.method == "DELETE" else serve(request)
    ended = systems.run(deletes="propagate")
    assert "202 is answered to its delete, and it is still there" in "".join(ended.parked.values())
    assert len(systems.erp()) == 2
    assert systems.run(deletes="propagate").pushed == NOTHING
    systems.api.around = None
    systems.run(deletes="propagate")
    assert len(systems.api.contacts) == 2
    assert systems.run(deletes="propagate").parked == {}


@pytest.mark.parametrize("status", [408, 423, 425])
def test_a_transient_failure_is_retried(systems: RestAndSqlite, status: int) -> None:
    systems.fill(3)
    replies = iter([Reply(status), Reply(403, None, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"})])
    systems.api.around = lambda request, serve: next(replies, None) or serve(request)
    assert systems.run().code == 0
    assert systems.erp() == systems.crm()


def test_a_found_but_unreadable_record_is_not_created_a_second_time(systems: RestAndSqlite) -> None:
    systems.fill(3)
    systems.place["find"] = "scan"
    systems.run()
    systems.sql("INSERT INTO contact (email, name) VALUES ('both@x', 'E'), ('new@x', 'N')")
    failing(systems, 403, "GET", "both@x")
    refuse = systems.api.around
    assert refuse is not None
    lists = 0

    def answer(request: Request, serve: Serve) -> Reply:
        nonlocal lists
        reply = refuse(request, serve)
        if request.method == "GET" and request.path.endswith("/contacts"):
            lists += 1
            if lists == 2:  # the sync has read the list, and does not know it yet
                systems.api.add(email="both@x", name="C")
        return reply

    systems.api.around = answer
    ended = systems.run()
    assert [it["email"] for it in systems.api.contacts.values()].count("both@x") == 1
    assert "new@x" in [it["email"] for it in systems.api.contacts.values()]
    ((reason),) = ended.parked.values()
    assert "not this one" in reason
