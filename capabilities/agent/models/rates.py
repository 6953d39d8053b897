"""Limits per provider that all processes of one home keep together, by files in the run directory.

<provider>.json   what went of late (pacing.py), under <provider>.lock
<provider>.N      one place of `at_once`, locked by whoever has it: the kernel frees it with its holder
"""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from ....config.settings import LlmSettings
from ....errors import ModelUnavailable
from ....swarm.embedded.locks import FileLock
from ....swarm.embedded.rundir import make_private_dir
from .pacing import Grant, Limits, Pace, granted, rested, resting, settled, when

_LOCKED = timedelta(seconds=10)
"""Longest wait for the file, which nobody holds for longer than a write."""
_POLL = 0.05
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class NoPlace(ModelUnavailable):
    """Raised when this machine's own limits leave no place for a question: it was not asked."""


@dataclass(slots=True)
class Place:
    """A question's place in the limits; say what it took before leaving it."""

    tokens: int | None = None
    """What it took, read and written; None: as estimated."""
    rest: timedelta | None = None
    """How long its model wants to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The limits of this node's providers."""

    folder: Path
    """Under the run directory; made when a limit is kept first."""
    limits: Limits = field(default_factory=Limits)
    at_once: int | None = None

    @classmethod
    def of(cls, settings: LlmSettings, run: Path) -> "Rates":
        """Return the limits that the settings set."""
        limits = Limits(requests=settings.requests_per_minute, tokens=settings.tokens_per_minute)
        return cls(folder=run / "llm", limits=limits, at_once=settings.at_once)

    @asynccontextmanager
    async def place(
        self, provider: str, model: str, tokens: int, patience: timedelta
    ) -> AsyncGenerator[Place, None]:
        """Wait for a place, and hold it inside the block.

        Raises NoPlace at once when the limits leave no place within `patience`, and after it when
        all of `at_once` are taken.
        """
        place = Place()
        paced = self.limits != Limits()
        if not paced and self.at_once is None:
            yield place
            return
        slot = await self._slot(provider, model, patience)
        try:
            id = uuid4().hex[:12]
            if paced:
                await self._wait(provider, model, tokens, patience, id)
            try:
                yield place
            finally:
                if paced:
                    await asyncio.shield(asyncio.to_thread(self._settle, provider, model, id, tokens, place))
        finally:
            if slot is not None:
                slot.close()

    async def _slot(self, provider: str, model: str, patience: timedelta) -> FileLock | None:
        if self.at_once is None:
            return None
        make_private_dir(self.folder)
        deadline = time.monotonic() + patience.total_seconds()
        while True:
            for number in range(self.at_once):
                lock = FileLock(self.folder / f"{provider}.{number}")
                if lock.try_exclusive():
                    return lock
                lock.close()
            if time.monotonic() >= deadline:
                raise NoPlace(
                    f"{model} has {self.at_once} questions under way already (llm.at_once): try again later"
                )
            await asyncio.sleep(_POLL * (0.5 + random.random()))  # noqa: S311 - that waiters do not march in step

    async def _wait(self, provider: str, model: str, tokens: int, patience: timedelta, id: str) -> None:
        at = await asyncio.to_thread(self._reserve, provider, model, tokens, patience, id)
        try:
            await asyncio.sleep(max(0.0, at - _now()))
        except asyncio.CancelledError:
            self._change(provider, lambda pace, now: settled(pace, id, None))
            raise

    def _reserve(self, provider: str, model: str, tokens: int, patience: timedelta, id: str) -> float:
        rest = wait = 0.0

        def reserve(pace: Pace, now: float) -> Pace:
            nonlocal rest, wait
            rest = resting(pace, now, model)
            wait = when(pace, now, self.limits, tokens) - now
            if rest > 0 or wait > patience.total_seconds():
                return pace
            return granted(pace, now, Grant(id=id, at=now + wait, tokens=tokens))

        now = self._change(provider, reserve)
        if rest > 0:
            raise NoPlace(
                f"{model} has asked this machine to wait: free in {rest:.0f} s", delay=timedelta(seconds=rest)
            )
        if wait > patience.total_seconds():
            raise NoPlace(
                f"{model} is at its limit of this machine (llm.requests_per_minute, llm.tokens_per_minute): "
                f"free in {wait:.0f} s",
                delay=timedelta(seconds=wait),
            )
        return now + wait

    def _settle(self, provider: str, model: str, id: str, estimate: int, place: Place) -> None:
        def settle(pace: Pace, now: float) -> Pace:
            pace = settled(pace, id, estimate if place.tokens is None else place.tokens)
            return pace if place.rest is None else rested(pace, model, now + place.rest.total_seconds())

        self._change(provider, settle)

    def _change(self, provider: str, change: Callable[[Pace, float], Pace]) -> float:
        """Change the shared pace under its lock; return the time at which it was changed."""
        make_private_dir(self.folder)
        with FileLock(self.folder / f"{provider}.lock") as lock:
            if not lock.wait_exclusive(_LOCKED):
                raise ModelUnavailable(
                    f"the limits of {provider} cannot be kept: {lock.path} is held by another process for "
                    f"{_LOCKED.total_seconds():g} s: end what holds it"
                )
            path = self.folder / f"{provider}.json"
            now, boot = _now(), _boot()
            path.write_text(_written(change(_read(path, now, boot), now), boot), encoding="utf-8")
            return now


def _now() -> float:
    """Return seconds since this machine's start: all processes have the same, and nobody can set it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:  # not Linux: a start of the clock is then seen by times that lie ahead
        return os.uname().nodename


def _read(path: Path, now: float, boot: str) -> Pace:
    """Return what the file says; nothing when it is missing, damaged, or from before a reboot."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["boot"] != boot:
            return Pace()
        grants = tuple(
            Grant(id=str(id), at=float(at), tokens=int(tokens)) for id, at, tokens in data["grants"]
        )
        held = tuple((str(model), float(end)) for model, end in data["held"])
    except (OSError, ValueError, TypeError, KeyError):
        return Pace()
    ahead = now + timedelta(days=1).total_seconds()
    if any(grant.at > ahead for grant in grants) or any(end > ahead for _, end in held):
        return Pace()
    return Pace(grants=grants, held=held)


def _written(pace: Pace, boot: str) -> str:
    grants = [[grant.id, round(grant.at, 3), grant.tokens] for grant in pace.grants]
    return json.dumps({"boot": boot, "grants": grants, "held": [list(one) for one in pace.held]})
