"""A real nats-server for a test: an own port, an own store, and the means to hurt it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from picoclaw.tests.support.waiting import wait_for

START_TIMEOUT = 15.0


def nats_server_binary() -> str:
    """The server that is installed beside this Python, else the one on the PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "no nats-server beside this Python nor on the PATH: make test installs it"
    return found


class NatsServer:
    """One nats-server with JetStream on 127.0.0.1, ready when `start` returns.

    `config` is the text of a configuration file, `args` go to the command line and win over it. The
    port is a free one unless given; `restart` keeps the port and the store.
    """

    def __init__(self, folder: Path, *, config: str = "", args: Sequence[str] = (), port: int = -1) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.log = folder / "nats-server.log"
        self.port = port
        self._args = ["-a", "127.0.0.1", "-js", "-sd", str(self.store), "-l", str(self.log)]
        if config:
            path = folder / "nats.conf"
            path.write_text(config, encoding="utf-8")
            self._args += ["-c", str(path)]
        self._args += args
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def url_as(self, user: str, password: str) -> str:
        return f"nats://{user}:{password}@127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "this nats-server was never started"
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and wait until it speaks: its INFO line has been read."""
        assert not self.running, f"nats-server {self.pid} still runs"
        argv = [nats_server_binary(), *self._args, "-p", str(self.port)]
        argv += ["--ports_file_dir", str(self.folder)]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            self.port = wait_for(self._listening_port, START_TIMEOUT, f"a port of {' '.join(argv)}")
            wait_for(self._speaks, START_TIMEOUT, f"INFO from {self.url}")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order (SIGTERM) and wait for that; nothing happens when it has ended already."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL); nothing happens when it has ended already."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and store, after a `stop` if it still runs."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop it where it stands (SIGSTOP): connections stay open and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)
        # The signal may still be on its way, and one of its threads answer meanwhile.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if not self.running:
            return
        self.thaw()
        self.process.send_signal(how)
        try:
            self.process.wait(START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(START_TIMEOUT)

    def _listening_port(self) -> int | None:
        if not self.running:
            said = self.log.read_text(encoding="utf-8") if self.log.exists() else "(see its output above)"
            raise AssertionError(f"nats-server ended with {self.process.returncode}: {said}")
        path = self.folder / f"nats-server_{self.pid}.ports"
        try:
            urls: list[str] = json.loads(path.read_text(encoding="utf-8"))["nats"]
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return int(urls[0].rpartition(":")[2])

    def _speaks(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False


class StartNats(Protocol):
    """What the fixture `start_nats` is: it starts a server of the test's own."""

    def __call__(self, *, config: str = "", args: Sequence[str] = (), port: int = -1) -> NatsServer: ...
