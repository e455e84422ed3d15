"""A git repository over HTTP, served by git's own http-backend."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_BRANCH = "main"


class GitServer:
    """One bare repository, `sales.git`, that everybody may read and push to."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        repository = directory / "sales.git"
        _git(directory, "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(repository))
        _git(repository, "config", "http.receivepack", "true")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(directory))
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/sales.git"

    def clone(self, directory: Path) -> None:
        """Clone it, for somebody who has a name and works on the branch that Flux follows."""
        _git(self._root, "clone", "--quiet", self.url, str(directory))
        _git(directory, "checkout", "--quiet", "-B", _BRANCH)
        _git(directory, "config", "user.name", "Sales")
        _git(directory, "config", "user.email", "sales@example.com")
        _git(directory, "config", "push.autoSetupRemote", "true")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True)


def _handler(root: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """CGI, as git-http-backend(1) wants it."""

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *arguments: object) -> None:
            """Nobody reads it."""

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            length = self.headers.get("Content-Length", "0")
            request = {
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": length,
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "sales",
                "REMOTE_ADDR": self.client_address[0],
            }
            done = subprocess.run(
                ["git", "http-backend"],
                env={**os.environ, **request},
                input=self.rfile.read(int(length)),
                capture_output=True,
                check=True,
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            status = next((value for name, value in headers if name == "Status"), "200")
            self.send_response(int(status.split()[0]))
            for name, value in headers:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
