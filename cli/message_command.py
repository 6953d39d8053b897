"""`picoclaw message TO TEXT`: tell a running agent something."""

from typing import TYPE_CHECKING

import click

from .flags import connection_flags, load_settings
from .printing.formats import json_flag
from .printing.output import echo, echo_json, safe

if TYPE_CHECKING:
    from ..swarm.swarm import Swarm

EPILOG = """\b
Examples:
  picoclaw message agent:coder "the tests must stay as they are"
  picoclaw message r-3kq5.task "look at the German texts too"
  picoclaw message node:claw-1a2b3c4d "finish soon" --key note-1

\b
Exit codes: 0 sent, 1 failed, 2 wrong usage or an address that nobody has,
3 no connection.
"""


@click.command(epilog=EPILOG)
@click.argument("to")
@click.argument("text")
@click.option("--key", metavar="KEY", help="Sending twice with one key is sending once.")
@json_flag
@connection_flags
@click.pass_context
def message(ctx: click.Context, to: str, text: str, key: str | None, as_json: bool) -> int:
    """Tell an agent something while it works.

    TO is a task's id or a unique beginning of one (`last.task` too), agent:NAME for whichever task of that
    agent comes first, or node:NAME. It is read between two steps, and by one task; what nobody reads is
    kept for a day. It informs the agent: what the agent may do stays as its policy says.

    \b
    --json: {"to": "…", "id": "…", "words": "…"}
    """
    from .session import run_session

    async def work(swarm: "Swarm") -> int:
        import secrets
        import time

        from ..gateway.asked import sender
        from ..roles.agents.sharing import deliver
        from ..swarm.sharing.post import Post, letter_id

        await swarm.read_members()
        whom, who = await _address(swarm, to), sender()
        post = Post(
            id=letter_id(f"{who}/{key or secrets.token_hex(8)}"),
            to=whom,
            sender=f"{who}, a person",
            text=text,
            at=time.time(),
        )
        words = await deliver(swarm, post)
        if as_json:
            echo_json({"to": whom, "id": post.id, "words": words})
        else:
            echo(f"sent: {safe(words)}")
        return 0

    return run_session(load_settings(ctx), work, name="picoclaw message")


async def _address(swarm: "Swarm", to: str) -> str:
    """Return an address in full; raises UsageError, NotFound, Ambiguous."""
    from ..errors import UsageError
    from ..swarm.demand import AGENT_PREFIX, NODE_PREFIX
    from ..swarm.resolve import resolve

    if to.strip().startswith((AGENT_PREFIX, NODE_PREFIX)):
        return to.strip()
    if not to.startswith(("r-", "last")):
        raise UsageError(f"{to[:80]!r} is no address: give agent:NAME, node:NAME, or a task's id")
    found = await resolve(swarm, to)
    if found.step is not None:
        return found.id
    running = [step for step, head in found.state.heads.items() if head.state == "running"]
    if len(running) == 1:
        return f"{found.id}.{running[0]}"
    raise UsageError(
        f"{found.id} has {len(running)} running tasks: name one, such as {found.id}.STEP "
        f"(`picoclaw describe request {found.id}` shows them)"
    )
