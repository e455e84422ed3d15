"""What a user reads when the API server will not, or cannot be reached."""

import json

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.poolmanager import PoolManager

from tidegate.cli.cluster.api_errors import translated, words
from tidegate.cli.errors import ClusterError, NotFoundError, NotInstalledError


def answer(status: int, body: str, reason: str = "") -> ApiException:
    error = ApiException(status=status, reason=reason)
    error.body = body
    return error


def refused_connection() -> HTTPError:
    try:
        PoolManager(retries=False).request("GET", "http://127.0.0.1:1/")
    except NewConnectionError as error:
        return MaxRetryError(PoolManager().connection_from_url("http://127.0.0.1:1/"), "/", error)
    raise AssertionError("somebody listens on port 1")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answer(403, json.dumps({"message": "sync is forbidden:\n  no"})), "sync is forbidden: no"),
        (answer(404, "404 page not found\n"), "the cluster has no SyncIntegration resource: Tidegate is not installed"),
        (answer(502, "<html>", "Bad Gateway"), "the API server answers: 502 Bad Gateway"),
        (ProtocolError("Connection broken"), "the API server cannot be reached: Connection broken"),
        (refused_connection(), "the API server cannot be reached: "),
        (
            answer(0, "", "SSLError\ncertificate verify failed"),
            "the API server cannot be reached: SSLError certificate",
        ),
        (
            ReadTimeoutError(HTTPSConnectionPool("work.example"), "/", "Read timed out. (read timeout=30)"),
            "the API server cannot be reached: it did not answer in time (Read timed out. (read timeout=30)); ",
        ),
    ],
)
def test_errors_are_sentences(error: ApiException | HTTPError, expected: str) -> None:
    said = words(error)
    assert said.startswith(expected)
    assert "0x" not in said
    assert "HTTPConnection" not in said


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answer(404, json.dumps({"message": "not found"})), NotFoundError),
        (answer(404, "404 page not found"), NotInstalledError),
        (answer(409, json.dumps({"message": "conflict"})), ClusterError),
        (ProtocolError("broken"), ClusterError),
    ],
)
def test_errors_have_exit_codes(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as raised, translated():
        raise error
    assert type(raised.value) is kind
