"""Ours: a node as `picoclaw` runs it, with an executor that does nothing and templates of no-op tasks."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from picoclaw.capabilities.executor import Context, Readiness
from picoclaw.cli.logs.log_setup import set_up_logs
from picoclaw.config.settings import LogSettings, NatsSettings, Settings, SwarmSettings
from picoclaw.roles.adverts import fixed
from picoclaw.roles.node import Node
from picoclaw.roles.planning.template import Template, TemplateTask
from picoclaw.swarm.records import QueuedTask, Result

from .figures import PAYLOAD
from .ready import Ready
from .sampler import sampled

CAPABILITY = "noop"


class Noop:
    """Returns 200 bytes at once."""

    capabilities = frozenset({CAPABILITY})

    def readiness(self, capability: str) -> Readiness:
        return Readiness(ready=True)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        return Result(data=PAYLOAD)


def template_name(tasks: int) -> str:
    return f"noop-{tasks}"


def template(tasks: int) -> Template:
    """Return a plan of so many no-op tasks that do not depend on each other."""
    return Template(
        name=template_name(tasks),
        tasks=tuple(
            TemplateTask(step=f"t{number}", demand=CAPABILITY, input={"payload": PAYLOAD})
            for number in range(tasks)
        ),
    )


async def serve_node(told: dict[str, Any], stop: asyncio.Event, ready: Ready) -> None:
    """Be a worker or a coordinator, with logs as the command has them (JSON, to this process's stderr)."""
    role, name = told["role"], told["name"]
    set_up_logs(LogSettings(), node=name)
    settings = Settings(
        swarm=SwarmSettings(
            enabled=True,
            role=role,
            capabilities=(CAPABILITY,) if role == "worker" else ("coordination",),
            max_concurrent=told["slots"],
            name=name,
            hid=told["hid"],
            nats=NatsSettings(
                urls=tuple(told.get("urls") or (told["url"],)),
                credentials=told["credentials"],
                replicas=told.get("replicas", 1),
            ),
        )
    )
    node = Node(
        settings=settings,
        definitions=fixed(
            {CAPABILITY: Noop()} if role == "worker" else {},
            tuple(template(tasks) for tasks in told.get("templates", ())),
        ),
        home=Path(told["home"]),
        stop=stop,
    )
    with sampled(Path(told["profile"])) if "profile" in told else nullcontext():
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_say_when_ready(node, ready))
            await node.serve()
            waiting.cancel()


async def _say_when_ready(node: Node, ready: Ready) -> None:
    await node.ready.wait()
    ready()
