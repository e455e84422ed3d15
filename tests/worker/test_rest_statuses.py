"""Statuses and headers that mean in one API what they mean in no other."""

from pathlib import Path
from typing import Any

import pytest

from .rest_and_sqlite import RestAndSqlite
from .rest_server import Api, Fault, Reply, Request, Serve


@pytest.fixture
def systems(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RestAndSqlite:
    monkeypatch.setattr("tidegate.worker.connectors.http.turns._FIRST_BACKOFF_SECONDS", 0.001)
    return RestAndSqlite(api, tmp_path)


def new_in_erp(systems: RestAndSqlite, *emails: str) -> None:
    for email in emails:
        systems.sql("INSERT INTO contact (email, name, phone) VALUES (?, 'N', '1')", email)


def test_a_status_configured_as_retry_means_that_nothing_was_done(systems: RestAndSqlite) -> None:
    new_in_erp(systems, "a@x")
    systems.api.faults = [Fault(Reply(420, {"message": "calm"}), method, times=2) for method in ("GET", "POST")]
    systems.connector = {"statuses": {"retry": [420]}}
    assert systems.run().pushed == {"crm": "1 create", "erp": ""}
    assert len(systems.api.contacts) == 1


def test_a_persistent_status_is_shown_as_the_api_sent_it(systems: RestAndSqlite) -> None:
    systems.api.around = lambda _request, _serve: Reply(420, {"message": "calm"})
    systems.connector = {"statuses": {"retry": [420]}}
    ended = systems.run()
    assert ended.code == 1
    assert "420: calm" in ended.reason


def test_a_status_configured_as_refused_sets_its_record_aside_alone(systems: RestAndSqlite) -> None:
    new_in_erp(systems, "a@x", "bad@x")

    def answer(request: Request, serve: Serve) -> Reply:
        is_bad = request.method == "POST" and request.body["email"] == "bad@x"
        return Reply(417, {"message": "not this one"}) if is_bad else serve(request)

    systems.api.around = answer
    systems.connector = {"statuses": {"refused": [417]}}
    ended = systems.run()
    assert (ended.code, ended.pushed["crm"]) == (0, "1 create")
    assert [reason for reason in ended.parked.values() if "417 Expectation Failed: not this one" in reason]


def test_a_status_configured_as_gone_means_that_the_record_is_gone(systems: RestAndSqlite) -> None:
    systems.fill(10)
    systems.run()
    del systems.api.contacts[1]

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        return Reply(406, {"message": "no such contact"}) if reply.status == 404 else reply

    systems.api.around = answer
    systems.connector = {"statuses": {"gone": [406]}}
    ended = systems.run(deletes="propagate")
    assert (ended.code, ended.pushed, ended.parked) == (0, {"crm": "", "erp": "1 delete"}, {})


@pytest.mark.parametrize("reset", ["1", "01"])
def test_a_quota_with_custom_headers_is_waited_for(systems: RestAndSqlite, reset: str) -> None:
    systems.fill(2)
    used_up = {"X-Calls-Left": "0", "X-Calls-Reset": reset}
    systems.api.faults = [Fault(Reply(403, {"message": "used up"}, used_up))]
    systems.connector = {"rateLimit": {"remaining": "X-Calls-Left", "reset": "X-Calls-Reset"}}
    assert systems.run().pushed == {"crm": "", "erp": "2 create"}


@pytest.mark.parametrize(
    ("connector", "words"),
    [
        ({"statuses": {"gone": [403]}}, "statuses.gone: 403 is not said of one record: a token without rights, or a"),
        ({"statuses": {"gone": [503]}}, "statuses.gone: 503 is not said of one record"),
        ({"statuses": {"refused": [429]}}, "statuses.refused: 429 is not said of one record"),
        ({"statuses": {"retry": [401]}}, "statuses.retry: 401 cannot have another meaning"),
        ({"statuses": {"retry": [200]}}, "statuses.retry: 200 cannot have another meaning"),
        ({"statuses": {"retry": [420], "gone": [420]}}, "statuses: 420 has two meanings; write it once"),
        ({"statuses": {"ignore": [420]}}, "statuses.ignore is not known; known are retry, refused, gone"),
        ({"statuses": {"retry": ["420"]}}, "statuses.retry"),
        ({"rateLimit": {"header": "X"}}, "rateLimit.header is not known"),
    ],
)
def test_an_error_is_reported_and_nothing_is_sent(
    systems: RestAndSqlite, connector: dict[str, Any], words: str
) -> None:
    systems.connector = connector
    ended = systems.run()
    assert ended.code == 2
    assert words in ended.reason
    assert systems.api.requests == []
