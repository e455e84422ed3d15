"""An API that lists its contacts below their accounts only: a contact is asked for, written and found without one."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import urlencode

from .rest_server import Api, Reply, Request, Serve

_BELOW = re.compile(r"/accounts/([^/]+)/contacts")

PARENTS: dict[str, Any] = {
    "path": "/accounts/{accountId}/contacts",
    "parents": {"path": "/accounts"},
    "recordPath": "/contacts/{id}",
    "find": {"path": "/contacts", "query": {"email": "{email}"}},
}
# How a page follows another: the settings, and the name of the query parameter.
PAGINGS: dict[str, dict[str, Any]] = {
    "none": {"none": {}},
    "page": {"page": {}},
    "link": {"link": {}},
    "cursor": {"cursor": {"header": "X-Next"}},
}


class Accounts:
    """The accounts of the API, and how their lists behave."""

    def __init__(self, api: Api, paging: str = "none", size: int = 2) -> None:
        self.api = api
        self.ids: list[Any] = [1, 2, 3]
        self.paging = paging
        self.size = size
        self.second_page_is_empty = False
        self.beyond: Literal["empty", "404", "last"] = "empty"  # what is answered to a page number beyond the last one
        self.refused: dict[int, int] = {}  # statuses of the lists below these accounts
        self.before: Callable[[Request], None] = lambda _: None
        api.around = self._answer

    def _answer(self, request: Request, serve: Serve) -> Reply:
        self.before(request)
        with self.api.lock:
            if request.path == "/accounts":
                self.api.requests.append(request)
                return self._page(request, [{"id": n, "name": f"account {n}"} for n in self.ids])
            if below := _BELOW.fullmatch(request.path):
                return self._below(int(below[1]), request, serve)
            if request.path == "/contacts" and "email" not in request.query and "updated_after" not in request.query:
                return Reply(404, {"title": "there is no list of all contacts"})
            return serve(request)

    def _below(self, account: int, request: Request, serve: Serve) -> Reply:
        if account not in self.ids or account in self.refused:
            return Reply(self.refused.get(account, 404), {"title": "Not Found"})
        if request.method == "POST":
            return serve(replace(request, path="/contacts", body={**request.body, "accountId": account}))
        self.api.requests.append(request)
        return self._page(request, [it for it in self.api.contacts.values() if it.get("accountId") == account])

    def _page(self, request: Request, found: list[Any]) -> Reply:
        if self.paging == "none":
            return Reply(200, found)
        name = {"page": "page", "link": "start", "cursor": "cursor"}[self.paging]
        given = int(request.query.get(name, "1" if self.paging == "page" else "0"))
        start = (given - 1) * self.size if self.paging == "page" else given
        more = start + self.size < len(found)
        if given > 1 and start >= len(found) and self.beyond != "empty":
            if self.beyond == "404":
                return Reply(404, {"detail": "Invalid page."})
            start = (len(found) - 1) // self.size * self.size
        if self.second_page_is_empty and given > 1:
            start = len(found) if given == 2 else start - self.size
        link = f'<{self.api.url}{request.path}?{urlencode({"start": start + self.size})}>; rel="next"'
        headers = {"link": {"Link": link}, "cursor": {"X-Next": str(start + self.size)}, "page": {}}[self.paging]
        return Reply(200, found[start : start + self.size], headers if more else {})
