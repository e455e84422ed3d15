"""The `http` connector: JSON REST APIs, through httpx.

`resource` implements Collection for one object. `listing`, `paging` and `reader` read its lists, `records` reads single
records, `search` finds records by their match fields, and `writing` writes them. `client` sends the requests.
"""

from collections.abc import Callable, Mapping

from tidegate.worker.connectors import ConnectorType, Description
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.resource import Resource
from tidegate.worker.connectors.http.settings import ResourceSettings, Settings


def connect(settings: Settings, environ: Mapping[str, str], name: str) -> "Api":
    """Connect to the API that these settings describe. Raises ConfigurationError; sends no request."""
    return Api(Client(name, settings, environ), settings.concurrency)


class Api:
    """A Connector for one API."""

    def __init__(self, client: Client, concurrency: int) -> None:
        self._client = client
        self._pool = Pool(concurrency)
        self._resources: list[Resource] = []

    def open(self, description: Description) -> Resource:
        """Return one resource's records."""
        resource = Resource(self._client, self._pool, description)
        self._resources.append(resource)
        return resource

    def system(self, _: Description, /) -> Mapping[str, str]:
        """Return the API's address. The account that the token belongs to cannot be determined."""
        return {"base URL": self._client.place}

    def stop_when(self, interrupted: Callable[[], bool]) -> None:
        self._client.turns.stop_when(interrupted)

    def close(self) -> None:
        """End all connections."""
        self._pool.close()
        self._client.close()
        for resource in self._resources:
            resource.close()


TYPE = ConnectorType(settings=Settings, object_settings=ResourceSettings, connect=connect, takes_constants=True)
