"""A port of this machine that is free now, for a server that cannot choose one by itself."""

import socket


def free_port() -> int:
    """Another program may take it before the server does: start the server at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
