"""Does a nats-server speak at a port of this machine, and is it the one that we mean."""

import json
import socket
import time
from datetime import timedelta
from typing import Any

LOOPBACK = "127.0.0.1"


def read_info(port: int, limit: timedelta) -> dict[str, Any] | None:
    """Return the INFO with which a NATS server greets; None: refused, silent or another protocol."""
    deadline = time.monotonic() + limit.total_seconds()
    data = b""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=limit.total_seconds()) as connection:
            while b"\n" not in data and len(data) < 65_536:
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                connection.settimeout(left)
                part = connection.recv(4096)
                if not part:
                    return None
                data += part
    except OSError:
        return None
    verb, _, rest = data.partition(b" ")
    if verb != b"INFO":
        return None
    try:
        info = json.loads(rest)
    except ValueError:
        return None
    return info if isinstance(info, dict) else None


def port_is_free(port: int) -> bool:
    """Whether a server of ours could listen there and nobody else answers, on IPv4 or IPv6."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As Go's listener does, so that a port in TIME_WAIT counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    for host in (LOOPBACK, "::1"):
        try:
            socket.create_connection((host, port), timeout=0.2).close()
        except OSError:
            continue
        return False
    return True


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port
