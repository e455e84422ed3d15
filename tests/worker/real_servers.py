"""Servers with a REST API that nobody here wrote: json-server, Django REST framework and PocketBase, with contacts.

One has an authorization server that nobody here wrote: Django OAuth Toolkit.

What they need is installed once, into the user's cache, at the versions that the lock files in real/ name; where that
cannot be had, their tests are skipped.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from devcluster import toolchain
from devcluster.errors import DevclusterError
from devcluster.free_port import free_port
from devcluster.lock import file_lock
from devcluster.paths import cache_home
from devcluster.progress import for_stderr

HERE = Path(__file__).parent / "real"


@dataclass(frozen=True)
class RealApi:
    """A server that runs: how the sync reaches its contacts, and what somebody else does there."""

    url: str
    place: dict[str, Any]
    items: str | None
    everything: str  # the query for a list of all
    end: str = ""  # of a record's path
    headers: dict[str, str] = field(default_factory=dict)

    def contacts(self) -> dict[str, dict[str, Any]]:
        """All contacts by their e-mail addresses."""
        body = self._send("GET", f"{self._path}?{self.everything}").json()
        return {it["email"]: it for it in (body if self.items is None else body[self.items])}

    def add(self, **values: Any) -> None:
        self._send("POST", self._path, values)

    def edit(self, email: str, **values: Any) -> None:
        self._send("PATCH", self._record(email), values)

    def remove(self, email: str) -> None:
        self._send("DELETE", self._record(email))

    @property
    def _path(self) -> str:
        return str(self.place["path"])

    def _record(self, email: str) -> str:
        return f"{self._path.rstrip('/')}/{self.contacts()[email]['id']}{self.end}"

    def _send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return httpx.request(method, self.url + path, json=body, headers=self.headers).raise_for_status()


@contextmanager
def json_server(directory: Path) -> Iterator[RealApi]:
    """json-server, which pages by Link headers."""
    programs = _installed("json-server", "package-lock.json", _npm)
    database = directory / "db.json"
    database.write_text(json.dumps({"contacts": []}))
    command = [_node(), str(programs / "json-server/lib/cli/bin.js"), "--quiet", "--host", "127.0.0.1"]
    place = {
        "path": "/contacts", "id": "id", "query": {"_sort": "id", "_page": "1"}, "paging": {"link": {}},
        "pageSize": {"parameter": "_limit", "records": 10}, "find": {"email": "{email}"}, "missing": "empty",
    }  # fmt: skip
    with _running(directory, lambda port: [*command, "--port", str(port), str(database)], "/contacts") as url:
        yield RealApi(url, place, None, "")


@contextmanager
def django_rest_framework(directory: Path) -> Iterator[RealApi]:
    """Django REST framework, whose paths end with a slash, and whose lists say how long they are."""
    programs = _installed("django", "requirements.txt", _pip)
    place = {
        "path": "/contacts/", "id": "id", "items": "results", "paging": {"link": {"next": "next"}}, "total": "count",
        "find": {"email": "{email}"},
    }  # fmt: skip
    command = [str(programs / "bin" / "python"), str(HERE / "django" / "contacts.py"), str(directory)]
    with _running(directory, lambda port: [*command, str(port)], "/contacts/") as url:
        # Its pages cannot be made longer: the tests have fewer contacts with it than a page.
        yield RealApi(url, place, "results", "", "/")


@contextmanager
def django_oauth_toolkit(directory: Path) -> Iterator[str]:
    """The URL of Django REST framework that takes the tokens of Django OAuth Toolkit only, which is at /o/."""
    programs = _installed("django-oauth", "requirements.txt", _pip)
    command = [str(programs / "bin" / "python"), str(HERE / "django-oauth" / "contacts.py"), str(directory)]
    with _running(directory, lambda port: [*command, str(port)], "/o/.well-known/oauth-authorization-server") as url:
        yield url


@contextmanager
def pocketbase(directory: Path) -> Iterator[RealApi]:
    """PocketBase, whose ids are texts and whose pages have numbers."""
    try:
        program = toolchain.program("pocketbase")
    except DevclusterError as error:
        _cannot_be_had(str(error))
    data = ["--dir", str(directory / "pb_data")]
    subprocess.run([program, "superuser", "upsert", "a@x.test", "password1", *data], check=True, capture_output=True)
    path = "/api/collections/contact/records"
    place = {
        "path": path, "id": "id", "items": "items", "paging": {"page": {}}, "total": "totalItems",
        "pageSize": {"parameter": "perPage", "records": 10}, "query": {"sort": "id"}, "find": "scan",
    }  # fmt: skip
    command = [str(program), "serve", *data]
    with _running(directory, lambda port: [*command, "--http", f"127.0.0.1:{port}"], "/api/health") as url:
        login = {"identity": "a@x.test", "password": "password1"}
        answer = httpx.post(f"{url}/api/collections/_superusers/auth-with-password", json=login).raise_for_status()
        rules = dict.fromkeys(("listRule", "viewRule", "createRule", "updateRule", "deleteRule"), "")
        fields = [{"name": name, "type": "text"} for name in ("email", "name", "phone")]
        httpx.post(
            f"{url}/api/collections",
            json={"name": "contact", "type": "base", "fields": fields, **rules},
            headers={"Authorization": answer.json()["token"]},
        ).raise_for_status()
        yield RealApi(url, place, "items", "perPage=500")


@contextmanager
def _running(directory: Path, command: Callable[[int], Sequence[str]], ready: str) -> Iterator[str]:
    """The server's URL, for as long as the context lasts."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = directory / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command(port), cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        while not _answers(url + ready):
            if process.poll() is not None:
                raise RuntimeError(f"{url} ended:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def _installed(name: str, lock_file: str, install: Callable[[Path, Path], Sequence[Sequence[str]]]) -> Path:
    """The directory of what a lock file names; it is made when there is none."""
    needs = HERE / name / lock_file
    home = cache_home() / "servers"
    place = (
        home / f"{name}-{hashlib.sha256(f'{sys.version} {sys.prefix}'.encode() + needs.read_bytes()).hexdigest()[:12]}"
    )
    complete = place / "complete"
    if not complete.exists():
        home.mkdir(parents=True, exist_ok=True)
        reporter = for_stderr()
        with file_lock(home / f"{name}.lock", reporter, f"installs {name}"):
            if not complete.exists():
                shutil.rmtree(place, ignore_errors=True)  # of one who was killed at it
                place.mkdir()
                with reporter.step(f"Installing {name}", "half a minute, once"):
                    for command in install(HERE / name, place):
                        done = subprocess.run(
                            command, cwd=place, capture_output=True, text=True, stdin=subprocess.DEVNULL
                        )
                        if done.returncode != 0:
                            _cannot_be_had(f"{name} cannot be installed: `{' '.join(command)}`: {done.stderr[-500:]}")
                complete.touch()
    return place / "node_modules" if install is _npm else place


def _npm(source: Path, place: Path) -> Sequence[Sequence[str]]:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("json-server needs npm, which is not on the PATH; the project itself needs no Node.js")
    for file in source.glob("package*.json"):
        shutil.copy(file, place)
    return [[npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]]


def _pip(source: Path, place: Path) -> Sequence[Sequence[str]]:
    pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    return [[sys.executable, "-m", "venv", str(place)], [*pip, "--requirement", str(source / "requirements.txt")]]


def _node() -> str:
    return shutil.which("node") or pytest.skip("json-server needs Node.js, which is not on the PATH")


def _cannot_be_had(reason: str) -> NoReturn:
    """Skip the test; in CI, where what Python and Go install can be had, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
