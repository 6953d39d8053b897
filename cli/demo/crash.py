"""The crash show: a worker, the coordinator and the server are killed in turn under a request of many steps."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from ...errors import SwarmError
from ...swarm.bodies import unpack_plan
from ...swarm.entries import Planned
from ...swarm.log import decode
from ...swarm.proof import Effect, History, Proof, Written, prove
from ...swarm.subjects import REQUEST_STEP, split_log_subject, task_id
from ...swarm.submission import new_request, submit
from ...swarm.swarm import Swarm
from .scene import Key, Scene
from .stage import HEARTBEAT, NODE_TIMEOUT, Stage, looking_at, stage
from .steps import CAPABILITY, PAIRS, WORKFLOW, definition, read_effect, read_effects

COORDINATORS = ("lead-1", "lead-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
SLOTS = 2
BUSY = 24
"""Tasks that must be left for a fault to meet work; else one more request is sent."""
PAUSE = timedelta(seconds=1)
"""Between two faults, so that one sees the swarm work."""
RECOVERY = timedelta(seconds=60)
"""A fault from which the swarm has not recovered by then is a failure of the show."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was killed, and what followed."""

    killed: str
    what: str
    """worker, coordinator or server."""
    seconds: float
    """From the kill until the swarm had recovered."""
    seen: str
    """What showed that it had."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The whole show."""

    seconds: float
    """From the request to its end."""
    faults: tuple[Fault, ...]
    proof: Proof
    kept: Path | None
    """Where the logs are, when something was not as promised."""


async def crash_show(tell: Tell, watched: Callable[[Scene], Awaitable[None]]) -> Shown:
    """Run the show and return what the log proves.

    `watched` runs beside it, for as long as there is something to see. Raises SwarmError, which says
    where the logs are, when the swarm does not come up or does not recover.
    """
    async with stage() as made:
        try:
            return await _play(made, tell, watched)
        except SwarmError as error:
            made.keep()
            raise SwarmError(f"{error}; the logs are kept in {made.folder}") from None


async def _play(made: Stage, tell: Tell, watched: Callable[[Scene], Awaitable[None]]) -> Shown:
    loop = asyncio.get_running_loop()
    tell(f"a swarm of its own: nats-server, {len(COORDINATORS)} coordinators, {len(WORKERS)} workers")
    effects = made.folder / "effects"
    effects.mkdir()
    file = made.folder / "capabilities.yaml"
    await asyncio.to_thread(file.write_text, definition(effects))
    serves = ("--swarm.capabilities", CAPABILITY, "--capabilities.path", str(file))
    for name in COORDINATORS:
        await made.start(name, "coordinator")
    for name in WORKERS:
        await made.start(name, "worker", "--swarm.max_concurrent", str(SLOTS), *serves)
    await made.all_ready()
    async with looking_at(made) as swarm:
        scene = Scene()
        swarm.follow(swarm.names.log, swarm.names.log_filter(), scene.take, deliver="all")
        watching = swarm.tasks.start(_watch(watched, scene), name="watch")
        # Who has just come judges nobody for one node timeout.
        await asyncio.sleep((NODE_TIMEOUT + 3 * HEARTBEAT).total_seconds())
        began = loop.time()
        show = _Show(made, swarm, scene, effects, tell)
        faults = [await show.worker(), await show.coordinator(), await show.server()]
        await show.end()
        seconds = loop.time() - began
        watching.cancel()
        proof = prove(
            await histories(swarm, list(scene.requests)), await asyncio.to_thread(read_effects, effects)
        )
    proven = proof.holds and set(proof.states) <= {"done"}
    if not proven:
        made.keep()
    return Shown(seconds, tuple(faults), proof, None if proven else made.folder)


async def _watch(watched: Callable[[Scene], Awaitable[None]], scene: Scene) -> None:
    await watched(scene)


@dataclass(slots=True)
class _Show:
    made: Stage
    swarm: Swarm
    scene: Scene
    effects: Path
    tell: Tell
    sent: int = 0

    async def worker(self) -> Fault:
        """Kill a worker in the middle of its tasks; each of them runs again elsewhere."""
        await self._busy()
        async with _time_limit("a worker was in the middle of its tasks"):
            victim, held = await self._a_busy_worker()
        at = time.time()
        await self.made.kill(victim)
        self.tell(f"kill -9 {victim}, a worker in the middle of {_tasks(len(held))}")
        again = f"its {_tasks(len(held))} ran again"
        back = await self.scene.until(
            f"{victim} was killed and {again}", lambda: self.scene.started_since(at, held), RECOVERY
        )
        return self._fault(victim, "worker", back - at, again)

    async def coordinator(self) -> Fault:
        """Kill the coordinator that owns the request; the other one goes on with it."""
        await self._busy()
        scene = self.scene
        victim = await scene.until(
            "a coordinator owned the request", lambda: next(iter(scene.owners()), None), RECOVERY
        )
        owned, at = scene.owners()[victim], time.time()
        await self.made.kill(victim)
        self.tell(f"kill -9 {victim}, the coordinator that owns the request")
        back = await scene.until(
            f"{victim} was killed and another coordinator took its request over",
            lambda: scene.taken_over_since(at, owned),
            RECOVERY,
        )
        heir = next(iter(scene.owners()), "another coordinator")
        return self._fault(victim, "coordinator", back - at, f"{heir} took the request over")

    async def server(self) -> Fault:
        """Kill the server with the queue and the log in it; the nodes start it again, and work goes on."""
        await self._busy()
        scene, at = self.scene, time.time()
        old = await asyncio.to_thread(self.made.kill_server)
        gone = time.time()
        self.tell(f"kill -9 nats-server (pid {old}), with the queue and the log in it")
        back = await scene.until(
            "the server was killed and work went on", lambda: scene.next_start(gone), RECOVERY
        )
        return self._fault("nats-server", "server", back - at, "the nodes started it again, and tasks ran on")

    async def end(self) -> None:
        """Wait for the end of all that was asked, as long as anything happens at all."""
        scene = self.scene
        while not all(head.terminal for head in scene.requests.values()):
            more = partial(scene.more_than, len(scene.entries))
            await scene.until(f"{_tasks(scene.left)} were left and work went on", more, RECOVERY)

    async def _busy(self) -> None:
        """See to it that there is work for some seconds, and let the swarm be seen at it."""
        scene = self.scene
        if self.sent:
            await asyncio.sleep(PAUSE.total_seconds())
            if scene.left >= BUSY:
                return
        request = new_request(
            "Many short steps", template=str(WORKFLOW["name"]), workflow=dict(WORKFLOW),
            input={"parts": [str(number) for number in range(PAIRS)]}, sender="picoclaw demo",
        )  # fmt: skip
        await submit(self.swarm, request)
        self.sent += 1
        await scene.until("the request was planned", lambda: request.id in scene.planned, RECOVERY)
        self.tell(f"request {request.id}: {_tasks(scene.planned[request.id])} in three layers")
        await asyncio.sleep(PAUSE.total_seconds())

    async def _a_busy_worker(self) -> tuple[str, list[Key]]:
        while True:
            for worker in WORKERS:
                if (held := self._in_the_middle(worker)) is not None:
                    return worker, held
            await asyncio.sleep(0.02)

    def _in_the_middle(self, worker: str) -> list[Key] | None:
        """Return what a worker holds, where every slot of it is in the middle of a job."""
        held = self.scene.held_by(worker)
        at_work = [key for key in held if read_effect(self.effects / task_id(*key)) == Effect(1, 0)]
        return held if len(at_work) == len(held) == SLOTS else None

    def _fault(self, killed: str, what: str, seconds: float, seen: str) -> Fault:
        seconds = max(0.0, seconds)
        self.tell(f"{what} killed: {seen} after {seconds:.1f} s")
        return Fault(killed, what, round(seconds, 3), seen)


@asynccontextmanager
async def _time_limit(what: str) -> AsyncIterator[None]:
    """Raise SwarmError, which says that `what` did not come, when the block takes too long."""
    try:
        async with asyncio.timeout(RECOVERY.total_seconds()):
            yield
    except TimeoutError:
        raise SwarmError(f"{what}: this did not happen within {RECOVERY.total_seconds():g} s") from None


async def histories(swarm: Swarm, requests: list[str]) -> list[History]:
    """Return requests as the log has them now, read anew from its beginning."""
    found = []
    for request in requests:
        steps: tuple[str, ...] = ()
        log = []
        async for followed in swarm.log.history(request):
            entry = decode(followed)
            step = split_log_subject(followed.subject)[1]
            if step == REQUEST_STEP and isinstance(entry, Planned):
                plan = await unpack_plan(entry, swarm.artifacts)
                steps = tuple(task.step for task in plan.tasks)
            log.append(Written(step, followed.seq, entry))
        found.append(History(request, steps, tuple(log)))
    return found


def _tasks(number: int) -> str:
    return f"{number} task{'s' * (number != 1)}"
