"""`picoclaw describe agent NAME`."""

from typing import TYPE_CHECKING

import click

from ..completion.offered import AGENT
from ..describe.fields import REASON, print_fields
from ..flags import connection_flags, load_settings
from ..printing.formats import json_flag
from ..printing.output import age, echo, echo_json, safe, safe_lines, stamp

if TYPE_CHECKING:
    from ...swarm.agents.record import AgentRecord
    from ...swarm.swarm import Swarm
    from ...swarm.views.agents import AgentRow

AT_ONCE = 1.0
"""Seconds: what was stored that soon after it was created is how it was created."""
EPILOG = """\b
Examples:
  picoclaw describe agent coder
  picoclaw describe agent coder --json

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, no such agent or several, 3 no
connection.
"""


@click.command(short_help="An agent: its model, tools and limits, and who serves it.", epilog=EPILOG)
@click.argument("name", type=AGENT)
@json_flag
@connection_flags
@click.pass_context
def agent(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show an agent: its model, tools, skills, limits and policy, and which nodes serve it.

    \b
    --json: as one object of `get agents --json`, and system (null: not
    registered).
    """

    async def work(swarm: "Swarm") -> int:
        from ...swarm.resolve import the_one
        from .rows import agent_json, read_agents

        rows = {row.name: row for row in await read_agents(swarm)}
        row = rows[the_one(name, rows, "agent", hint="see `picoclaw get agents`")]
        if as_json:
            echo_json({**agent_json(row), "system": row.record.system if row.record is not None else None})
        else:
            _print(row)
        return 0

    from ..session import run_session

    return run_session(load_settings(ctx), work, name="picoclaw describe")


def _print(row: "AgentRow") -> None:
    from .rows import described

    record = row.record
    print_fields(
        ("Name", safe(row.name)),
        ("Description", described(row)),
        ("Defined", _defined(row)),
        *(_limits(record) if record is not None else ()),
        ("Served by", safe(", ".join(row.nodes)) or "no node now"),
        ("Free slots", str(row.free) if row.nodes else ""),
    )
    for node, why in row.not_ready.items():
        echo(f"Not ready:       {safe(node)}: {safe(why, REASON)}")
    if record is not None and record.rules:
        echo("\nPolicy:")
        for rule in record.rules:
            echo(f"  {rule.decision:<6} {safe(rule.tool)}" + (f": {safe(rule.what)}" if rule.what else ""))
        echo(f"  {record.default or 'allow':<6} whatever no rule fits")
    if record is not None and record.system:
        echo("\nSystem:")
        echo("\n".join(f"  {line}" for line in safe_lines(record.system).splitlines()))


def _defined(row: "AgentRow") -> str:
    if row.record is None:
        return "by the nodes that serve it; the registry has none of this name"
    by = safe(row.record.created_by) or "-"
    later = row.changed_at is not None and row.changed_at - row.record.created_at > AT_ONCE
    changed = f", changed {stamp(row.changed_at)}" if row.changed_at is not None and later else ""
    return f"in the registry, created {stamp(row.record.created_at)} by {by}{changed}"


def _limits(record: "AgentRecord") -> tuple[tuple[str, str], ...]:
    budget = record.budget
    spends: list[str] = []
    if budget is not None:
        spends += [f"{budget.usd:g} USD"] if budget.usd is not None else []
        spends += [f"{budget.tokens} tokens"] if budget.tokens is not None else []
        spends += [f"{budget.turns} turns"] if budget.turns is not None else []
    spends += [age(record.wall_s)] if record.wall_s is not None else []
    breach = {"ask": ", then it asks", "wrap_up": ", then it wraps up"}
    then = breach[budget.on_breach] if spends and budget is not None else ""
    tools = "all that are ready on the node" if record.tools is None else ", ".join(record.tools)
    return (
        ("Model", safe(", ".join(record.models)) or "the node's (llm.model)"),
        ("Tools", safe(tools)),
        ("Skills", safe(", ".join(record.skills))),
        ("MCP servers", safe(", ".join(record.mcp))),
        ("Capabilities", safe(", ".join(record.capabilities))),
        ("Budget", ", ".join(spends) + then),
    )
