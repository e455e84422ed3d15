"""What is secret stays so: in messages, in the log, and in the cache."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from tidegate.worker.connectors.settings import hidden

from .rest_and_sqlite import Ended, RestAndSqlite
from .rest_server import Api, Reply, Request, Serve

TOKEN = "qwertz/uiop+asdf=ghjk'yxcv\\bnm"  # noqa: S105 - of these tests only


@pytest.fixture
def systems(api: Api, tmp_path: Any) -> RestAndSqlite:
    return RestAndSqlite(api, tmp_path)


def said(ended: Ended) -> str:
    return json.dumps([ended.message, ended.lines])


@pytest.mark.parametrize("auth", [{"bearer": {"env": "T"}}, {"header": {"name": "X-Key", "value": {"env": "T"}}}])
@pytest.mark.parametrize("inside", ["\n", "\r", "\0", "\x7f"])
def test_a_token_with_a_line_break_inside_is_refused_and_not_shown(
    systems: RestAndSqlite, auth: dict[str, Any], inside: str
) -> None:
    systems.connector = {"auth": auth}
    ended = systems.run(environ={"T": f"QWxhZGRpbjpv{inside}cGVuIHNlc2FtZQ"})
    assert ended.code == 2
    assert "the environment variable T has a line break or another control character inside" in ended.reason
    assert "QWxhZGRpbjpv" not in said(ended)
    assert "cGVuIHNlc2FtZQ" not in said(ended)


@pytest.mark.parametrize(
    "echo",
    [
        TOKEN, TOKEN[3:14], quote(TOKEN, safe=""), repr(TOKEN), json.dumps(TOKEN),
        base64.b64encode(TOKEN.encode()).decode(),
    ],
)  # fmt: skip
def test_a_secret_that_the_api_repeats_in_any_spelling_is_hidden(systems: RestAndSqlite, echo: str) -> None:
    systems.connector = {"auth": {"bearer": {"env": "T"}}}
    systems.api.around = lambda _request, _serve: Reply(401, {"message": f"not known: {echo} of today"})
    ended = systems.run(environ={"T": TOKEN})
    assert "401 Unauthorized: not known: " in ended.reason
    assert "of today" in ended.reason
    assert not any(echo[start : start + 8] in ended.reason for start in range(len(echo) - 7))


def test_a_short_secret_is_hidden_as_a_word_and_garbles_no_other() -> None:
    assert hidden("see path, p is not the password of p", ["p"]) == "see path, … is not the password of …"


def test_the_key_in_a_next_link_is_neither_shown_nor_stored(systems: RestAndSqlite) -> None:
    systems.api.paging, systems.api.page_size, systems.api.totals = "link", 5, "header"
    systems.fill(12)
    systems.connector = {"auth": {"header": {"name": "X-Key", "value": {"env": "T"}}}}

    def answer(request: Request, serve: Serve) -> Reply:
        reply = serve(request)
        if link := reply.headers.get("Link"):
            reply.headers["Link"] = link.replace(">;", f"&api_key={quote(TOKEN)}>;")
        return reply

    systems.api.around = answer
    ended = systems.run(
        environ={"T": TOKEN}, interrupted=lambda: any("start" in request.query for request in systems.api.requests)
    )
    assert ended.code == 75
    assert ended.message["checkpoint"].startswith("scan crm contact > page ")
    for text in (said(ended), systems.everything_remembered()):
        assert TOKEN[:12] not in text
        assert quote(TOKEN) not in text
        assert "api_key" not in said(ended)
    assert systems.run(environ={"T": TOKEN}, again=True).code == 0
    assert systems.erp() == systems.crm()
    asked = [request.query.get("api_key") for request in systems.api.requests if "start" in request.query]
    assert set(asked) == {TOKEN}


def test_a_custom_header_replaces_the_default_one(systems: RestAndSqlite) -> None:
    systems.fill(1)
    systems.connector = {
        "headers": {"Accept": "application/vnd.api+json", "Content-Type": "application/merge-patch+json"}
    }
    systems.sql("INSERT INTO contact (email) VALUES ('a@x')")
    assert systems.run().code == 0
    assert {request.headers["accept"] for request in systems.api.requests} == {"application/vnd.api+json"}
    assert systems.api.sent("POST")[0].headers["content-type"] == "application/merge-patch+json"


def test_a_key_in_the_query_is_sent_with_every_request_and_shown_nowhere(
    systems: RestAndSqlite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    systems.api.paging, systems.api.page_size = "link", 5
    systems.fill(12)
    systems.sql("INSERT INTO contact (email) VALUES ('new@x')")
    systems.connector = {"auth": {"query": {"name": "api_key", "value": {"env": "T"}}}}
    systems.place["query"] = {"sort": "id"}
    ended = systems.run(environ={"T": TOKEN})
    assert (ended.code, ended.pushed) == (0, {"crm": "1 create", "erp": "12 create"})
    assert {request.query.get("api_key") for request in systems.api.requests} == {TOKEN}
    assert {request.query.get("sort") for request in systems.api.requests if request.method == "POST"} == {None}
    systems.api.around = lambda request, _serve: Reply(400, {"message": f"{request.query} cannot be understood"})
    refused = systems.run(environ={"T": TOKEN})
    assert refused.code == 2
    for text in (said(ended), said(refused), systems.everything_remembered(), caplog.text):
        assert TOKEN[:12] not in text
        assert quote(TOKEN, safe="")[:12] not in text


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"query": {"name": "key", "value": "written down"}}, "write {env: NAME}"),
        ({"query": {"name": "key"}}, "auth.query.value"),
        ({"query": {"name": "key", "value": {"env": "T"}}, "bearer": {"env": "T"}},
         "write one of bearer, basic, header, query, oauth2"),
        ({}, "write one of bearer, basic, header, query, oauth2"),
    ],
)  # fmt: skip
def test_an_error_in_auth_is_reported_and_nothing_is_sent(
    systems: RestAndSqlite, auth: dict[str, Any], words: str
) -> None:
    systems.connector = {"auth": auth}
    ended = systems.run(environ={"T": TOKEN})
    assert ended.code == 2
    assert words in ended.reason
    assert "written down" not in said(ended)
    assert systems.api.requests == []
