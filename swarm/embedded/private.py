"""A server of this process's own: a temporary store, a free port, gone with the process."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from ...config.settings import NatsSettings, TlsSettings
from ...errors import EmbeddedServerError
from .binary import find_server
from .launch import server_environment
from .probe import LOOPBACK, read_info
from .record import write_private
from .store import new_secrets, server_config

_START = timedelta(seconds=10)
_END = timedelta(seconds=6)
_PAUSE = 0.002


class PrivateServer:
    """`async with PrivateServer() as nats:` gives the settings of a server that nobody else can use.

    It ends, and its store with it, when the block is left or this process ends, even by kill -9:
    a small process of its own (tether.py) holds a pipe from this one and sees it close.
    Raises EmbeddedServerError when the server does not start.
    """

    def __init__(self, base: NatsSettings | None = None) -> None:
        self._base = base or NatsSettings()
        self._tether: subprocess.Popen[bytes] | None = None
        self.folder: Path | None = None

    async def __aenter__(self) -> NatsSettings:
        started = asyncio.ensure_future(asyncio.to_thread(self._start))
        try:
            return await asyncio.shield(started)
        except asyncio.CancelledError:
            await asyncio.wait([started])
            await asyncio.to_thread(self._stop)
            raise
        except OSError as error:
            await asyncio.to_thread(self._stop)
            raise EmbeddedServerError(
                f"a local nats-server cannot be started ({error}): check free space and permissions of "
                f"{tempfile.gettempdir()}"
            ) from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self._stop))

    def _start(self) -> NatsSettings:
        binary = find_server()
        self.folder = folder = Path(tempfile.mkdtemp(prefix="picoclaw-"))  # 0700, as mkdtemp makes it
        secrets = new_secrets()
        config, log = folder / "server.conf", folder / "server.log"
        # Port -1: the server picks a free one itself and tells it in a file; nobody can come between.
        text = json.loads(server_config(folder, secrets, -1, log=log)) | {"ports_file_dir": str(folder)}
        write_private(config, json.dumps(text, ensure_ascii=False))
        tether = Path(__file__).with_name("tether.py")
        argv = [sys.executable, "-I", "-S", str(tether), str(folder), str(binary), "-c", str(config)]
        self._tether = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=server_environment(),
        )
        port = self._wait_port(folder, secrets.name)
        if port is None:
            said = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
            self._stop()
            raise EmbeddedServerError(
                f"the local nats-server did not start: {said or ['it said nothing']}. Try `{binary} -js` by "
                "hand, or use a running one with --swarm.nats.urls"
            )
        return replace(
            self._base,
            embedded=False,
            urls=(f"nats://{LOOPBACK}:{port}",),
            credentials=f"{secrets.user}:{secrets.password}",
            token=None,
            tls=TlsSettings(),
        )

    def _wait_port(self, folder: Path, name: str) -> int | None:
        deadline = time.monotonic() + _START.total_seconds()
        while time.monotonic() < deadline and self._tether is not None and self._tether.poll() is None:
            for path in folder.glob("nats-server_*.ports"):
                try:
                    url = str(json.loads(path.read_bytes())["nats"][0])
                except (ValueError, KeyError, IndexError, FileNotFoundError):
                    continue  # it is being written
                port = int(url.rpartition(":")[2])
                info = read_info(port, timedelta(seconds=1))
                if info is not None and info.get("server_name") == name:
                    return port
            time.sleep(_PAUSE)
        return None

    def _stop(self) -> None:
        tether, self._tether = self._tether, None
        if tether is not None and tether.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already
                tether.stdin.write(b".")
                tether.stdin.close()
            try:
                tether.wait(_END.total_seconds())
            except subprocess.TimeoutExpired:
                tether.kill()
                tether.wait()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)  # the tether's work, unless there was none
