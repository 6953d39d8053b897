"""`picoclaw --swarm.role …`: one node in the foreground."""

import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace

from ..config.load import Loaded
from ..config.settings import NatsSettings, Settings
from .log_setup import set_up_logs

log = logging.getLogger("picoclaw.node")


def run_node(loaded: Loaded, *, until_stdin_closes: bool = False) -> int:
    """Run a node until it is told to stop; return the exit code.

    SIGTERM and Ctrl-C drain it; a second Ctrl-C ends it at once.
    """
    from ..capabilities.registry import load_executors
    from ..roles.node import Node
    from ..roles.planning.template import shipped_templates
    from ..swarm.embedded.rundir import picoclaw_home
    from ..swarm.locate import locate
    from ..swarm.records import new_id

    run = new_id()
    settings = loaded.settings
    name = settings.swarm.name or f"claw-{run[:8]}"
    set_up_logs(settings.log, node=name)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    source = ""
    if not settings.swarm.nats.embedded:
        located = locate(loaded)
        settings, source = _with_nats(settings, located.nats), located.source
    node = Node(
        settings=settings,
        executors=load_executors(),
        templates=shipped_templates(),
        home=picoclaw_home(),
        source=source,
        capabilities_given=loaded.given("swarm.capabilities"),
        say=lambda text: print(text, file=sys.stderr, flush=True),
        run=run,
    )
    asyncio.run(_serve(node, until_stdin_closes=until_stdin_closes))
    return 0


def _with_nats(settings: Settings, nats: NatsSettings) -> Settings:
    return replace(settings, swarm=replace(settings.swarm, nats=nats))


async def _serve(node: object, *, until_stdin_closes: bool) -> None:
    from ..roles.node import Node

    assert isinstance(node, Node)
    loop = asyncio.get_running_loop()
    node.stop.clear()

    def ask_to_stop() -> None:
        if node.stop.is_set():
            # The second time: at once. Whatever was under way is taken up elsewhere.
            os._exit(130)
        node.say("draining; once more to stop at once")
        node.stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask_to_stop)
    if until_stdin_closes:
        loop.add_reader(sys.stdin.fileno(), _on_stdin, node.stop)
    await node.serve()


def _on_stdin(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
