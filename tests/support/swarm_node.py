"""A node in a process of its own, with one test executor, to be stopped, thawed and killed.

python -m picoclaw.tests.support.swarm_node '{"role": "worker", "url": ..., "hid": ..., ...}'
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from picoclaw.capabilities.executor import Context
from picoclaw.config.settings import NatsSettings, Settings, SwarmSettings
from picoclaw.errors import PicoclawError
from picoclaw.roles.adverts import fixed
from picoclaw.roles.node import Node
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import HEARTBEAT, NODE_TIMEOUT, Lab


class ChildNode:
    """The test's side: start it, read what it says, signal it."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.process = process
        self.name = name

    @classmethod
    async def start(
        cls, lab: Lab, role: str, name: str, *, url: str | None = None, **more: Any
    ) -> "ChildNode":
        """Start it and wait until it serves.

        `hold` makes its jobs last for ever, `pause` so many seconds; `size` is that of each result in
        bytes; `quiet` leaves out what nobody would read; `clock` is how many seconds its clock is ahead.
        """
        facts = {
            "role": role,
            "name": name,
            "url": url or lab.nats.urls[0],
            "hid": lab.hid,
            "home": str(lab.folder),
        }
        clock = more.pop("clock", None)
        module = "picoclaw.tests.support.swarm_node"
        turned = ["picoclaw.tests.support.wrong_clock", str(clock)] if clock is not None else []
        argv = [sys.executable, "-m", *turned, module, json.dumps(facts | more)]
        pipe = asyncio.subprocess.PIPE
        child = cls(await asyncio.create_subprocess_exec(*argv, stdout=pipe), name)
        await child.says("ready")
        return child

    async def says(self, event: str, timeout: float = 20.0) -> str:
        """Wait for a line that begins with the event; return its rest."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout):
            while True:
                line = (await self.process.stdout.readline()).decode().strip()
                assert line, f"node {self.name} ended before {event!r}"
                word, _, rest = line.partition(" ")
                if word == event:
                    return rest

    async def kill(self) -> None:
        """kill -9, and reap it."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


def say(event: str, rest: object = "") -> None:
    print(f"{event} {rest}".strip(), flush=True)


async def main(facts: dict[str, Any]) -> None:
    async def work(task: QueuedTask, context: Context) -> Result:
        if not facts.get("quiet"):
            say("began", task.id)
        if facts.get("hold"):
            await asyncio.Event().wait()
        await asyncio.sleep(facts.get("pause", 0))
        return Result(summary=f"{task.task.step} done", data="x" * facts["size"] if "size" in facts else None)

    capabilities = tuple(facts.get("capabilities", ["noop"] if facts["role"] != "coordinator" else []))
    node = Node(
        settings=Settings(
            swarm=SwarmSettings(
                enabled=True,
                role=facts["role"],
                name=facts["name"],
                capabilities=capabilities,
                max_concurrent=facts.get("slots", 5),
                hid=facts["hid"],
                promotable=facts.get("promotable", False),
                nats=NatsSettings(
                    urls=(facts["url"],),
                    heartbeat_interval=HEARTBEAT,
                    node_timeout=timedelta(seconds=facts.get("node_timeout", NODE_TIMEOUT.total_seconds())),
                ),
                drain_timeout=timedelta(seconds=2),
            )
        ),
        definitions=fixed(executors(Runs("noop", do=work))),
        home=Path(facts["home"]),
        capabilities_given=bool(capabilities),
    )
    serving = asyncio.create_task(node.serve())
    ready = asyncio.create_task(node.ready.wait())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        say("ready", node.run)
    ready.cancel()
    try:
        await serving
    except PicoclawError as error:
        say("ended", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
