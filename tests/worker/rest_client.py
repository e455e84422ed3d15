"""The contacts of `rest_server` opened as a collection, with a clock that no test has to wait for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest

from tidegate.worker.connectors import Collection, Description, FieldUse, Record, Window
from tidegate.worker.connectors.http import Api as Connected
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.settings import ResourceSettings, Settings
from tidegate.worker.errors import ConfigurationError

from .rest_server import Api

FIND = {"email": "{email}"}


class Naps:
    """Time as the connector sees it: it passes only when it sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.taken: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@contextmanager
def opened(
    api: Api,
    *fields: str,
    casefold: Sequence[str] = (),
    written: bool = True,
    connector: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    naps: Naps | None = None,
    **place: Any,
) -> Iterator[Collection]:
    """The contacts of the API as a collection; without napping for real."""
    naps = naps or Naps()
    settings = Settings.model_validate({"type": "http", "baseUrl": api.url, **(connector or {})})
    client = Client("crm", settings, environ or {}, naps.sleep, naps.clock)
    uses = tuple(
        FieldUse(name, written, ("casefold",) if name in casefold else ()) for name in (fields or ("email", "name"))
    )
    resource = ResourceSettings.model_validate({"path": "/contacts", "id": "id", "find": FIND, **place})
    description = Description("object contact, connector crm", resource, uses, (0,), written)
    connected = Connected(client, settings.concurrency)
    try:
        yield connected.open(description)
    finally:
        connected.close()


def cannot_open(api: Api, problem: str, *fields: str, **options: Any) -> str:
    """What is said where opening is a configuration error."""
    with pytest.raises(ConfigurationError, match=problem) as caught, opened(api, *fields, **options):
        pass
    return str(caught.value)


def moment(token: Any) -> datetime:
    return datetime.fromisoformat(token)


def everything(collection: Collection, window: Window | None = None) -> list[Record]:
    records: list[Record] = []
    after = None
    while True:
        page = collection.scan(after, 1000, window)
        records += page.records
        after = page.after
        if after is None:
            return records


def fill(api: Api, number: int) -> None:
    for n in range(number):
        api.add(email=f"p{n}@x", name=f"N{n}")
