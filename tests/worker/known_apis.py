"""Servers that behave as three well-known APIs are publicly documented: a CRM, a shop and a help desk.

They are as strict as the documentation says: what an API ignores or refuses is ignored or refused here, too.
"""

import base64
import itertools
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

from .rest_server import Api, Reply, Request, Serve

Document = dict[str, Any]


class KnownApi(ABC):
    """Its records by their ids, and what somebody sees of them: by the match field a name and one more value."""

    environ: dict[str, str] = {}

    def __init__(self, api: Api) -> None:
        self.records: dict[int, Document] = {}
        self.refused: list[Reply] = []
        self._ids = itertools.count(101)
        api.around = self._serve
        self.api = api

    def _serve(self, request: Request, _: Serve) -> Reply:
        with self.api.lock:
            reply = self.answer(request)
            if reply.status >= 400 and reply.status not in (404, 401):
                self.refused.append(reply)
            return reply

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """What the API answers."""

    @abstractmethod
    def add(self, key: str, name: str, third: str) -> int:
        """A record that somebody else makes there."""

    @abstractmethod
    def edit(self, number: int, name: str) -> None:
        """An edit that somebody else makes there."""

    @property
    @abstractmethod
    def shown(self) -> dict[str, tuple[Any, ...]]:
        """What is there."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Crm(KnownApi):
    """Contacts as HubSpot's CRM API has them; access tokens come from its own endpoint."""

    environ = {"CRM_CLIENT_ID": "id", "CRM_CLIENT_SECRET": "secret", "CRM_REFRESH_TOKEN": "refresh"}
    _DEFAULT = ("createdate", "email", "hs_object_id", "lastmodifieddate")
    _READ_ONLY = ("createdate", "hs_object_id", "lastmodifieddate")
    PATH = "/crm/v3/objects/contacts"

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth/v1/token":
            wanted = {
                "grant_type": "refresh_token",
                "client_id": "id",
                "client_secret": "secret",
                "refresh_token": "refresh",
            }
            if request.body != wanted:
                return Reply(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"})
            return Reply(
                200, {"token_type": "bearer", "refresh_token": "refresh", "access_token": "at", "expires_in": 1800}
            )
        if request.headers.get("authorization") != "Bearer at":
            return Reply(401, {"status": "error", "message": "Authentication credentials not found", "category": "X"})
        if request.path == f"{self.PATH}/search":
            return self._search(request.body)
        rest = request.path.removeprefix(self.PATH)
        if rest in ("", "/"):
            return self._post(request) if request.method == "POST" else self._list(request.query)
        record = self.records.get(int(rest.strip("/")))
        if record is None:
            return Reply(404)
        return self._one(request, record)

    def _shown(self, record: Document, names: str | None) -> Document:
        wanted = {*self._DEFAULT, *(names.split(",") if names else [])}
        properties = {name: record["properties"].get(name) for name in sorted(wanted)}
        return {**record, "properties": properties}

    def _list(self, query: dict[str, str]) -> Reply:
        limit = int(query.get("limit", "10"))
        if limit > 100:
            return Reply(400, {"status": "error", "message": "limit must be at most 100"})
        keys = [key for key in sorted(self.records) if key >= int(query.get("after", "0"))]
        body: Document = {"results": [self._shown(self.records[key], query.get("properties")) for key in keys[:limit]]}
        if keys[limit:]:
            body["paging"] = {
                "next": {"after": str(keys[limit]), "link": f"{self.api.url}{self.PATH}?after={keys[limit]}"}
            }
        return Reply(200, body)

    def _search(self, asked: Document) -> Reply:
        (only,) = asked["filterGroups"]
        (condition,) = only["filters"]
        assert condition["operator"] == "EQ"
        found = [
            it for it in self.records.values()
            if (it["properties"].get(condition["propertyName"]) or "").lower() == condition["value"].lower()
        ]  # fmt: skip
        results = [self._shown(it, ",".join(asked.get("properties", []))) for it in found]
        return Reply(200, {"total": len(found), "results": results})

    def _problem(self, body: Document, number: int | None = None) -> Reply | None:
        if set(body) != {"properties"}:
            return Reply(400, {"status": "error", "message": "Invalid input JSON", "category": "VALIDATION_ERROR"})
        for name in body["properties"]:
            if name in self._READ_ONLY:
                return Reply(400, {"status": "error", "message": f'"{name}" is a read only property'})
        email = body["properties"].get("email")
        for key, it in self.records.items():
            if key != number and email and (it["properties"].get("email") or "").lower() == email.lower():
                return Reply(409, {"status": "error", "message": f"Contact already exists. Existing ID: {key}"})
        return None

    def _post(self, request: Request) -> Reply:
        if problem := self._problem(request.body):
            return problem
        return Reply(201, self.records[self._create(request.body["properties"])])

    def _create(self, properties: Document) -> int:
        number = next(self._ids)
        self.records[number] = {"id": str(number), "properties": {}, "archived": False, "createdAt": _now()}
        self._touch(number, {**properties, "createdate": _now(), "hs_object_id": str(number)})
        return number

    def _touch(self, number: int, properties: Document) -> None:
        record = self.records[number]
        record["properties"] |= {**properties, "lastmodifieddate": _now()}
        record["updatedAt"] = _now()

    def _one(self, request: Request, record: Document) -> Reply:
        number = int(record["id"])
        if request.method == "GET":
            return Reply(200, self._shown(record, request.query.get("properties")))
        if request.method == "DELETE":
            del self.records[number]
            return Reply(204)
        if request.method != "PATCH":
            return Reply(405)
        if problem := self._problem(request.body, number):
            return problem
        self._touch(number, request.body["properties"])
        return Reply(200, {**record, "properties": {**request.body["properties"], "lastmodifieddate": _now()}})

    def add(self, key: str, name: str, third: str) -> int:
        return self._create({"email": key, "firstname": name, "phone": third})

    def edit(self, number: int, name: str) -> None:
        self._touch(number, {"firstname": name})

    @property
    def shown(self) -> dict[str, tuple[Any, ...]]:
        each = (it["properties"] for it in self.records.values())
        return {it["email"]: (it["firstname"], it["phone"]) for it in each}


class Shop(KnownApi):
    """Products as WooCommerce's REST API has them."""

    environ = {"SHOP_KEY": "ck_1", "SHOP_SECRET": "cs_1"}
    _READ_ONLY = ("id", "date_modified_gmt", "permalink")

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Basic {base64.b64encode(b'ck_1:cs_1').decode()}":
            return Reply(401, {"code": "woocommerce_rest_cannot_view", "message": "Sorry, you cannot list resources."})
        rest = request.path.removeprefix("/products")
        if not rest.strip("/"):
            return self._post(request.body) if request.method == "POST" else self._list(request.query)
        record = self.records.get(int(rest.strip("/")))
        if record is None:
            return Reply(404, {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."})
        if request.method == "GET":
            return Reply(200, record)
        if request.method == "DELETE":
            if request.query.get("force") != "true":
                return Reply(501, {"code": "rest_trash_not_supported", "message": "It does not support trashing."})
            return Reply(200, self.records.pop(record["id"]))
        self._touch(record["id"], request.body)
        return Reply(200, record)

    def _list(self, query: dict[str, str]) -> Reply:
        size, page = int(query.get("per_page", "10")), int(query.get("page", "1"))
        if size > 100:
            return Reply(400, {"code": "rest_invalid_param", "message": "Invalid parameter(s): per_page"})
        found = sorted(self.records.values(), key=lambda it: it["id"], reverse=query.get("order", "desc") == "desc")
        if "sku" in query:
            found = [it for it in found if it["sku"] == query["sku"]]
        if "modified_after" in query:
            assert query["dates_are_gmt"] == "true"
            since = query["modified_after"].rstrip("Z")
            found = [it for it in found if it["date_modified_gmt"] > since]
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))}
        return Reply(200, found[(page - 1) * size : page * size], headers)

    def _post(self, body: Document) -> Reply:
        if any(it["sku"] == body.get("sku") for it in self.records.values()):
            return Reply(400, {"code": "product_invalid_sku", "message": "Invalid or duplicated SKU."})
        return Reply(201, self.records[self._create(body)])

    def _create(self, values: Document) -> int:
        number = next(self._ids)
        self.records[number] = {"id": number, "sku": "", "name": "", "regular_price": "", "images": []}
        self._touch(number, values)
        return number

    def _touch(self, number: int, values: Document) -> None:
        moment = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        written = {name: value for name, value in values.items() if name not in self._READ_ONLY}
        self.records[number] |= {**written, "date_modified_gmt": moment, "permalink": f"/p/{number}"}

    def add(self, key: str, name: str, third: str) -> int:
        return self._create({"sku": key, "name": name, "regular_price": third})

    def edit(self, number: int, name: str) -> None:
        self._touch(number, {"name": name})

    @property
    def shown(self) -> dict[str, tuple[Any, ...]]:
        return {it["sku"]: (it["name"], it["regular_price"]) for it in self.records.values()}


class HelpDesk(KnownApi):
    """Users as Zendesk's API has them."""

    environ = {"DESK_USER": "ada@example.com/token", "DESK_TOKEN": "t0ken"}

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Basic {base64.b64encode(b'ada@example.com/token:t0ken').decode()}":
            return Reply(401, {"error": "Couldn't authenticate you"})
        if request.path == "/users/search.json":
            email = request.query["query"].removeprefix("email:").lower()
            found = [it for it in self.records.values() if it["active"] and it["email"].lower() == email]
            return Reply(200, {"users": found, "next_page": None, "previous_page": None, "count": len(found)})
        if request.path == "/users.json":
            return self._post(request.body) if request.method == "POST" else self._list(request.query)
        record = self.records.get(int(request.path.removeprefix("/users/").removesuffix(".json")))
        if record is None:
            return Reply(404, {"error": "RecordNotFound", "description": "Not found"})
        if request.method == "DELETE":
            record["active"] = False
        elif request.method == "PUT":
            if set(request.body) != {"user"}:
                return Reply(400, {"error": "ParameterMissing", "description": "param is missing: user"})
            self._touch(record["id"], request.body["user"])
        elif request.method != "GET":
            return Reply(405)
        return Reply(200, {"user": record})

    def _list(self, query: dict[str, str]) -> Reply:
        size = int(query.get("page[size]", "100"))
        if size > 100:
            return Reply(400, {"error": "InvalidPaginationParameter", "description": "page[size] must be at most 100"})
        after = int(query.get("page[after]", "0"))
        found = [it for key, it in sorted(self.records.items()) if it["active"] and key > after]
        last = found[:size][-1]["id"] if found else after
        # The link is there on the last page, too.
        following = f"{self.api.url}/users.json?page%5Bafter%5D={last}&page%5Bsize%5D={size}"
        meta = {"has_more": len(found) > size, "after_cursor": str(last), "before_cursor": None}
        return Reply(200, {"users": found[:size], "meta": meta, "links": {"next": following, "prev": None}})

    def _post(self, body: Document) -> Reply:
        if set(body) != {"user"}:
            return Reply(400, {"error": "ParameterMissing", "description": "param is missing: user"})
        email = body["user"]["email"]
        if any(it["active"] and it["email"] == email for it in self.records.values()):
            details = {"email": [{"description": f"Email: {email} is already being used by another user"}]}
            return Reply(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})
        return Reply(201, {"user": self.records[self._create(body["user"])]})

    def _create(self, values: Document) -> int:
        number = next(self._ids)
        self.records[number] = {"id": number, "active": True, "name": None, "email": None, "phone": None}
        self._touch(number, values)
        return number

    def _touch(self, number: int, values: Document) -> None:
        written = {name: value for name, value in values.items() if name in ("name", "email", "phone")}
        self.records[number] |= {**written, "updated_at": _now()}

    def add(self, key: str, name: str, third: str) -> int:
        return self._create({"email": key, "name": name, "phone": third})

    def edit(self, number: int, name: str) -> None:
        self._touch(number, {"name": name})

    @property
    def shown(self) -> dict[str, tuple[Any, ...]]:
        return {it["email"]: (it["name"], it["phone"]) for it in self.records.values() if it["active"]}
