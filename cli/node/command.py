"""`picoclaw --swarm.role …`: one node in the foreground."""

import asyncio
import logging
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ...config.load import Loaded
from ...config.settings import NatsSettings, Settings
from ..errors import INTERRUPTED
from ..logs.log_file import keep_log
from ..logs.log_setup import JsonLines, set_up_logs

if TYPE_CHECKING:
    from ...roles.node import Node

log = logging.getLogger("picoclaw.node")


def run_node(loaded: Loaded) -> int:
    """Run a node until it is told to stop; return the exit code.

    SIGTERM, Ctrl-C and the closing of its terminal drain it; a second one ends it at once, as the first
    does before it has reached its server; a third without tidying up. A coordinator at a terminal
    prompts for requests.
    """
    from ...swarm.nats_import import import_nats

    import_nats()
    from ...roles.definitions import definitions
    from ...roles.node import Node
    from ...swarm.embedded.rundir import picoclaw_home
    from ...swarm.locate import locate
    from ...swarm.records import new_id

    run = new_id()
    settings = loaded.settings
    name = settings.swarm.name or f"claw-{run[:8]}"
    lines = JsonLines({"node": name})
    as_json = set_up_logs(settings.log, lines=lines, node=name)
    kept = keep_log(picoclaw_home(), name, lines)
    for warning in loaded.warnings:
        log.warning("%s", warning)
    for note in loaded.notes:
        log.info("%s", note)
    source = ""
    if not settings.swarm.nats.embedded:
        located = locate(loaded)
        settings, source = _with_nats(settings, located.nats), located.source
    node = Node(
        settings=settings,
        definitions=definitions(settings, picoclaw_home()),
        home=picoclaw_home(),
        source=source,
        capabilities_given=loaded.given("swarm.capabilities"),
        say=_log_it if as_json else _print_it,
        run=run,
    )
    try:
        asyncio.run(_serve(node))
    except asyncio.CancelledError:
        return INTERRUPTED
    except Exception as error:
        if kept is not None:
            kept.note_end(error)
        raise
    return 0


def _log_it(text: str) -> None:
    log.info("%s", text)


def _print_it(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _with_nats(settings: Settings, nats: NatsSettings) -> Settings:
    return replace(settings, swarm=replace(settings.swarm, nats=nats))


async def _serve(node: "Node") -> None:
    from ...roles.health import tell_health
    from ...swarm.background import background
    from ..hangup import on_hangup
    from .prompt import clear_line, prompt, wants_prompt

    asked = 0
    prompts = node.settings.swarm.role == "coordinator" and wants_prompt()
    serving = asyncio.current_task()

    def ask_to_stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 1 and node.swarm is not None:
            node.stop.set()
            node.say("draining; once more to stop at once")
        elif asked <= 2 and serving is not None:
            # At once, but not without ending what it started; its tasks are taken up elsewhere.
            serving.cancel()
        else:
            os._exit(INTERRUPTED)

    def interrupt() -> None:
        if not (prompts and asked == 0 and clear_line()):
            ask_to_stop()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, ask_to_stop)
    # A terminal that closes may tell of it twice, and the second one is no order to hurry.
    on_hangup(lambda: ask_to_stop() if asked == 0 else None)
    async with background() as tasks:
        if prompts:
            tasks.start(prompt(node), name="prompt")
        tasks.start(tell_health(node), name="health")
        await node.serve()
