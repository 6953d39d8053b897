"""`picoclaw dispatch`: hand a request to the swarm, and wait for its end unless told otherwise."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from ..swarm.demand import AGENT_PREFIX
from .completion.offered import AGENT, NODE
from .flags import connection_flags, load_settings
from .grouped import GroupedCommand
from .printing.output import echo, echo_json, safe, safe_lines
from .request.broadcast import broadcast_flags, nobody_to_ask, read_broadcast
from .request.diff import diff_flag, nothing_to_review
from .request.options import Options, sending_options
from .request.when import (
    Later,
    Recurring,
    WhenOptions,
    hand_in_later,
    make_recurring,
    read_when,
    still_later,
    when_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..config.load import Loaded
    from ..gateway.asked import Asked
    from ..swarm.submission import Ended
    from ..swarm.swarm import Swarm
    from .printing.live import LiveLines

SCREEN = 24
"""Lines of a terminal."""

EXAMPLES = """\b
Examples:
  picoclaw dispatch "Review this repository"
  picoclaw dispatch "Look for secrets" --capability security --repo . --detach
  picoclaw dispatch "Check the docs" -c docs --repo . -p high --timeout 5m
  picoclaw dispatch "Back it up" -c backup -l site=berlin --input full:=true
  picoclaw dispatch --file request.md -c docs --node worker-1
  picoclaw dispatch "Clean up" -c clean --broadcast --quorum 60% --within 30s
  picoclaw dispatch "Mend the login" --agent coder --repo .
  git log -1 | picoclaw dispatch --file - -c docs
  picoclaw dispatch "Back it up" -c backup --at "tomorrow 02:00"
  picoclaw dispatch "Back it up" -c backup --cron "0 2 * * *" --name backup

\b
Exit codes: 0 done, 1 failed or cancelled, 2 wrong usage, 3 no connection,
130 Ctrl-C (the request goes on; `picoclaw watch ID` comes back to it).
"""


@click.command(cls=GroupedCommand, epilog=EXAMPLES)
@click.argument("text", required=False)
@click.option("--file", metavar="FILE", help="Read the text from there (- for stdin).")
@click.option("--capability", "-c", metavar="NAME", help="One task for this capability; no planning.")
@click.option("--agent", metavar="NAME", type=AGENT, help="One task for this agent; no planning.")
@click.option("--node", metavar="NAME", type=NODE, help="One task for this node; it waits for it.")
@click.option("--label", "-l", "labels", multiple=True, metavar="K=V", help="Only nodes with this label.")
@click.option(
    "--input", "inputs", multiple=True, metavar="KEY=TEXT", help="Input: KEY=TEXT, KEY:=JSON, KEY=@FILE.json."
)
@click.option(
    "--repo",
    metavar="DIR|URL",
    help="The repository that it is about. [where a workflow needs one: this folder]",
)
@diff_flag
@click.option("--template", metavar="NAME", help="The workflow template to follow.")
@sending_options
@broadcast_flags
@when_options
@click.option("--detach", is_flag=True, help="Print the request's id and do not wait.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@connection_flags
@click.pass_context
def dispatch(
    ctx: click.Context,
    text: str | None,
    file: str | None,
    capability: str | None,
    agent: str | None,
    node: str | None,
    labels: tuple[str, ...],
    inputs: tuple[str, ...],
    repo: str | None,
    base: str | None,
    template: str | None,
    options: Options,
    broadcast: bool,
    quorum: str | None,
    within: str | None,
    when: WhenOptions,
    detach: bool,
    as_json: bool,
) -> int:
    """Send a request or task to the swarm and follow it to its end.

    With --at or --in the server keeps it until its time, and nobody waits for it here; with --cron it
    comes again and again (`picoclaw cron`).

    \b
    --json, without --detach: an object with request, state, partial, reason,
    report (null where there is none). With --detach: request and new (false: its
    key was sent before); with --at or --in scheduled_for too; with --cron as
    `picoclaw cron create --json`.
    """
    from .request.asked import read_asked
    from .request.text_and_input import read_text
    from .session import quiet_logs
    from .workflows.find import templates_here

    loaded = load_settings(ctx)
    if agent is not None and (capability is not None or node is not None):
        other = "--capability" if capability is not None else "--node"
        raise UsageError(f"{other} and --agent do not go together: an agent takes what it is asked")
    for flag, given in (
        ("--capability", capability),
        ("--agent", agent),
        ("--node", node),
        ("--label", labels),
    ):
        if given and template:
            raise UsageError(f"{flag} and --template do not go together: a template says it for each task")
    asked = read_asked(
        read_text(text, file),
        capability=capability if agent is None else AGENT_PREFIX + agent,
        repo=repo,
        template=template,
        node=node,
        labels=labels,
        inputs=inputs,
        known=lambda: templates_here(loaded),
    )
    asked = options.onto(asked)
    told = read_broadcast(
        broadcast, quorum, within, demand=asked.demand, node=node, unroutable=options.unroutable
    )
    asked = replace(asked, broadcast=told)
    begin = read_when(when)
    if isinstance(begin, Recurring):
        if base is not None:
            raise UsageError("--diff and --cron do not go together: it would be the same change each time")
        return make_recurring(loaded, begin, asked, as_json=as_json)
    if base is not None:
        from ..gateway.change import limit_to_change

        asked, change = limit_to_change(asked, base)
        if reason := nothing_to_review(change):
            return _nothing_to_send(reason, detach=detach, as_json=as_json)
    quiet_logs(loaded)
    return asyncio.run(_dispatch(loaded, asked, begin, detach=detach, as_json=as_json))


def _nothing_to_send(reason: str, *, detach: bool, as_json: bool) -> int:
    if as_json:
        end = {"state": "done", "partial": False, "reason": reason, "report": None}
        echo_json({"request": None, **({"new": False} if detach else end)})
    else:
        echo(reason, err=detach)
    return 0


async def _dispatch(
    loaded: "Loaded", asked: "Asked", later: Later | None, *, detach: bool, as_json: bool
) -> int:
    from ..gateway.asked import HERE
    from ..swarm.submission import submit
    from .errors import echo_warning
    from .printing.live import LiveLines
    from .printing.progress import spinning
    from .result.next_steps import spent_and_left
    from .session import open_session

    async with spinning("waiting for the swarm"), open_session(loaded) as swarm:
        await swarm.read_members()
        _warn_of_node(swarm, asked)
        if nobody := nobody_to_ask(swarm, asked):
            echo_warning(nobody)
        lines = LiveLines(quiet=as_json or detach)
        if asked.repo is not None:
            lines.say(f"sending {safe(asked.repo) if asked.repo != HERE else 'this folder'}")
        if later is not None:
            await later.due(swarm)  # refused before anything is stored
        request = await asked.request(swarm)
        if later is not None:
            return await hand_in_later(swarm, request, later, as_json=as_json)
        new = await submit(swarm, request)
        if detach:
            echo(json.dumps({"request": request.id, "new": new}) if as_json else request.id)
            return 0
        lines.say(f"request {request.id}" + ("" if new else " (sent before: following it)"))
        if not new and not lines.quiet and (begins := await still_later(swarm, request.id)):
            lines.say(begins)
        if not swarm.members.coordinators():
            from ..swarm.views.waiting import waits_in_inbox

            lines.say(safe(waits_in_inbox(swarm.members.successors())))
        ended = await follow(swarm, request.id, lines)
        code = print_end(ended, request.id, as_json=as_json)
        if said := headline(ended):
            lines.say(f"{said}; once more: picoclaw result {request.id}")
        if not as_json:
            for line in await spent_and_left(swarm, ended, request.id):
                lines.say(line)
        return code


def _warn_of_node(swarm: "Swarm", asked: "Asked") -> None:
    """Say at once what is odd about the node that --node names: it may be a slip of the pen."""
    from ..config.names import expand_capabilities
    from ..config.spelling import nearest_word
    from ..swarm.demand import parse_demand
    from .errors import echo_warning

    wanted = parse_demand(asked.demand).node if asked.demand is not None else None
    if wanted is None:
        return
    living = {member.beat.node: member.beat for member in swarm.members.living()}
    if wanted not in living:
        near = nearest_word(wanted, living)
        there = f"did you mean {near}?" if near else f"there is: {', '.join(sorted(living)[:5]) or 'none'}"
        echo_warning(f"no node is called {wanted!r} now ({there}); the request waits until one is")
        return
    beat, does = living[wanted], asked.capability
    if does is not None and does not in expand_capabilities(frozenset(beat.capabilities)):
        needs = f": {beat.not_ready[does]}" if does in beat.not_ready else ""
        echo_warning(f"node {wanted} does not serve {does} now{needs}; what it cannot do fails there")


async def follow(swarm: "Swarm", request_id: str, lines: "LiveLines", *, stays: bool = True) -> "Ended":
    """Show a request's events until its end.

    Ctrl-C leaves it running where the swarm `stays`, and says how to come back to it.
    """
    from ..errors import SwarmError
    from ..swarm.background import background
    from ..swarm.entries import Planned
    from ..swarm.submission import Ended, LogEvent, watch
    from .approvals.questions import Questions
    from .request.unserved import Unserved

    lines.questions_told = True
    unserved = Unserved(swarm, request_id, lines, stays)
    try:
        async with background() as tasks:
            if not lines.quiet:
                tasks.start(unserved.remind(), name="remind")
            questions = Questions(swarm, request_id, lines, stays)
            tasks.start(questions.run(), name="questions")
            async for event in watch(swarm, request_id):
                if isinstance(event, Ended):
                    return event
                lines.show(event)
                unserved.moved()
                if isinstance(event, LogEvent) and isinstance(event.entry, Planned) and not lines.quiet:
                    await unserved.planned(event.entry.plan)
    except asyncio.CancelledError:
        if not stays:
            click.echo("\nstopped: the local swarm and the request with it are gone", err=True)
            raise
        say_how_to_come_back(request_id)
        raise
    raise SwarmError(
        f"{request_id} can no longer be watched: look with `picoclaw describe request {request_id}`"
    )


def say_how_to_come_back(id: str) -> None:
    """Tell whoever pressed Ctrl-C that the request or task goes on without them."""
    echo(
        f"\n{id} goes on; come back with `picoclaw watch {id}`, print what it brought with "
        f"`picoclaw result {id}`, end it with `picoclaw cancel {id}`",
        err=True,
    )


def headline(ended: "Ended") -> str:
    """Return the sum of a report that is too long for a screen and has scrolled it away; else nothing."""
    result = ended.result
    data = result.data if result is not None else None
    if result is None or not isinstance(data, dict) or ended.head.state != "done":
        return ""
    long = str(data.get("markdown", "")).count("\n") > SCREEN
    return safe(result.summary) if long else ""


def _all_done(report: "Mapping[str, Any]") -> bool:
    """Return whether each task is done, if only in part, as when a budget was spent: none runs again."""
    data = report.get("data")
    return isinstance(data, dict) and data.get("complete") is True


def print_end(
    ended: "Ended", request_id: str, *, as_json: bool, report_too: bool = True, stays: bool = True
) -> int:
    """Print a request's report, unless `report_too` is False, and return the exit code.

    `stays`: the swarm is still there, so that what did not finish can run again.
    """
    head, data = ended.head, ended.result.data if ended.result is not None else None
    report = data if isinstance(data, dict) else {}
    if as_json:
        echo_json(
            {
                "request": request_id,
                "state": head.state,
                "partial": head.partial,
                "reason": head.reason,
                "report": report.get("data"),
            }
        )
    else:
        if report_too and report.get("markdown"):
            echo(safe_lines(str(report["markdown"])))
        if stays and (head.state == "failed" or (head.partial and not _all_done(report))):
            echo(f"once mended, run again what did not finish: picoclaw retry {request_id}", err=True)
        if head.state != "done":
            echo(f"picoclaw: {request_id} {head.state}: {safe(head.reason)}", err=True)
    sys.stdout.flush()
    return 0 if head.state == "done" else 1
