"""The body of a write, in the shape that the API expects. Pure."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from tidegate.worker.connectors import FieldUse, Key
from tidegate.worker.connectors.http.request_settings import Body
from tidegate.worker.connectors.http.settings import ResourceSettings
from tidegate.worker.connectors.json_documents import Document, dump, put

_FORM = "application/x-www-form-urlencoded"


class Bodies:
    """Builds the request bodies for one resource."""

    def __init__(self, settings: ResourceSettings) -> None:
        self._body = settings.body or Body()
        self._id = settings.id

    def new(self, document: Document) -> tuple[bytes, dict[str, str]]:
        """The body of a create, and its headers. Raises ValueError for a value that cannot be encoded."""
        return self._written(document, self._body.content_type)

    def edited(self, key: Key, document: Document) -> tuple[bytes, dict[str, str]]:
        """The body of an update, and its headers. Raises ValueError for a value that cannot be encoded."""
        if self._body.id:
            put(document, self._id, key)
        return self._written(document, self._body.update_content_type or self._body.content_type)

    def _written(self, document: Document, content_type: str | None) -> tuple[bytes, dict[str, str]]:
        for name, value in self._body.constants.items():
            put(document, name, value)
        if self._body.wrap is not None:
            wrapped: Document = {}
            put(wrapped, self._body.wrap, document)
            document = wrapped
        headers = {} if content_type is None else {"content-type": content_type}
        if content_type is not None and content_type.partition(";")[0].strip().lower() == _FORM:
            return urlencode([*_pairs(document, "")]).encode(), headers
        return dump(document), headers


def complaints(settings: ResourceSettings, fields: tuple[FieldUse, ...]) -> list[str]:
    """Problems of the setting `body`: a field cannot be both synced and constant."""
    constants = settings.body.constants if settings.body else {}
    return [
        f"body.constants: {use.name} is also a field that is synced to this side; remove one of the two"
        for use in fields
        if use.written and use.name in constants
    ]


def _pairs(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """A document as form fields: address[city]=Ulm, tags[]=a."""
    if isinstance(value, dict):
        for each, inner in value.items():
            yield from _pairs(inner, f"{name}[{each}]" if name else each)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner, f"{name}[]")
    elif value is None:
        yield name, ""
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    else:
        yield name, str(value)
