"""The API client's errors, in words for its user."""

import contextlib
import json
import re
from collections.abc import Iterator

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError

from tidegate.cli.errors import ClusterError, NotFoundError

_NOT_FOUND = 404

# What urllib3's messages begin with: the representation of its own object.
_URLLIB3_OBJECT = re.compile(r"^(<[^>]*>|[A-Za-z]+\(.*?\)): ")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise ClusterError or NotFoundError instead of the client's own errors."""
    try:
        yield
    except ApiException as error:
        if error.status == _NOT_FOUND:
            raise NotFoundError(words(error)) from error
        raise ClusterError(words(error)) from error
    except HTTPError as error:
        raise ClusterError(words(error)) from error


def words(error: ApiException | HTTPError) -> str:
    """What the API server said, or why it could not."""
    if isinstance(error, HTTPError):
        cause = error.reason if isinstance(error, MaxRetryError) else error
        return f"the API server cannot be reached: {_URLLIB3_OBJECT.sub('', str(cause))}"
    try:
        message = json.loads(error.body or "")["message"]
    except (ValueError, KeyError, TypeError):
        if error.status == _NOT_FOUND:  # its answer to a kind that it does not know is no JSON
            return "the cluster knows no SyncIntegrations: Tidegate is not installed there"
        message = f"the API server answers: {error.status or ''} {error.reason}"
    return re.sub(r"\s+", " ", str(message))
