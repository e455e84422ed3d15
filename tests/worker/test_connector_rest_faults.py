"""A REST API's bad days, and who it takes us for."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tidegate.worker.connectors import Record, http
from tidegate.worker.errors import SystemFailed

from .rest_client import Naps, cannot_open, everything, fill, opened
from .rest_server import DROPPED, Api, Fault, Reply


def test_reads_are_retried_with_growing_pauses(api: Api) -> None:
    fill(api, 1)
    naps = Naps()
    with opened(api, naps=naps) as collection:
        api.faults = [Fault(DROPPED), Fault(Reply(500)), Fault(Reply(503, None, {"Retry-After": "7"})), Fault(DROPPED)]
        assert len(everything(collection)) == 1
    assert [
        0.25 <= naps.taken[0] <= 0.5,
        0.5 <= naps.taken[1] <= 1,
        naps.taken[2] == pytest.approx(7),
        2 <= naps.taken[3] <= 4,
    ] == [True] * 4


def test_an_api_that_keeps_failing_fails_the_run_with_its_error_text(api: Api) -> None:
    with opened(api) as collection:
        api.faults = [Fault(Reply(500, {"error": {"message": "out of memory"}}), times=99)]
        with pytest.raises(
            SystemFailed, match="connector crm: GET /contacts: 500 Internal Server Error: out of memory"
        ):
            collection.scan(None, 10, None)
        assert len(api.requests) == 6


def test_an_unreachable_server_fails_the_run() -> None:
    gone = Api(url="http://127.0.0.1:1")
    with (
        pytest.raises(SystemFailed, match=r"GET /contacts: 127\.0\.0\.1:1 cannot be reached: Connection refused"),
        opened(gone),
    ):
        pass


def test_a_429_is_retried_after_the_requested_time_even_for_creates(api: Api) -> None:
    naps = Naps()
    with opened(api, naps=naps) as collection:
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=10), usegmt=True)
        replies = [Reply(429, None, {"Retry-After": "3"}), Reply(403, None, {"Retry-After": later}), Reply(429)]
        api.faults = [Fault(reply, "POST") for reply in replies]
        (created,) = collection.create([["a@x", "A"]])
        assert isinstance(created, Record)
    assert naps.taken[0] == pytest.approx(3)
    assert 8 < naps.taken[1] <= 10
    assert len(api.contacts) == 1


def test_a_quota_is_waited_for_as_long_as_the_api_says(api: Api) -> None:
    fill(api, 1)
    naps = Naps()
    with opened(api, naps=naps) as collection:
        api.faults = [Fault(Reply(429, None, {"Retry-After": "1800"}))]
        assert len(everything(collection)) == 1
    assert naps.now == pytest.approx(1800)


def test_a_wait_beyond_the_limit_fails_the_run_and_no_other_request_is_sent(api: Api) -> None:
    fill(api, 1)
    with opened(api, connector={"longestWait": "10m"}) as collection:
        api.faults = [Fault(Reply(429, None, {"Retry-After": "3600"}))]
        for _ in range(2):
            with pytest.raises(
                SystemFailed, match="429 Too Many Requests; the API asks for a wait of 1:00:00, and long"
            ):
                collection.scan(None, 10, None)
        assert len(api.requests) == 2, "one for the check, and one that is refused"


RESETS: dict[str, Callable[[int], dict[str, str]]] = {
    "a moment": lambda now: {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(now + 60)},
    "a moment in milliseconds": lambda now: {"X-RateLimit-Reset": str((now + 60) * 1000)},
    "seconds": lambda _: {"RateLimit-Reset": "60"},
}


@pytest.mark.parametrize("says", RESETS)
@pytest.mark.parametrize("status", [403, 429])
def test_the_end_of_a_quotas_window_is_waited_for(api: Api, status: int, says: str) -> None:
    naps = Naps()
    with opened(api, naps=naps) as collection:
        headers = {"X-RateLimit-Remaining": "0", **RESETS[says](int(time.time()))}
        api.faults = [Fault(Reply(status, None, headers), "POST")]
        assert isinstance(collection.create([["a@x", "A"]])[0], Record)
    assert 57 < naps.now <= 60


@pytest.mark.parametrize("status", [408, 425, 429])
def test_a_transient_failure_is_neither_the_record_s_nor_the_configuration_s_fault(api: Api, status: int) -> None:
    fill(api, 1)
    with opened(api) as collection:
        api.faults = [Fault(Reply(status), "POST", times=99)]
        with pytest.raises(SystemFailed, match=f"POST /contacts: {status}"):
            collection.create([["a@x", "A"]])


def test_the_request_rate_stays_within_the_limit(api: Api) -> None:
    fill(api, 10)
    naps = Naps()
    with opened(api, naps=naps, connector={"requestsPerSecond": 2, "concurrency": 1}) as collection:
        collection.get(list(range(1, 11)))
    assert naps.now == pytest.approx(5.0)


AUTHENTICATIONS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "bearer": ({"bearer": {"env": "SECRET"}}, ("authorization", "Bearer s3cret")),
    "basic": ({"basic": {"username": "me", "password": {"env": "SECRET"}}}, ("authorization", "Basic bWU6czNjcmV0")),
    "header": ({"header": {"name": "X-Api-Key", "value": {"env": "SECRET"}}}, ("x-api-key", "s3cret")),
}


@pytest.mark.parametrize("kind", AUTHENTICATIONS)
def test_requests_are_authenticated_from_the_environment(api: Api, kind: str) -> None:
    auth, (name, value) = AUTHENTICATIONS[kind]
    with opened(api, connector={"auth": auth, "headers": {"X-More": "1"}}, environ={"SECRET": "s3cret\n"}):
        pass
    assert api.requests[-1].headers[name] == value
    assert api.requests[-1].headers["x-more"] == "1"
    cannot_open(api, "the environment variable SECRET is not set", connector={"auth": auth})


def test_a_rejected_token_is_a_configuration_error_that_does_not_show_it(api: Api) -> None:
    api.token = "another"  # noqa: S105 - of this test only
    said = cannot_open(
        api,
        "GET /contacts: 401 Unauthorized: Bearer … is not known",
        connector={"auth": {"bearer": {"env": "SECRET"}}},
        environ={"SECRET": "s3cret"},
    )
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("crm.example", "must be a URL such as"),
        ("ftp://crm.example", "must be a URL such as"),
        ("https://me:pw@crm.example", "must be without user, password and query"),
        ("https://crm.example?key=pw", "must be without user, password and query"),
        ("https://", "must be a URL such as"),
    ],
)
def test_an_invalid_base_url_is_a_configuration_error(url: str, problem: str) -> None:
    assert "pw" not in cannot_open(Api(url=url), problem)


def test_an_api_that_has_moved_is_a_configuration_error_and_is_not_followed(api: Api) -> None:
    api.faults = [Fault(Reply(301, None, {"Location": "https://new.example/contacts?x=1"}))]
    cannot_open(api, r"301 Moved Permanently: it is at https://new\.example/contacts$")


def test_exactly_one_of_several_choices_is_required() -> None:
    with pytest.raises(ValueError, match="write one of bearer, basic, header"):
        http.TYPE.settings.model_validate({"type": "http", "baseUrl": "https://x", "auth": {}})
    with pytest.raises(ValueError, match="write one of cursor, after, page, link, none"):
        http.TYPE.object_settings.model_validate({"path": "/c", "id": "id", "paging": {"page": {}, "link": {}}})
    with pytest.raises(ValueError, match="write query parameters as query"):
        http.TYPE.object_settings.model_validate({"path": "/c?x=1", "id": "id"})
