"""Terminals at which the lines of a document are typed: `picoclaw` and a `nats-server` of one's own."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from picoclaw.tests.support.command import PICOCLAW, Spawned, SpawnPicoclaw
from picoclaw.tests.support.waiting import wait_for

PATH = f"{PICOCLAW.parent}{os.pathsep}{os.environ.get('PATH', '')}"
"""On which `nats-server` lies too."""


class Terminals:
    """Types lines as they stand, each in a terminal of its own; `close` ends the servers."""

    def __init__(self, spawn: SpawnPicoclaw, folder: Path) -> None:
        self._spawn = spawn
        self.folder = folder
        self._nodes: list[Spawned] = []
        self._servers: list[subprocess.Popen[bytes]] = []
        self._started = 0

    def picoclaw(
        self, words: Sequence[str], *more: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Spawned:
        """Start `picoclaw`; what is added to the document's words is printed."""
        program, *args = words
        assert program == "picoclaw", words
        added = [*(f"{name}={value}" for name, value in (env or {}).items()), *more]
        if added:
            print(f"picoclaw {' '.join(args)}: added {' '.join(added)}")
        self._nodes.append(self._spawn(*args, *more, terminal=True, env=env, cwd=cwd))
        return self._nodes[-1]

    def nats_server(self, words: Sequence[str], *, host: str = "127.0.0.1", port: int = 4222) -> None:
        """Start a server and wait until it speaks."""
        self._started += 1
        folder = self.folder / f"server{self._started}"
        folder.mkdir()
        said = folder / "output"
        with said.open("wb") as output:
            server = subprocess.Popen(
                self._argv(words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **self._place(folder),
            )
        self._servers.append(server)

        def speaks() -> bool:
            assert server.poll() is None, f"{words} ended: {said.read_text()}"
            try:
                with socket.create_connection((host, port), timeout=1) as connection:
                    return connection.recv(4) == b"INFO"
            except OSError:
                return False

        wait_for(speaks, 15, f"INFO of {words}")

    def refused(self, words: Sequence[str]) -> str:
        """What a server says that does not start."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self._argv(words), capture_output=True, text=True, timeout=10, check=False, **self._place(self.folder)
        )  # fmt: skip
        assert done.returncode, done.stdout
        return done.stderr.strip()

    def end_server(self) -> None:
        """End the server that was started last, and forget it."""
        self._end(self._servers.pop())

    def close(self) -> None:
        """End everything: the servers last, since a node says goodbye to its own."""
        for node in self._nodes:
            node.terminate()
        for node in self._nodes:
            node.wait()
        while self._servers:
            self.end_server()

    def _argv(self, words: Sequence[str]) -> list[str]:
        program, *args = words
        assert program == "nats-server", words
        return [str(PICOCLAW.with_name(program)), *map(os.path.expanduser, args)]

    def _place(self, folder: Path) -> dict[str, Any]:
        # The files that a line names lie in the folder of all; a server that names no store makes one
        # in the folder for temporary files, which on two machines is not the same.
        return {"cwd": self.folder, "env": {**os.environ, "PATH": PATH, "TMPDIR": str(folder)}}

    @staticmethod
    def _end(server: subprocess.Popen[bytes]) -> None:
        server.kill()
        server.wait(10)
