"""OAuth 2 as Django OAuth Toolkit understands it, in front of Django REST framework: nobody here wrote either.

It replaces a refresh token when it is used, and revokes a whole line of tokens when a former one is used again.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from .real_servers import django_oauth_toolkit
from .rest_and_sqlite import NOTHING, Ended, RestAndSqlite
from .rest_server import Api

SECRET = "s3cret-of+the/tests%41"  # noqa: S105 - of these tests only
PERSON = {"grant_type": "password", "username": "ada", "password": "of the tests", "scope": "contacts"}


class Crm:
    """The server, a person who has consented to the sync, and what an administrator does in its database."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self._database = directory / "crm.sqlite"
        answer = httpx.post(
            f"{url}/o/token/", data=PERSON, auth=("consent", SECRET.replace("+", "%2B").replace("%41", "%2541"))
        )
        self.consent = str(answer.raise_for_status().json()["refresh_token"])

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._database, isolation_level=None, timeout=10)) as connection:
            return connection.execute(statement).fetchall()

    def revoke(self) -> None:
        """The person takes the consent back."""
        self.sql("UPDATE oauth2_provider_refreshtoken SET revoked = '2000-01-01'")
        self.sql("DELETE FROM oauth2_provider_accesstoken")

    @property
    def contacts(self) -> dict[str, list[Any]]:
        return {email: values for email, *values in self.sql("SELECT email, name, phone FROM contacts_contact")}


@pytest.fixture(scope="module")
def url(directory_in_memory: Path) -> Iterator[tuple[str, Path]]:
    directory = Path(tempfile.mkdtemp(dir=directory_in_memory))
    with django_oauth_toolkit(directory) as url:
        yield url, directory


@pytest.fixture
def crm(url: tuple[str, Path]) -> Iterator[Crm]:
    crm = Crm(*url)
    yield crm
    for table in ("contacts_contact", "oauth2_provider_refreshtoken", "oauth2_provider_accesstoken"):
        crm.sql(f"DELETE FROM {table}")  # noqa: S608 - of these tests only


@pytest.fixture
def sync(crm: Crm, tmp_path: Path) -> Callable[..., Ended]:
    systems = RestAndSqlite(Api(url=crm.url), tmp_path)
    systems.place |= {"path": "/contacts/", "items": "results", "paging": {"link": {"next": "next"}}, "total": "count"}
    systems.sql("INSERT INTO contact (email, name, phone) VALUES ('a@x.test', 'A', '1')")

    def run(client: str = "consent", edit: str = "", environ: dict[str, str] | None = None, **oauth2: Any) -> Ended:
        if edit:
            systems.sql("UPDATE contact SET name = ?", edit)
        refresh = {"refreshToken": {"env": "REFRESH"}} if client == "consent" else {}
        settings = {"tokenUrl": f"{crm.url}/o/token/", "clientId": client, "clientSecret": {"env": "SECRET"}}
        systems.connector = {"auth": {"oauth2": {**settings, **refresh, "scopes": ["contacts"], **oauth2}}}
        return systems.run(environ={"SECRET": SECRET, "REFRESH": crm.consent, **(environ or {})})

    return run


@pytest.mark.parametrize("where", ["basic", "post"])
@pytest.mark.parametrize("client", ["machine", "consent"])
def test_consecutive_runs_use_the_server_s_tokens(
    crm: Crm, sync: Callable[..., Ended], client: str, where: str
) -> None:
    assert sync(client, clientAuthentication=where).pushed == {"crm": "1 create", "erp": ""}
    for name in ("B", "C", "D"):
        ended = sync(client, name, clientAuthentication=where)
        assert (ended.code, ended.pushed) == (0, {"crm": "1 update", "erp": ""})
        assert crm.contacts == {"a@x.test": [name, "1"]}


def test_a_token_that_expires_early_is_renewed(crm: Crm, sync: Callable[..., Ended]) -> None:
    assert sync().code == 0
    crm.sql("CREATE TABLE early (n)")
    crm.sql(
        "CREATE TRIGGER first_is_over AFTER INSERT ON oauth2_provider_accesstoken "
        "WHEN NOT EXISTS (SELECT * FROM early) "
        "BEGIN UPDATE oauth2_provider_accesstoken SET expires = '2000-01-01'; INSERT INTO early VALUES (1); END"
    )
    try:
        ended = sync(edit="B")
        assert crm.sql("SELECT count(*) FROM early") == [(1,)]
    finally:
        crm.sql("DROP TRIGGER first_is_over")
        crm.sql("DROP TABLE early")
    assert (ended.code, ended.pushed) == (0, {"crm": "1 update", "erp": ""})
    assert crm.contacts == {"a@x.test": ["B", "1"]}


def test_a_revoked_consent_stops_the_sync_until_it_is_granted_again(crm: Crm, sync: Callable[..., Ended]) -> None:
    assert sync().code == 0
    crm.revoke()
    ended = sync(edit="B")
    assert (ended.code, crm.contacts) == (2, {"a@x.test": ["A", "1"]})
    assert "invalid_grant" in ended.reason
    assert "authorize once more, and put the new refresh token into the environment variable REFRESH" in ended.reason


def test_a_refresh_token_used_by_another_client_stops_the_sync(crm: Crm, sync: Callable[..., Ended]) -> None:
    assert sync().code == 0
    ended = sync(environ={"REFRESH": f"{crm.consent} "})
    assert ended.pushed == NOTHING
    stolen = {
        "grant_type": "refresh_token",
        "refresh_token": crm.consent,
        "client_id": "consent",
        "client_secret": SECRET,
    }
    assert httpx.post(f"{crm.url}/o/token/", data=stolen).status_code == 400
    ended = sync(edit="B")
    assert (ended.code, crm.contacts) == (2, {"a@x.test": ["A", "1"]})
    assert "was used by another" in ended.reason


def test_an_ungranted_scope_and_a_wrong_secret_are_reported(crm: Crm, sync: Callable[..., Ended]) -> None:
    ended = sync("machine", scopes=["billing"])
    assert (ended.code, "see scopes" in ended.reason) == (2, True)
    ended = sync("machine", environ={"SECRET": "wrong"})
    assert (ended.code, "see clientId, clientSecret and clientAuthentication" in ended.reason) == (2, True)
    assert crm.contacts == {}
