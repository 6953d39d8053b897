"""Meter: CPU time of the processes that took part, and what everybody else used meanwhile."""

import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import psutil

from .figures import Run

CLIENT = "client"
SERVER = "server"


def server_process() -> psutil.Process:
    """Return the nats-server that this process's tether has started."""
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith("nats-server"):
            return process
    raise RuntimeError("the nats-server of this run is gone")


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _machine() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


class Meter:
    """`with Meter(parts) as meter: ...; meter.write(run)`: parts are pids by name; client and server are added."""

    def __init__(self, parts: Mapping[str, Sequence[int]], server: psutil.Process) -> None:
        self._parts = {name: [psutil.Process(pid) for pid in pids] for name, pids in parts.items()}
        self._parts[CLIENT] = [psutil.Process()]
        self._parts[SERVER] = [server]

    def _read(self) -> dict[str, float]:
        return {name: sum(map(_seconds, processes)) for name, processes in self._parts.items()}

    def __enter__(self) -> Self:
        self._began, self._machine, self._clock = self._read(), _machine(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self._read()
        seconds = time.monotonic() - self._clock
        self.cpu = {name: ended[name] - self._began[name] for name in ended}
        self.foreign = max(0.0, (_machine() - self._machine - sum(self.cpu.values())) / max(seconds, 1e-9))

    def write(self, run: Run) -> Run:
        """Add what was used to a run."""
        run.cpu, run.foreign, run.load = self.cpu, self.foreign, os.getloadavg()[0]
        return run


def resident(pid: int) -> int:
    """Return a process's resident memory, in bytes."""
    return int(psutil.Process(pid).memory_info().rss)
