"""The `http` connector: REST APIs that speak JSON, through httpx.

`resource` is one object's records: `reader`, `listing` and `paging` read its lists, `records` single ones, `search`
finds some by their match fields, and `writing` writes them. `client` sends the requests.
"""

from collections.abc import Callable, Mapping

from tidegate.worker.connectors import ConnectorType, Description
from tidegate.worker.connectors.http.client import Client
from tidegate.worker.connectors.http.pool import Pool
from tidegate.worker.connectors.http.resource import Resource
from tidegate.worker.connectors.http.settings import ResourceSettings, Settings


def connect(settings: Settings, environ: Mapping[str, str], name: str) -> "Api":
    """The API of these settings; see Connect."""
    return Api(Client(name, settings, environ), settings.concurrency)


class Api:
    """A Connector."""

    def __init__(self, client: Client, concurrency: int) -> None:
        self._client = client
        self._pool = Pool(concurrency)
        self._resources: list[Resource] = []

    def open(self, description: Description) -> Resource:
        """One resource's records; see Connector."""
        resource = Resource(self._client, self._pool, description)
        self._resources.append(resource)
        return resource

    def system(self, _: Description, /) -> Mapping[str, str]:
        """Where the API is; see Identified. Whose records it shows depends on the token, and cannot be told."""
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
