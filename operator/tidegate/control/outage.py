"""Outage: an error of the API server or the network → one sentence with what to do.

A traceback is for a defect of the operator: it
says nothing about an expired token or a deleted CustomResourceDefinition.
"""

import json
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import aiohttp
import kopf
from kubernetes.aio.client.exceptions import ApiException

from tidegate.api import names

_OURS = f"/apis/{names.GROUP}/"
_NO_DEFINITION = (
    f"the API server does not serve {names.PLURAL}.{names.GROUP}: the CustomResourceDefinition was deleted, and every "
    "SyncIntegration with it. Install it again (helm upgrade), then apply your SyncIntegrations again"
)
_NO_CREDENTIALS = (
    "the API server refuses the operator's credentials (401 Unauthorized). Check that its ServiceAccount exists, or "
    "that the token in KUBECONFIG is valid"
)
_NO_RIGHT = "Check the operator's Role or ClusterRole"
_NOT_THE_API_SERVER = (
    "the response is not from the API server: it is not JSON but {kind}. Check proxies and load balancers in between"
)


def explain(error: BaseException | None) -> str | None:
    """What happened and what to do, on one line; None when it is a defect and no outage."""
    sentences = (_explain(link) for link in _chain(error))
    return next((" ".join(sentence.split()) for sentence in sentences if sentence), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, the first cause first: it says the most."""
    if error is not None:
        yield from _chain(error.__cause__)
        yield error


def _explain(error: BaseException) -> str | None:
    match error:
        case kopf.LoginError():
            return _NO_CREDENTIALS
        case aiohttp.ContentTypeError():
            kind = error.headers.get("Content-Type") if error.headers else None
            return _NOT_THE_API_SERVER.format(kind=kind or "of another type")
        case json.JSONDecodeError():
            return _NOT_THE_API_SERVER.format(kind="of another type")
        case aiohttp.ClientResponseError():
            request = f"{error.request_info.method} {error.request_info.real_url.path}"
            return _answered(error.status, error.message, request)
        case ApiException() if error.status:
            return _answered(error.status, error.reason or "")
        case aiohttp.ClientError() | TimeoutError() | ConnectionError() | ssl.SSLError():
            why = str(error) or type(error).__name__
            return f"the API server cannot be reached: {why}. Check the API server and the network"
        case _:
            return None


def _answered(status: int, reason: str, request: str = "") -> str:
    asked = f" to {request}" if request else ""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return _NO_CREDENTIALS
        case HTTPStatus.NOT_FOUND if _OURS in request:
            return _NO_DEFINITION
        case HTTPStatus.FORBIDDEN:
            return f"the API server answers {status} {reason}{asked}. {_NO_RIGHT}"
        case _:
            return f"the API server answers {status} {reason}{asked}. Check the API server and proxies in between"
