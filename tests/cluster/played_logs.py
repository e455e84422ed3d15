"""What a kubelet serves to `kubectl logs`: the lines that a test has the worker of a run say."""

import json
import re
import ssl
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cluster.namespace import connect
from cluster.played_node import NODE
from devcluster.certificates import Authority

_ADDRESS = "127.0.0.1"
SPOKEN_AT = "2026-11-24T08:02:12.123456789Z"  # all of it
_POD_OF_RUN = re.compile(r"^/containerLogs/[^/]+/[^/]+-(\d+)-[a-z0-9]+/sync$")


class PlayedLogs:
    """The kubelet's log endpoint for one namespace at a time; a log is open until it is closed."""

    def __init__(self, kubeconfig: Path, authority: Authority) -> None:
        """It serves once it is entered; the API server knows it as the played node's kubelet."""
        self._kubeconfig = kubeconfig
        pair = authority.server("played-kubelet", [f"IP:{_ADDRESS}"])
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(pair.certificate, pair.key)
        self._said: dict[int, list[str]] = defaultdict(list)
        self._closed: set[int] = set()
        self._change = threading.Condition()

    def say(self, run: int, *lines: object) -> None:
        """Have the worker of a run print lines; what is no text is printed as JSON."""
        with self._change:
            self._said[run] += [line if isinstance(line, str) else json.dumps(line) for line in lines]
            self._change.notify_all()

    def close(self, run: int) -> None:
        """The container has ended."""
        with self._change:
            self._closed.add(run)
            self._change.notify_all()

    def __enter__(self) -> Self:
        logs = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                logs._serve(self)

            def log_message(self, format: str, *args: object) -> None:
                """The tests' own output is not the place for it."""

        self._server = ThreadingHTTPServer((_ADDRESS, 0), Handler)
        self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        nodes = connect(self._kubeconfig).resources.get(api_version="v1", kind="Node")
        status = {
            "addresses": [{"type": "InternalIP", "address": _ADDRESS}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
        }
        nodes.status.patch(name=NODE, body={"status": status}, content_type="application/merge-patch+json")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        asked = urlsplit(request.path)
        found = _POD_OF_RUN.match(asked.path)
        if found is None:
            request.send_error(404)
            return
        run, query = int(found[1]), parse_qs(asked.query)
        follow, timestamps = (query.get(option) == ["true"] for option in ("follow", "timestamps"))
        request.send_response(200)
        request.send_header("Content-Type", "text/plain")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        sent = 0
        while True:
            with self._change:
                while follow and len(self._said[run]) == sent and run not in self._closed:
                    self._change.wait()
                lines = self._said[run][sent:]
                ended = not follow or (run in self._closed and not lines)
            for line in lines:
                text = f"{f'{SPOKEN_AT} ' if timestamps else ''}{line}\n".encode()
                request.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            request.wfile.flush()
            sent += len(lines)
            if ended:
                break
        request.wfile.write(b"0\r\n\r\n")
