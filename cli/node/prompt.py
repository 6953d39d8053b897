"""The coordinator's prompt: requests typed at the terminal of a node in the foreground."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import click

from ...errors import PicoclawError
from ...gateway.asked import HERE, means_this_folder, store_repository
from ...roles.node import Node
from ...swarm.submission import Ended, new_request, submit, watch
from ...swarm.swarm import Swarm
from ..errors import echo_error, echo_warning
from ..logs.log_setup import show_prompt
from ..printing.live import LiveLines
from ..printing.output import echo, safe_lines

HINT = 'type a request, such as "Review this repository" (it looks at this folder); Ctrl-C ends the node'
PROMPT = "picoclaw> "


def wants_prompt() -> bool:
    """Return whether somebody can type: both ends are a terminal, and this is its foreground process."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False


async def prompt(node: Node) -> None:
    """Read requests and show their reports until the node stops or the terminal closes."""
    await node.ready.wait()
    if node.swarm is None:
        return
    click.echo(HINT, err=True)
    async for line in _lines():
        text = line.strip()
        if text:
            try:
                await _do(node, node.swarm, text)
            except PicoclawError as error:
                echo_error(str(error))


async def _lines() -> AsyncIterator[str]:
    """Yield what is typed, a line at a time, without a thread that would outlive the node."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Queue[str | None] = asyncio.Queue()

    def on_input() -> None:
        try:
            line = sys.stdin.readline()
        except OSError:  # the terminal has gone
            line = ""
        typed.put_nowait(line or None)
        if not line:
            loop.remove_reader(sys.stdin.fileno())

    loop.add_reader(sys.stdin.fileno(), on_input)
    try:
        while True:
            show_prompt(PROMPT)
            line = await typed.get()
            show_prompt("")
            if line is None:
                return
            yield line
    finally:
        show_prompt("")
        loop.remove_reader(sys.stdin.fileno())


async def _do(node: Node, swarm: Swarm, text: str) -> None:
    about_here = means_this_folder(text, node.adverts.templates)
    reference = await store_repository(HERE, swarm, echo_warning) if about_here else None
    request = new_request(text, repository=reference, sender=node.name)
    await submit(swarm, request)
    lines = LiveLines()
    lines.say(f"request {request.id}")
    async for event in watch(swarm, request.id):
        if not isinstance(event, Ended):
            lines.show(event)
            continue
        report = event.result.data if event.result is not None else None
        if isinstance(report, dict) and report.get("markdown"):
            echo(safe_lines(str(report["markdown"])))
        if event.head.state != "done":
            echo_error(f"{request.id} {event.head.state}: {event.head.reason}")
