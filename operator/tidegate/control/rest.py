"""REST: JSON requests to the API server, over the session of the kubernetes client and without its generated methods.

Those check and copy each argument and each answer, which costs more than the request itself. Login, TLS and connections
remain the client's.
"""

import json
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"  # of one object, in the place of all of it


def api_client() -> client.ApiClient:
    """A client of the cluster that has been loaded; the caller closes it.

    By itself it looks for a proxy and a .netrc before each request, each time in another thread: a proxy is looked up
    once here, and the API server knows no password of a .netrc.
    """
    configuration = client.Configuration.get_default_copy()
    configuration.proxy = configuration.proxy or _proxy(configuration.host)
    configuration.client_session_kwargs = {"trust_env": False}
    return client.ApiClient(configuration)


def _proxy(server: str) -> str | None:
    """The proxy that the environment names for a server, unless NO_PROXY excepts it."""
    url = urlsplit(server)
    if urllib.request.proxy_bypass(url.netloc):
        return None
    return urllib.request.getproxies().get(url.scheme)


class Rest:
    """Requests by path, answered with the JSON value of the API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        within: float,
    ) -> Any:
        """Send one request and return its answer. `within` is in seconds, for all of it.

        Raises ApiException when the API server does not do as asked, with its answer as the body, and when the answer
        is not JSON; aiohttp's errors and TimeoutError when there is no answer.
        """
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": self._api.user_agent}
        await self._api.update_params_for_auth(headers, None, ["BearerToken"], path, method, body)
        url = f"{self._api.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        response = await self._api.rest_client.request(  # type: ignore[no-untyped-call]
            method, url, headers=headers, body=body, _request_timeout=aiohttp.ClientTimeout(total=within)
        )
        answer = await response.read()
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            raise ApiException(status=response.status, reason=response.reason, body=answer.decode(errors="replace"))
        try:
            return json.loads(answer)
        except ValueError as error:
            reason = "the response is not from the API server: it is not JSON"
            raise ApiException(status=0, reason=reason) from error


def path(prefix: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a resource, of one object, or of its subresource, under the prefix of its API."""
    parts = (prefix, *(("namespaces", namespace) if namespace else ()), plural, name, subresource)
    return "/".join(part for part in parts if part)
