"""One node of a local swarm: a child process of `picoclaw run`, told on stdin what it is.

Its stdin stays open as long as its parent lives; when it closes, by kill -9 too, the node ends.
What it is told comes through stdin so that no secret stands in its arguments or environment.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

HEARTBEAT = timedelta(seconds=2)
NODE_TIMEOUT = timedelta(seconds=10)
DRAIN = timedelta(seconds=1)
LAST = timedelta(seconds=2)
"""After the parent's end a node is gone within this time: its server may have gone before it."""
READY = "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a local node is told."""

    role: str
    name: str
    capabilities: tuple[str, ...]
    max_concurrent: int
    hid: str
    url: str
    credentials: str
    home: str
    definitions: tuple[str, ...] = ()
    """Files or folders that define capabilities; none: those of `home`."""
    llm: dict[str, object] = field(default_factory=dict)
    """The settings of models, as JSON; empty: none. Keys stay in the environment."""
    agents: dict[str, object] = field(default_factory=dict)
    """The sections of the settings that agents are held to, by name, as JSON (`local.agents`)."""

    def to_line(self) -> str:
        return json.dumps({key: getattr(self, key) for key in self.__slots__}) + "\n"


def main() -> None:
    """Read the orders, be the node, end when stdin closes."""
    told = json.loads(sys.stdin.readline())
    sys.exit(asyncio.run(_serve(told)))


async def _serve(told: dict[str, object]) -> int:
    from ...swarm.nats_import import import_nats

    import_nats()
    from pydantic import TypeAdapter

    from ...config.settings import (
        FilesSettings,
        LlmSettings,
        LogSettings,
        NatsSettings,
        Settings,
        SwarmSettings,
    )
    from ...roles.definitions import definitions
    from ...roles.node import Node
    from ..logs.log_setup import set_up_logs

    orders = Orders(**told)  # type: ignore[arg-type]  # written by Orders.to_line of the parent
    set_up_logs(LogSettings(format="json"), node=orders.name)
    nats = NatsSettings(
        urls=(orders.url,),
        credentials=orders.credentials,
        heartbeat_interval=HEARTBEAT,
        node_timeout=NODE_TIMEOUT,
    )
    swarm = SwarmSettings(
        enabled=True,
        role=orders.role,  # type: ignore[arg-type]
        name=orders.name,
        capabilities=tuple(orders.capabilities),
        max_concurrent=orders.max_concurrent,
        hid=orders.hid,
        drain_timeout=DRAIN,
        nats=nats,
    )
    paths = FilesSettings(path=tuple(Path(path) for path in orders.definitions))
    llm = TypeAdapter(LlmSettings).validate_python(orders.llm)
    told_of_agents = TypeAdapter(Settings).validate_python(orders.agents)
    settings = replace(told_of_agents, swarm=swarm, llm=llm, capabilities=paths)
    node = Node(
        settings=settings,
        definitions=definitions(settings, Path(orders.home)),
        home=Path(orders.home),
        capabilities_given=bool(orders.capabilities),
    )
    loop = asyncio.get_running_loop()

    def on_stdin() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            node.stop.set()
            loop.call_later(LAST.total_seconds(), os._exit, 1)

    loop.add_reader(0, on_stdin)
    async with asyncio.TaskGroup() as group:
        group.create_task(_tell_ready(node.ready))
        await node.serve()
    return 0


async def _tell_ready(ready: asyncio.Event) -> None:
    await ready.wait()
    print(READY, flush=True)


if __name__ == "__main__":
    main()
