"""`picoclaw approve ID` and `picoclaw deny ID`: the answers to what agents ask."""

from typing import TYPE_CHECKING

import click

from ...gateway.asked import sender
from ..completion.offered import Offered
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import echo, echo_json, safe
from .rows import WHOLE

if TYPE_CHECKING:
    from ...swarm.approvals.record import Verdict
    from ...swarm.swarm import Swarm

CODES = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage, no such question, or it was
answered or has expired (nothing was changed), 3 no connection.
"""
LONGEST_WHY = 1000


def _ids(ctx: click.Context) -> list[str]:
    from ..completion.online import approval_ids

    return approval_ids(ctx)


ID = Offered("id", _ids)


@click.command(
    short_help="Allow what an agent asks.",
    epilog=f"""\b
Examples:
  picoclaw approve a-k3pq
  picoclaw approve a-k3pq --always
  picoclaw approve a-k3pq --skip
  picoclaw approvals list

{CODES}""",
)
@click.argument("id", type=ID)
@click.option(
    "--always", is_flag=True, help="And whatever else the same rules ask of this task, while it lasts."
)
@click.option("--skip", is_flag=True, help="Of an uncertain step: go on without doing it again.")
@click.option("--why", default="", help="Goes to the agent with the answer.")
@json_flag
@connection_flags
@click.pass_context
def approve(ctx: click.Context, id: str, always: bool, skip: bool, why: str, as_json: bool) -> int:
    """Allow what an agent asks: the use of a tool, an uncertain step again, more than the budget.

    The answer is for exactly what was asked, and counts once. ID is the question's id, or a beginning of
    it that fits no other; `picoclaw approvals list` shows what waits.

    \b
    --json: an object with id, task, verdict (allow, skip), by, why, always.
    """
    if always and skip:
        raise click.UsageError("--always and --skip do not go together: give one")
    return _answer(ctx, id, "skip" if skip else "allow", why, always=always, as_json=as_json)


@click.command(
    short_help="Deny what an agent asks.",
    epilog=f"""\b
Examples:
  picoclaw deny a-k3pq
  picoclaw deny a-k3pq --why "use a branch instead"

{CODES}""",
)
@click.argument("id", type=ID)
@click.option("--why", default="", help="Goes to the agent with the answer.")
@json_flag
@connection_flags
@click.pass_context
def deny(ctx: click.Context, id: str, why: str, as_json: bool) -> int:
    """Deny what an agent asks; it is told, with --why, and goes on otherwise.

    Of an uncertain step the task then ends failed, and of a spent budget it is wrapped up. ID is the
    question's id, or a beginning of it that fits no other.

    \b
    --json: an object with id, task, verdict (deny), by, why, always (false).
    """
    return _answer(ctx, id, "deny", why, always=False, as_json=as_json)


def _answer(ctx: click.Context, id: str, verdict: "Verdict", why: str, *, always: bool, as_json: bool) -> int:
    if len(why) > LONGEST_WHY:
        raise click.UsageError(f"--why has {len(why)} characters: shorten it to {LONGEST_WHY} at most")

    async def work(swarm: "Swarm") -> int:
        from ...swarm.approvals.store import decide

        record = await decide(swarm, id.strip(), verdict, by=sender(), why=why, always=always)
        if as_json:
            echo_json(
                {
                    "id": record.id,
                    "task": record.task,
                    "verdict": record.verdict,
                    "by": record.by,
                    "why": record.why or None,
                    "always": record.always,
                }
            )
            return 0
        said = {"allow": "allowed", "deny": "denied", "skip": "skipped"}[verdict]
        echo(f"{record.id} {said}: {safe(record.text, WHOLE)}")
        if always:
            echo(f"and in {record.task} whatever else these ask: {safe('; '.join(record.rules))}", err=True)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw approvals")
