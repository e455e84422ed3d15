"""What an API answers is bounded, in size and in time: no answer can fill the memory or hold up a run."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tidegate.worker.connectors import Write
from tidegate.worker.connectors.http import client
from tidegate.worker.connectors.http.turns import Turns
from tidegate.worker.errors import ConfigurationError, Paused, SystemFailed

from .rest_client import cannot_open, everything, fill, opened
from .rest_server import Api, Fault, Reply

SMALL = {"maxAnswerMegabytes": 1}
LARGE = "x" * 1_100_000


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n["


@contextmanager
def dripping(seconds: float, head: bytes = HEAD) -> Iterator[str]:
    """The URL of a server that answers a list: its head at once, and then one byte each so many seconds."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(head)
            while not over.wait(seconds):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        over.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_an_oversized_list_is_refused_with_the_settings_to_change(api: Api) -> None:
    fill(api, 3)
    api.contacts[2]["note"] = LARGE
    cannot_open(api, r"more than 1 MB; ask for fewer .* pageSize, or write a larger maxAnswer", connector=SMALL)
    with opened(api) as collection:
        assert len(everything(collection)) == 3


def test_an_oversized_record_is_set_aside(api: Api) -> None:
    fill(api, 3)
    with opened(api, connector=SMALL) as collection:
        got = collection.get([1, 2, 3])
        api.contacts[2]["note"] = LARGE
        assert sorted(collection.get([1, 2, 3])) == [1, 3]
        answers = collection.update([Write(got[key], {1: "new"}) for key in (1, 2)])
    assert [type(answer).__name__ for answer in answers] == ["Record", "Poison"]


def test_a_compressed_answer_counts_by_its_decompressed_size(api: Api) -> None:
    with opened(api, connector=SMALL) as collection:
        packed = gzip.compress(b"[" + b" " * 5_000_000 + b"]")
        api.faults = [Fault(Reply(200, packed, {"Content-Encoding": "gzip"}))]
        with pytest.raises(ConfigurationError, match="more than 1 MB"):
            everything(collection)


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 200 OK\r\nX-Padding: "], ids=["body", "header"])
def test_a_slow_trickling_answer_times_out(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr("tidegate.worker.connectors.http.client._ATTEMPTS", 1)
    monkeypatch.setattr("tidegate.worker.connectors.http.client._ANSWER_TIMEOUTS", 0.5)
    complaint = r"was not complete after 0\.5 seconds"
    with (
        dripping(0.05, head) as url,
        pytest.raises(SystemFailed, match=complaint),
        opened(Api(url=url), connector={"timeoutSeconds": 1}),
    ):
        pass


@pytest.mark.parametrize("head", [HEAD, b"HTTP/1.1 200 OK\r\nX-Padding: "], ids=["body", "header"])
def test_a_sigterm_ends_a_trickling_answer(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    terminated = threading.Event()

    def turns(*arguments: Any) -> Turns:
        made = Turns(*arguments)
        made.stop_when(terminated.is_set)
        return made

    monkeypatch.setattr(client, "Turns", turns)
    threading.Timer(0.2, terminated.set).start()
    with dripping(0.05, head) as url, pytest.raises(Paused), opened(Api(url=url)):
        pass
