"""The machine's shared server: started by whoever comes first, ended by whoever leaves last.

Three locks. `start.lock` orders all who start, join or leave. `lease.lock` is held shared by every
user of the server, so whoever gets it alone is the last. `server.lock`, in the store, is handed to
the server as an open file: the kernel keeps it exactly as long as the server lives, however it ends.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from ...config.settings import NatsSettings, TlsSettings
from ...errors import EmbeddedServerError
from .binary import find_server, server_version
from .filesystem import check_store_place
from .launch import comes_free, said_since, spawn_detached
from .locks import FileLock
from .probe import LOOPBACK, free_port, port_is_free, read_info
from .process import is_server, send
from .record import ServerRecord, dump_record, read_record, write_private, write_record
from .rundir import make_private_dir, picoclaw_home, record_path, run_dir
from .store import check_store_version, mark_store_version, server_config, store_secrets

PORT = 4222
_TURN = timedelta(seconds=30)
"""How long one waits for the others who start or leave at this moment."""
_START = timedelta(seconds=20)
"""A store of 100,000 messages is read in 0.2 s after a crash; a large one on a slow disk takes longer."""
PATIENCE = timedelta(seconds=5)
"""A server that says nothing for so long is taken for hung."""
_GLANCE = timedelta(milliseconds=500)
"""How long one turn looks at a server that says nothing."""
_BETWEEN_TURNS = 0.05
_STOP = timedelta(seconds=10)
_PORTS_TRIED = 5
_PAUSE = 0.005
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What ended the shared server: its pid, or None when there was none."""

    pid: int | None


class _Silent(EmbeddedServerError):
    """Raised when the store is held and nobody answers for it."""


class EmbeddedServer:
    """This process's share in the machine's server. `join`, then `ensure` after a loss, then `leave`.

    `home` is `~/.picoclaw` unless given; `preferred_port` is taken when it is free; `patience` is how
    long a server may say nothing before it is taken for hung.
    """

    def __init__(
        self,
        base: NatsSettings | None = None,
        *,
        home: Path | None = None,
        preferred_port: int = PORT,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.home = home or picoclaw_home()
        self.run = run_dir(self.home)
        self.store = self.home / "nats"
        self.record: ServerRecord | None = None
        """The server as this process last saw it."""
        self._base = base or NatsSettings()
        self._port = preferred_port
        self._patience = patience
        self._lease: FileLock | None = None
        self._left = False

    async def join(self) -> NatsSettings:
        """Use the shared server from now on, started if there is none; return how to reach it.

        Raises EmbeddedServerError, StoreTooNew, ServerTooOld.
        """
        self._left = False
        try:
            return await self._in_thread(self._join)
        except asyncio.CancelledError:
            await self.leave()
            raise

    async def ensure(self) -> NatsSettings:
        """Restart the server if it died; return how to reach it now.

        Raises as `join`, and EmbeddedServerError after `leave`: a connection that outlives it must not
        bring back what the last one out has just ended.
        """
        return await self._in_thread(self._join)

    async def leave(self) -> Stopped:
        """Stop using it; whoever leaves last ends it, and its data stays.

        Raises EmbeddedServerError when it does not end.
        """
        self._left = True
        return await self._in_thread(self._leave)

    async def stop(self) -> Stopped:
        """End the server whoever uses it, for `picoclaw down`. Raises as `leave`."""
        return await self._in_thread(self._stop_in_turn)

    async def purge(self) -> Stopped:
        """End the server and remove its store, for `picoclaw down --purge`. Raises as `leave`."""
        return await self._in_thread(self._purge_in_turn)

    def seen(self) -> ServerRecord | None:
        """Return the record of the server that runs now, without using or touching it."""
        record = read_record(self.store / "server.lock")
        return record if record is not None and is_server(record.pid, self._config) else None

    def settings(self, record: ServerRecord) -> NatsSettings:
        """Return the settings that this process was given, pointed at that server."""
        return replace(
            self._base,
            embedded=True,
            urls=(record.url,),
            credentials=record.credentials,
            token=None,
            tls=TlsSettings(),
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            # Shielded: half a start would leave a server without a record; every wait inside has its limit.
            return await asyncio.shield(asyncio.to_thread(work))
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedServerError(
                f"the shared nats-server's files under {self.home} cannot be used ({error}): check free space "
                "and permissions there"
            ) from error

    @property
    def _config(self) -> Path:
        return self.store / "server.conf"

    def _join(self) -> NatsSettings:
        make_private_dir(self.home)
        make_private_dir(self.run)
        make_private_dir(self.store)
        deadline = time.monotonic() + self._patience.total_seconds()
        while True:
            try:
                with self._turn():
                    self.record = self._take_part()
                    return self.settings(self.record)
            except _Silent:
                # Waited for between turns: others may be waiting for it as well.
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BETWEEN_TURNS)

    def _take_part(self) -> ServerRecord:
        """Hold a lease and find or start the server, in our turn."""
        if self._left:
            raise EmbeddedServerError("this process has left the shared nats-server: start it again")
        if self._lease is None:
            self._lease = FileLock(self.run / "lease.lock")
        # Nobody asks for it exclusively outside a turn, so this never fails.
        self._lease.try_shared()
        try:
            return self._running() or self._start()
        except BaseException:
            if self.record is None:
                self._lease.close()
                self._lease = None
            raise

    def _running(self) -> ServerRecord | None:
        """The record of the server that holds the store; None: nobody does. Raises _Silent."""
        deadline = time.monotonic() + _GLANCE.total_seconds()
        with FileLock(self.store / "server.lock") as lock:
            while not lock.try_exclusive():
                # What the lock file says is the server's own; the run directory may have been cleared.
                record = read_record(lock.path)
                if record is not None and is_server(record.pid, self._config):
                    info = read_info(record.port, _GLANCE)
                    if info is not None and info.get("server_name") == record.name:
                        if read_record(record_path(self.run)) != record:
                            write_record(record_path(self.run), record)
                        return record
                if time.monotonic() > deadline:
                    raise self._silent(record)
                time.sleep(_PAUSE)  # it may be on its way out: the lock goes with its last file
        return None

    def _silent(self, record: ServerRecord | None) -> "_Silent":
        if record is None:
            return _Silent(
                f"the store {self.store} is in use by a process that does not say who it is: find it with "
                f"`lsof {self.store / 'server.lock'}` and end it"
            )
        if not is_server(record.pid, self._config):
            return _Silent(
                f"the store {self.store} is in use, but its nats-server (pid {record.pid}) is not on this "
                "machine or in this container: end it there, or use a home directory of its own"
            )
        return _Silent(
            f"the shared nats-server (pid {record.pid}) is alive but has not answered at {record.url} for "
            f"{self._patience.total_seconds():g} s: let it go on with `kill -CONT {record.pid}`, or end it with `kill -9 {record.pid}` "
            "and start again (its data stays)"
        )

    def _start(self) -> ServerRecord:
        check_store_place(self.store)
        binary = find_server()
        version = server_version(binary)
        check_store_version(self.store, version)
        secrets = store_secrets(self.store)
        former = read_record(self.store / "server.lock")
        log = self.store / "server.log"
        ports = [self._port] if port_is_free(self._port) else []
        if former is not None and comes_free(former.port):
            ports.insert(0, former.port)  # clients of a server that died look for it where it was
        said = ""
        for attempt in range(_PORTS_TRIED):
            port = ports[attempt] if attempt < len(ports) else free_port()
            write_private(self._config, server_config(self.store, secrets, port, log=log))
            log_start = log.stat().st_size if log.exists() else 0
            with FileLock(self.store / "server.lock") as lock:
                if not lock.try_exclusive():
                    raise self._silent(read_record(lock.path))
                pid = spawn_detached(binary, self._config, lock.fd)
                record = ServerRecord(
                    pid=pid,
                    port=port,
                    url=f"nats://{LOOPBACK}:{port}",
                    user=secrets.user,
                    password=secrets.password,
                    store=str(self.store),
                    name=secrets.name,
                    version=".".join(map(str, version)),
                    started=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                _overwrite(lock, record)
            if self._wait_up(record):
                mark_store_version(self.store, version)
                write_record(record_path(self.run), record)
                return record
            said = said_since(log, log_start)
            if "address already in use" not in said:
                break
        raise EmbeddedServerError(
            f"nats-server did not start: {said or f'it said nothing in {_START.total_seconds():g} s'} (see {log})"
        )

    def _wait_up(self, record: ServerRecord) -> bool:
        deadline = time.monotonic() + _START.total_seconds()
        while is_server(record.pid, self._config):
            info = read_info(record.port, timedelta(seconds=1))
            if info is not None and info.get("server_name") == record.name:
                return True
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"nats-server (pid {record.pid}) is still starting after {_START.total_seconds():g} s, with a "
                    f"large store or a slow disk: try again in a while (see {self.store / 'server.log'})"
                )
            time.sleep(_PAUSE)
        return False

    def _leave(self) -> Stopped:
        if not self.run.is_dir():
            return Stopped(None)
        with self._turn():
            lease, self._lease, self.record = self._lease, None, None
            if lease is None:
                return Stopped(None)
            with lease:
                return self._stop() if lease.try_exclusive() else Stopped(None)

    def _stop_in_turn(self) -> Stopped:
        if not self.run.is_dir() or not self.store.is_dir():
            return Stopped(None)
        with self._turn():
            return self._stop()

    def _purge_in_turn(self) -> Stopped:
        if not self.store.is_dir():
            return Stopped(None)
        make_private_dir(self.run)
        with self._turn():
            stopped = self._stop()
            try:
                shutil.rmtree(self.store)
            except OSError as error:
                raise EmbeddedServerError(
                    f"{self.store} could not be removed whole ({error.strerror}: {error.filename}): remove the "
                    "rest by hand"
                ) from error
            return stopped

    def _stop(self) -> Stopped:
        with FileLock(self.store / "server.lock") as lock:
            pid = None
            if not lock.try_exclusive():
                record = read_record(lock.path)
                if record is None or not is_server(record.pid, self._config):
                    if not lock.wait_exclusive(self._patience):
                        raise self._silent(record)
                else:
                    pid = record.pid
                    send(pid, signal.SIGTERM)
                    if not lock.wait_exclusive(_STOP):
                        raise EmbeddedServerError(
                            f"the shared nats-server (pid {pid}) was told to end and has not in "
                            f"{_STOP.total_seconds():g} s: end it with `kill -9 {pid}` (its data stays)"
                        )
            # An ordered end frees the port for whoever wants it: the next start begins at the preferred one.
            os.ftruncate(lock.fd, 0)
            record_path(self.run).unlink(missing_ok=True)
            return Stopped(pid)

    def _turn(self) -> FileLock:
        lock = FileLock(self.run / "start.lock")
        if not lock.wait_exclusive(_TURN):
            lock.close()
            raise EmbeddedServerError(
                f"another picoclaw process has been starting or leaving the shared nats-server for "
                f"{_TURN.total_seconds():g} s: find it with `lsof {lock.path}` and end it"
            )
        return lock


def _overwrite(lock: FileLock, record: ServerRecord) -> None:
    """Write into the lock file itself: a replaced one would be another file, locked by nobody."""
    os.ftruncate(lock.fd, 0)
    os.pwrite(lock.fd, dump_record(record).encode(), 0)
