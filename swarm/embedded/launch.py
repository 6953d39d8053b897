"""Starting nats-server as nobody's child, and what it left to say when it did not come up."""

import os
import subprocess
import time
from pathlib import Path

from .probe import port_is_free

_PAUSE = 0.005
_SOCKETS_GO = 0.5
_SHELL_TIMEOUT = 10


def spawn_detached(binary: Path, config: Path, lock: int) -> int:
    """Start the server as nobody's child, in a session of its own, holding the lock; return its pid.

    By way of a shell that ends at once: a direct child would stay a zombie until its starter reaped
    it, and would take the terminal's Ctrl-C.
    """
    ran = subprocess.run(
        ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 & echo $!', "sh", str(binary), "-c", str(config)],
        pass_fds=(lock,),
        stdout=subprocess.PIPE,
        timeout=_SHELL_TIMEOUT,
        check=True,
        start_new_session=True,
        cwd="/",
        env=server_environment(),
    )
    return int(ran.stdout)


def server_environment() -> dict[str, str]:
    """Return what of this process's environment a server may see: no keys, no tokens."""
    return {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR", "LANG", "TZ") if name in os.environ}


def comes_free(port: int) -> bool:
    """Whether the port is free, or is within a moment: a killed server's lock may go before its sockets."""
    deadline = time.monotonic() + _SOCKETS_GO
    while not port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True


def said_since(log: Path, start: int) -> str:
    """The error lines that the server wrote since, else the last line; its log holds no secrets."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read(65_536).decode(errors="replace").splitlines()
    except OSError:
        return ""
    bad = [line for line in lines if "[FTL]" in line or "[ERR]" in line]
    return "; ".join(line.partition("] ")[2] for line in bad[-3:]) if bad else "; ".join(lines[-1:])
