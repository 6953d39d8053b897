"""The coordinator's prompt: requests typed at the terminal of a node in the foreground."""

import asyncio
import sys
from collections.abc import AsyncIterator

import click

from ...errors import PicoclawError
from ...gateway.asked import HERE, check_repository, means_this_folder, store_repository
from ...roles.node import Node
from ...roles.planning.by_model.menu import make_menu
from ...roles.thinking.connecting import coordinators_models, lacking
from ...swarm.background import background
from ...swarm.look import look_around
from ...swarm.submission import Ended, new_request, submit, watch
from ...swarm.swarm import Swarm
from ..approvals.questions import Questions
from ..errors import echo_error, echo_warning
from ..get.nodes import LISTING
from ..logs.log_setup import draw_prompt, show_prompt
from ..printing.live import LiveLines
from ..printing.output import echo, safe_lines
from ..request.this_folder import goes_along
from ..result.next_steps import spent_and_left
from .typed import Typed, Words, help_text, read_typed
from .typed_line import clear_typed_line, in_foreground, kept_at_ctrl_c

HINT = """\
type a request, such as "Review this repository" (it looks at this folder); help says what else
Ctrl-C clears a half-typed line, and on an empty one drains and ends this node (so does quit)"""
PROMPT = "picoclaw> "


def wants_prompt() -> bool:
    """Return whether somebody can type: both ends are a terminal, and this is its foreground process."""
    return sys.stdin.isatty() and sys.stderr.isatty() and in_foreground()


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
                words = _words(node, node.swarm)
                await _do(node, node.swarm, read_typed(text, node.adverts.templates, words), words)
            except PicoclawError as error:
                said, _, advice = str(error).partition("\n")
                echo_error(said)
                if advice:
                    echo(f"  {safe_lines(advice)}", err=True)
        if node.stop.is_set():
            return


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
    with kept_at_ctrl_c():
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


def clear_line() -> bool:
    """Clear the line that somebody is typing and prompt anew; return False when there is none."""
    if not clear_typed_line():
        return False
    click.echo("", err=True)
    draw_prompt()
    return True


def _words(node: Node, swarm: Swarm) -> Words:
    """Return what this coordinator makes of words that no workflow serves."""
    llm = node.settings.llm
    models = coordinators_models(llm)
    why = lacking(llm)
    if models and not why:
        return Words(taken="planned by this coordinator's model")
    if make_menu([member.offer for member in swarm.members.living()]).free_text is not None:
        return Words(taken="one task for whoever takes words")
    return Words(why_not=why)


async def _do(node: Node, swarm: Swarm, typed: Typed, words: Words) -> None:
    if typed.does == "help":
        echo(help_text(node.adverts.templates, words))
    elif typed.does == "status":
        around = await look_around(swarm)
        LISTING.show(around.nodes, "table")
    elif typed.does == "quit":
        node.stop.set()
        node.say("draining; Ctrl-C to stop at once")
    else:
        await _send(node, swarm, typed)


async def _send(node: Node, swarm: Swarm, typed: Typed) -> None:
    repo = typed.repo
    asks = typed.demand is None and means_this_folder(typed.text, node.adverts.templates, typed.template)
    if asks and repo is None:
        goes_along(needed=True)
        repo = HERE
    if repo is not None:
        check_repository(repo)
    reference = await store_repository(repo, swarm, echo_warning) if repo is not None else None
    request = new_request(
        typed.text,
        demand=typed.demand,
        template=typed.template,
        repository=reference,
        sender=node.name,
    )
    await submit(swarm, request)
    lines = LiveLines(questions_told=True)
    lines.say(f"request {request.id}")
    async with background() as tasks:
        # What is typed here is the next request.
        questions = Questions(swarm, request.id, lines, here=False)
        tasks.start(questions.run(), name="questions")
        await _show(swarm, request.id, lines)


async def _show(swarm: Swarm, id: str, lines: LiveLines) -> None:
    """Show what happens to a request, up to its report."""
    async for event in watch(swarm, id):
        if not isinstance(event, Ended):
            lines.show(event)
            continue
        report = event.result.data if event.result is not None else None
        told = isinstance(report, dict) and bool(report.get("markdown"))
        if isinstance(report, dict) and told:
            echo(safe_lines(str(report["markdown"])))
        if event.head.state != "done":
            # The report says why, where there is one.
            echo_error(f"{id} {event.head.state}" + ("" if told else f": {event.head.reason}"))
        for line in await spent_and_left(swarm, event, id):
            lines.say(line)
