"""The API client's errors, in words for its user."""

import contextlib
import json
import re
from collections.abc import Iterator

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError, TimeoutError

from tidegate.cli.errors import ClusterError, NotFoundError, NotInstalledError

_NOT_FOUND = 404

# What urllib3's messages begin with: the representation of its own object.
_URLLIB3_OBJECT = re.compile(r"^(<[^>]*>|[A-Za-z]+\(.*?\)): ")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise ClusterError or NotFoundError instead of the client's own errors."""
    try:
        yield
    except ApiException as error:
        if error.status != _NOT_FOUND:
            raise ClusterError(words(error)) from error
        raise (NotInstalledError if _message(error) is None else NotFoundError)(words(error)) from error
    except HTTPError as error:
        raise ClusterError(words(error)) from error


def words(error: ApiException | HTTPError) -> str:
    """What the API server said, or why it could not, on one line."""
    if isinstance(error, HTTPError):
        return f"the API server cannot be reached: {_cause(error)}"
    message = _message(error)
    if message is None and error.status == _NOT_FOUND:  # its answer to a kind that it does not know is no JSON
        message = "the cluster has no SyncIntegration resource: Tidegate is not installed"
    elif message is None and not error.status:  # no answer: what the client met with stands in the reason
        message = f"the API server cannot be reached: {error.reason}"
    elif message is None:
        message = f"the API server answers: {error.status} {error.reason}"
    return " ".join(message.split())


def _message(error: ApiException) -> str | None:
    try:
        return str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return None


def _cause(error: HTTPError) -> str:
    cause = error.reason if isinstance(error, MaxRetryError) else error
    if isinstance(cause, TimeoutError):
        return f"it did not answer in time ({_URLLIB3_OBJECT.sub('', str(cause))}); --request-timeout sets the limit"
    return _URLLIB3_OBJECT.sub("", str(cause))
