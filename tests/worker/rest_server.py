"""A REST API of the tests' own, in this process: contacts with paging of each kind, ETags, rate limits and faults.

What it does is what a test sets; a Fault lets one request go wrong, before or after it has had its effect.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from tidegate.worker.connectors.json_documents import Document, dump, parse_exactly


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """What is answered; a status of 0 breaks the connection off."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Serve = Callable[[Request], Reply]

DROPPED = Reply(0)


@dataclass
class Fault:
    """The next requests of this method get this reply; with `done`, after they had their effect."""

    reply: Reply
    method: str = "GET"
    times: int = 1
    done: bool = False


@dataclass
class Api:
    """The server's state and its ways. Contacts have an id, an updatedAt and a version; the rest is the tests'."""

    url: str = ""
    contacts: dict[Any, Document] = field(default_factory=dict)
    paging: Literal["cursor", "after", "page", "offset", "link", "body link", "none"] = "none"
    page_size: int = 100
    order: Callable[[Document], Any] = lambda document: document["id"]
    items: str | None = None  # where the list is in an answer
    item: str | None = None
    etags: Literal["none", "strong", "weak", "weak compared strongly"] = "none"
    filters: tuple[str, ...] = ("email", "updated_after", "ids", "version")
    says: Literal["all", "id", "location", "nothing"] = "all"  # of a record that was written
    token: str | None = None  # the bearer token that is asked for
    refuses: Callable[[Document], str | None] = lambda _: None
    stores: Callable[[Document], Document] = lambda document: document
    no_page_404: bool = False
    totals: Literal["none", "header", "body"] = "none"
    has_date: bool = True
    expired: set[str] = field(default_factory=set)  # cursors
    faults: list[Fault] = field(default_factory=list)
    before: Callable[[Request], None] = lambda _: None
    around: "Callable[[Request, Serve], Reply] | None" = None  # instead of what it answers by itself
    requests: list[Request] = field(default_factory=list)
    writes: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._ids = itertools.count(1)
        self._versions = itertools.count(1)

    # What somebody else does

    def add(self, **values: Any) -> Any:
        with self.lock:
            return self._create(values)["id"]

    def edit(self, key: Any, **values: Any) -> None:
        with self.lock:
            self._touch(self.contacts[key] | values)

    def dumped(self, body: Any) -> bytes:
        """A body as it is sent, for a test that spoils it."""
        return body if isinstance(body, bytes) else dump(body)

    def sent(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]

    # The API

    def answer(self, request: Request) -> Reply:
        return self._serve(request) if self.around is None else self.around(request, self._serve)

    def _serve(self, request: Request) -> Reply:
        self.before(request)
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.method == request.method and fault.times:
                    fault.times -= 1
                    if fault.done:
                        self._answer(request)
                    return fault.reply
            return self._answer(request)

    def _answer(self, request: Request) -> Reply:
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"message": f"{request.headers.get('authorization')} is not known"})
        _, _, key = request.path.partition("/contacts")
        if not request.path.startswith("/contacts"):
            return Reply(404, {"title": "Not Found"})
        if key.strip("/"):
            return self._record(request, key.strip("/"))
        return self._post(request) if request.method == "POST" else self._list(request)

    def _post(self, request: Request) -> Reply:
        if problem := self._problem(request.body):
            return problem
        self.writes += 1
        document = self._create(request.body)
        return self._written(201, document)

    def _create(self, values: Document) -> Document:
        document = {"id": values.get("id", next(self._ids)), **values}
        return self._touch(document)

    def _touch(self, document: Document) -> Document:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        document = {**self.stores(document), "updatedAt": moment, "version": next(self._versions)}
        self.contacts[document["id"]] = document
        return document

    def _problem(self, document: Document) -> Reply | None:
        said = self.refuses(document)
        return Reply(422, {"type": "about:blank", "title": "Invalid", "detail": said}) if said else None

    def _record(self, request: Request, text: str) -> Reply:
        document = next((it for key, it in self.contacts.items() if str(key) == text), None)
        if document is None:
            return Reply(404, {"title": "Not Found"})
        if request.method == "GET":
            return Reply(200, self._wrapped(document), self._etag(document))
        condition = request.headers.get("if-match")
        if condition is not None and not self._matches(condition, document):
            return Reply(412, {"title": "Precondition Failed"})
        if request.method == "DELETE":
            self.writes += 1
            del self.contacts[document["id"]]
            return Reply(204)
        edited = request.body if request.method == "PUT" else document | request.body
        if problem := self._problem(edited):
            return problem
        self.writes += 1
        return self._written(200, self._touch(edited | {"id": document["id"]}))

    def _written(self, status: int, document: Document) -> Reply:
        location = {"Location": f"/contacts/{document['id']}"}
        if self.says == "all":
            return Reply(status, self._wrapped(document), self._etag(document))
        return Reply(
            status, {"id": document["id"]} if self.says == "id" else None, location if self.says == "location" else {}
        )

    def _wrapped(self, document: Document) -> Any:
        return {self.item: document} if self.item else document

    def _etag(self, document: Document) -> dict[str, str]:
        if self.etags == "none":
            return {}
        return {"ETag": f'{"W/" if self.etags != "strong" else ""}"{document["version"]}"'}

    def _matches(self, condition: str, document: Document) -> bool:
        return self.etags != "weak compared strongly" and condition == self._etag(document).get("ETag")

    def _list(self, request: Request) -> Reply:
        query = request.query
        found = sorted(self._filtered(query), key=self.order)
        if query.get("sort") == "-version":
            found.sort(key=lambda document: -document["version"])
        size = min(int(query.get("limit", self.page_size)), self.page_size)
        if self.paging == "none":
            return Reply(200, self._page(found, {}))
        start = self._start(query, found, size)
        if start is None:
            return Reply(410, {"title": "The cursor has expired"})
        page = found[start : start + size]
        more = start + size < len(found)
        if self.no_page_404 and not page and start:
            return Reply(404, {"detail": "Invalid page."})
        following = urlencode({**query, "start": start + size})
        headers = {"Link": f'<{self.url}/contacts?{following}>; rel="next"'} if more and self.paging == "link" else {}
        if self.totals == "header":
            headers["X-Total-Count"] = str(len(found))
        return Reply(
            200,
            self._page(
                page,
                {
                    "nextCursor": f"c{start + size}" if more and self.paging == "cursor" else None,
                    "links": {"next": f"/contacts?{following}" if more else None},
                    "hasMore": more,
                    **({"total": len(found)} if self.totals == "body" else {}),
                },
            ),
            headers,
        )

    def _start(self, query: dict[str, str], found: list[Document], size: int) -> int | None:
        if self.paging == "cursor":
            cursor = query.get("cursor", "c0")
            return None if cursor in self.expired else int(cursor.removeprefix("c"))
        if self.paging == "after":
            after = query.get("after")
            return next((n + 1 for n, it in enumerate(found) if str(it["id"]) == after), 0)
        if self.paging == "page":
            return (int(query.get("page", "1")) - 1) * size
        return int(query.get("offset" if self.paging == "offset" else "start", "0"))

    def _page(self, documents: list[Document], around: Document) -> Any:
        return {self.items: documents, **around} if self.items else documents

    def _filtered(self, query: dict[str, str]) -> Iterator[Document]:
        asked = {name: value for name, value in query.items() if name in self.filters}
        for document in list(self.contacts.values()):
            if "email" in asked and str(document.get("email")).lower() != asked["email"].lower():
                continue
            if "updated_after" in asked and _moment(document["updatedAt"]) < _moment(asked["updated_after"]):
                continue
            if "version" in asked and document["version"] < int(asked["version"]):
                continue
            if "ids" in asked and str(document["id"]) not in asked["ids"].split(","):
                continue
            yield document


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _body(content: bytes, content_type: str) -> Any:
    """JSON as it is, and a form as the texts by their names."""
    if content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(content.decode(), keep_blank_values=True))
    return parse_exactly(content) if content else None


@contextmanager
def rest_server() -> Iterator[Api]:
    """The API, for as long as the context lasts."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: without it the second waits for the acknowledgement of the first.
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            split = urlsplit(self.path)
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = _body(self.rfile.read(length), headers.get("content-type", ""))
            reply = api.answer(Request(self.command, split.path, dict(parse_qsl(split.query, True)), headers, body))
            if reply.status == 0:
                self.close_connection = True
                return
            content = b"" if reply.body is None else api.dumped(reply.body)
            self.send_response_only(reply.status)
            if api.has_date:
                self.send_header("Date", format_datetime(datetime.now(UTC), usegmt=True))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.body is not None and "Content-Type" not in reply.headers:
                self.send_header("Content-Type", "application/json")
            if reply.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - http.server looks for these

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
