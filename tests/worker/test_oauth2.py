"""An API whose tokens expire: they are asked of an authorization server, which fails and refuses as real ones do."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tidegate.worker.connectors.http.authentication_settings import OAuth2
from tidegate.worker.connectors.http.known_secrets import KnownSecrets
from tidegate.worker.connectors.http.oauth2 import OAuth2Client
from tidegate.worker.connectors.http.turns import Turns

from .rest_and_sqlite import Ended, RestAndSqlite
from .rest_client import Naps
from .rest_server import DROPPED, Api, Reply, Request, Serve

ENVIRON = {"ID": "tidegate", "SECRET": "client s3cret+/%41", "REFRESH": "refresh-token-0"}
CREDENTIALS = {"clientId": {"env": "ID"}, "clientSecret": {"env": "SECRET"}}
REFRESH = CREDENTIALS | {"refreshToken": {"env": "REFRESH"}}


class AuthorizationServer:
    """Issues tokens at /token in the tests' own API, which then accepts the newest one only."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.asked: list[Request] = []
        self.replies: list[Reply | Callable[[Request], Reply]] = []  # instead of its own, one each
        self.expires_in: Any = 3600
        self.refresh = ENVIRON["REFRESH"]
        self.rotates = False
        self.issued = 0
        self.lasts: int | None = None  # so many requests per token
        self._left = 0
        api.around = self._answer

    @property
    def access(self) -> str:
        return f"access-token-{self.issued}"

    def _answer(self, request: Request, serve: Serve) -> Reply:
        if request.path != "/token":
            if request.headers.get("authorization") != f"Bearer {self.access}" or self._left == 0:
                return Reply(401, {"message": f"{request.headers.get('authorization')} is not known"})
            self._left -= 1
            return serve(request)
        self.asked.append(request)
        if self.replies:
            reply = self.replies.pop(0)
            return reply if isinstance(reply, Reply) else reply(request)
        return self.issue(request)

    def issue(self, request: Request) -> Reply:
        if request.body["grant_type"] == "refresh_token" and request.body["refresh_token"] != self.refresh:
            return Reply(400, {"error": "invalid_grant", "error_description": "the token is not active"})
        self.issued += 1
        self._left = self.lasts if self.lasts is not None else 1_000_000
        body = {"access_token": self.access, "token_type": "bearer", "expires_in": self.expires_in}
        if request.body["grant_type"] == "refresh_token":
            if self.rotates:
                self.refresh = f"refresh-token-{self.issued}"
            body["refresh_token"] = self.refresh
        return Reply(200, body)


@pytest.fixture
def server(api: Api) -> AuthorizationServer:
    return AuthorizationServer(api)


@pytest.fixture
def systems(server: AuthorizationServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RestAndSqlite:
    monkeypatch.setattr("tidegate.worker.connectors.http.turns._FIRST_BACKOFF_SECONDS", 0.001)
    systems = RestAndSqlite(server.api, tmp_path)
    systems.fill(3)
    return systems


def run(systems: RestAndSqlite, oauth2: dict[str, Any], environ: dict[str, str] | None = None, **how: Any) -> Ended:
    systems.connector = {"auth": {"oauth2": {"tokenUrl": f"{systems.api.url}/token", **oauth2}}, "concurrency": 1}
    return systems.run(environ=ENVIRON | (environ or {}), **how)


def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache" / ".tidegate-credentials" / "crm.json"


def assert_nothing_was_written(systems: RestAndSqlite) -> None:
    assert systems.api.writes == 0
    assert systems.erp() == {}


def test_a_client_gets_its_token_with_client_credentials(systems: RestAndSqlite, server: AuthorizationServer) -> None:
    ended = run(systems, CREDENTIALS | {"scopes": ["read", "write"], "parameters": {"audience": "https://crm"}})
    assert (ended.code, ended.pushed) == (0, {"crm": "", "erp": "3 create"})
    (asked,) = server.asked
    assert asked.body == {"grant_type": "client_credentials", "scope": "read write", "audience": "https://crm"}
    pair = f"{ENVIRON['ID']}:{quote_plus(ENVIRON['SECRET'])}"
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(pair.encode()).decode()}"


def test_a_client_sends_its_secret_in_the_body_where_the_server_wants_it_there(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    assert run(systems, CREDENTIALS | {"clientAuthentication": "post"}).code == 0
    assert server.asked[0].body["client_secret"] == ENVIRON["SECRET"]
    assert "authorization" not in server.asked[0].headers


def test_a_rejected_token_is_renewed_and_no_write_is_sent_twice(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    systems.sql("INSERT INTO contact (email, name) VALUES ('new@x', 'N')")
    server.lasts = 2
    ended = run(systems, CREDENTIALS)
    assert (ended.code, ended.pushed) == (0, {"crm": "1 create", "erp": "3 create"})
    assert server.issued > 2
    assert systems.crm() == systems.erp()
    assert systems.api.writes == 1


def test_a_token_is_renewed_once_per_rejection_and_then_the_api_s_answer_counts(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    server.lasts = 0
    ended = run(systems, CREDENTIALS)
    assert (ended.code, server.issued) == (2, 2)
    assert "GET /contacts: 401 Unauthorized: Bearer …" in ended.reason
    assert_nothing_was_written(systems)


@pytest.mark.parametrize(
    ("expires_in", "seconds", "renewals"),
    [(3600, 3539, 0), (3600, 3541, 1), ("3600", 3541, 1), (10, 8.9, 0), (10, 9.1, 1), (None, 1e9, 0), (0, 1e9, 0)],
)
def test_a_token_is_renewed_shortly_before_its_end(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, expires_in: Any, seconds: float, renewals: int
) -> None:
    server.expires_in = expires_in
    naps = Naps()
    settings = OAuth2.model_validate({"tokenUrl": f"{server.api.url}/token", **CREDENTIALS})
    turns = Turns("crm", None, timedelta(hours=1), naps.sleep, naps.clock)
    client = OAuth2Client("crm", settings, ENVIRON, KnownSecrets(), turns, 30, naps.clock)
    first = client.token(finishing=False)
    naps.now += seconds
    assert (client.token(finishing=False) != first) == bool(renewals)
    client.close()


def test_a_replaced_refresh_token_is_kept_encrypted_and_used_by_the_next_run(
    systems: RestAndSqlite, server: AuthorizationServer, tmp_path: Path
) -> None:
    server.rotates = True
    for n in range(1, 4):
        assert run(systems, REFRESH).code == 0
        assert server.refresh == f"refresh-token-{n}"
        assert server.refresh not in kept(tmp_path).read_text()
    assert [request.body["refresh_token"] for request in server.asked] == [f"refresh-token-{n}" for n in range(3)]
    assert kept(tmp_path).stat().st_mode & 0o077 == 0


def test_a_refresh_token_that_is_not_replaced_is_not_kept(
    systems: RestAndSqlite, server: AuthorizationServer, tmp_path: Path
) -> None:
    assert run(systems, REFRESH).code == 0
    assert not kept(tmp_path).exists()


def test_the_new_refresh_token_is_kept_before_the_access_token_is_used(
    systems: RestAndSqlite, server: AuthorizationServer, tmp_path: Path
) -> None:
    server.rotates = True
    kept_when_used: list[bool] = []
    systems.api.before = lambda _: kept_when_used.append(kept(tmp_path).exists())
    assert run(systems, REFRESH).code == 0
    assert kept_when_used[0]


def test_a_changed_token_in_the_environment_replaces_the_stored_one(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    server.rotates = True
    assert run(systems, REFRESH).code == 0
    server.refresh = "a new consent"
    ended = run(systems, REFRESH)
    assert ended.code == 2
    assert run(systems, REFRESH, {"REFRESH": "a new consent"}).code == 0
    assert run(systems, REFRESH, {"REFRESH": "a new consent"}).code == 0


def test_a_lost_answer_is_requested_again_and_the_server_decides(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    server.rotates = True

    def lost(request: Request) -> Reply:
        server.issue(request)
        return DROPPED

    server.replies = [lost]
    ended = run(systems, REFRESH)
    assert ended.code == 2
    assert "the token is not active (invalid_grant); the refresh token was revoked, has expired, or was" in ended.reason
    assert_nothing_was_written(systems)


def test_a_full_volume_uses_no_token_up(systems: RestAndSqlite, server: AuthorizationServer, tmp_path: Path) -> None:
    (tmp_path / "cache" / ".tidegate-credentials").write_text("in the way")
    ended = run(systems, REFRESH)
    assert ended.code == 1
    assert "a new refresh token could not be kept, so that none was asked for" in ended.reason
    assert server.asked == []
    assert_nothing_was_written(systems)


def test_a_changed_client_secret_is_reported_with_advice_and_uses_no_token_up(
    systems: RestAndSqlite, server: AuthorizationServer
) -> None:
    server.rotates = True
    assert run(systems, REFRESH).code == 0
    ended = run(systems, REFRESH, {"SECRET": "another"})
    assert ended.code == 2
    assert "encrypted with another client secret: put the former one back, or authorize once more and put the new" in (
        ended.reason
    )
    assert "the environment variable REFRESH" in ended.reason
    assert len(server.asked) == 1


PASSING = [
    Reply(500, {"error": "boom"}),
    Reply(502, b"<html><title>Bad Gateway</title></html>", {"Content-Type": "text/html"}),
    Reply(503, None, {"Retry-After": "0"}),
    Reply(429, {"error": "slow_down"}),
    Reply(400, {"error": "temporarily_unavailable"}),
    DROPPED,
]


@pytest.mark.parametrize("reply", PASSING, ids=lambda reply: str(reply.status))
@pytest.mark.parametrize("oauth2", [CREDENTIALS, REFRESH], ids=["credentials", "refresh"])
def test_a_temporarily_failing_server_is_retried(
    systems: RestAndSqlite, server: AuthorizationServer, oauth2: dict[str, Any], reply: Reply
) -> None:
    server.replies = [reply, reply]
    assert run(systems, oauth2).code == 0
    assert len(server.asked) == 3


@pytest.mark.parametrize("reply", PASSING, ids=lambda reply: str(reply.status))
def test_a_server_that_keeps_failing_fails_the_run_which_is_retried(
    systems: RestAndSqlite, server: AuthorizationServer, reply: Reply
) -> None:
    server.replies = [reply] * 9
    ended = run(systems, CREDENTIALS)
    assert ended.code == 1
    assert "connector crm: auth.oauth2: POST http://" in ended.reason
    assert len(server.asked) == 5
    assert_nothing_was_written(systems)


def test_a_server_that_fails_in_a_batch_loses_no_write(systems: RestAndSqlite, server: AuthorizationServer) -> None:
    assert run(systems, CREDENTIALS).code == 0
    for n in range(10):
        systems.sql("INSERT INTO contact (email, name) VALUES (?, 'N')", f"new{n}@x")
    server.lasts = 16
    server.replies = [server.issue, *[Reply(500)] * 5]
    ended = run(systems, CREDENTIALS)
    assert ended.code == 1
    assert systems.api.writes - ended.message["pushed"]["crm"]["create"] <= 1, "at most one is in doubt"
    server.lasts = None
    assert run(systems, CREDENTIALS, again=True).code == 0
    assert systems.api.writes == 10
    assert systems.crm() == systems.erp()


def test_a_quota_of_the_server_is_waited_for(systems: RestAndSqlite, server: AuthorizationServer) -> None:
    server.replies = [Reply(429, {"error": "too_many_requests"}, {"Retry-After": "1"})]
    assert run(systems, CREDENTIALS).code == 0
    assert len(server.asked) == 2


HTML = {"Content-Type": "text/html"}
MISTAKES: list[tuple[str, Reply, int, str]] = [
    ("client", Reply(401, {"error": "invalid_client"}), 2,
     "401 Unauthorized: invalid_client; see clientId, clientSecret and clientAuthentication"),
    ("scope", Reply(400, {"error": "invalid_scope", "error_description": "no such scope"}), 2,
     "no such scope (invalid_scope); see scopes"),
    ("grant", Reply(400, {"error": "unsupported_grant_type"}), 2,
     "the server does not offer this grant; see tokenUrl and refreshToken"),
    ("registration", Reply(400, {"error": "unauthorized_client"}), 2, "this client may not use this grant"),
    ("not found", Reply(404, b"<html><title>Not Found</title></html>", HTML), 2, "404 Not Found"),
    ("login page", Reply(200, b"<html><title>Log in</title></html>", HTML), 1,
     "the answer is a login page titled 'Log in' and not JSON"),
    ("moved", Reply(302, None, {"Location": "/login"}), 2, "302 Found"),
    ("another answer", Reply(200, {"token": "x"}), 1, "the answer has no access_token; see tokenUrl"),
    ("an error with 200", Reply(200, {"error": "invalid_client"}), 2, "invalid_client; see clientId"),
    ("type", Reply(200, {"access_token": "x", "token_type": "mac"}), 2, "the token is of type mac"),
    ("line break", Reply(200, {"access_token": "x\ny"}), 2, "the access token has a character that no header can have"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "code", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_refusal_is_reported_with_the_server_s_error_text_and_nothing_is_written(
    systems: RestAndSqlite, server: AuthorizationServer, reply: Reply, code: int, words: str
) -> None:
    server.replies = [reply] * 9
    ended = run(systems, CREDENTIALS)
    assert ended.code == code
    assert words in ended.reason
    assert_nothing_was_written(systems)


@pytest.mark.parametrize(
    ("oauth2", "environ", "words"),
    [
        ({}, {"SECRET": ""}, "the environment variable SECRET is not set"),
        ({}, {"REFRESH": ""}, "the environment variable REFRESH is not set"),
        ({"tokenUrl": "login.example/token"}, {}, "auth.oauth2.tokenUrl must be a URL such as https://"),
        ({"clientSecret": "written down"}, {}, "clientSecret: write {env: NAME}"),
        ({"clientAuthentication": "header"}, {}, "clientAuthentication"),
        ({"scope": "read"}, {}, "scope"),
    ],
)  # fmt: skip
def test_an_error_in_the_settings_is_reported_before_any_request(
    systems: RestAndSqlite,
    server: AuthorizationServer,
    oauth2: dict[str, Any],
    environ: dict[str, str],
    words: str,
) -> None:
    ended = run(systems, REFRESH | oauth2, environ)
    assert ended.code == 2
    assert words in ended.reason
    assert "written down" not in ended.reason
    assert server.asked == []
    assert_nothing_was_written(systems)


def test_a_check_without_a_credentials_directory_uses_no_token_up(
    systems: RestAndSqlite, server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(systems, REFRESH)
    asked = len(server.asked)
    code, found = systems.checked(ENVIRON)
    assert code == 2
    assert "there is no place to keep the new one" in found["complaints"][0]
    assert len(server.asked) == asked


def test_no_token_and_no_secret_is_shown(systems: RestAndSqlite, server: AuthorizationServer) -> None:
    def tells_all(request: Request) -> Reply:
        said = f"{request.headers['authorization']} {request.body} {ENVIRON['SECRET']}"
        return Reply(400, {"error": "invalid_request", "error_description": said})

    server.replies = [tells_all]
    ended = run(systems, REFRESH)
    assert ended.code == 2
    shown = json.dumps([ended.message, ended.lines])
    for secret in ("refresh-token", "s3cret", base64.b64encode(b"tidegate:client").decode()[:12]):
        assert secret not in shown
