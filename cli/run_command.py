"""`picoclaw run`: do a request here and now, on the swarm that is there, else on a local one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import PicoclawError, UsageError
from ..swarm.demand import AGENT_PREFIX
from .completion.offered import AGENT
from .dispatch_command import follow
from .flags import connection_flags, load_settings
from .grouped import GroupedCommand
from .hangup import TERMINATED, stop_as_ctrl_c_does
from .request.diff import diff_flag, nothing_to_review, title
from .request.options import Options, sending_options
from .result.report_file import check_writable
from .result.sarif import STDOUT, check_sarif, write_empty_sarif, write_sarif

if TYPE_CHECKING:
    from ..config.load import Loaded
    from ..gateway.asked import Asked
    from ..swarm.submission import Ended
    from ..swarm.swarm import Swarm
    from .local.swarm import LocalNode
    from .printing.live import LiveLines

EXAMPLES = """\b
Examples:
  picoclaw run "Review this repository"
  picoclaw run "Review this repository" --repo ~/src/project --fail-on high
  picoclaw run "Review this repository" --repo https://example.org/x.git
  picoclaw run "Review this repository" --diff origin/main --sarif r.sarif
  picoclaw run "Review this repository" --llm.review=false
  picoclaw run "Mend the failing test" --llm.model anthropic/claude-opus-5
  picoclaw run "Mend the failing test" --agent coder --budget-usd 2

\b
It uses the swarm that it finds (see `picoclaw get nodes`), else brings up a
local one for this request alone: a coordinator and four specialists, with a
model also the agents of this machine; gone when it ends. What agents changed
or left is saved beside the report. With a model a review is read by it too,
unless --llm.review=false leaves it to the analyzers.
Exit codes: 0 done; 1 failed, or with --fail-on: findings of that severity or
worse, or a part that was not reviewed; 2 wrong usage; 3 no connection;
130 Ctrl-C.
"""

SEVERITIES = ("critical", "high", "medium", "low", "info")


@click.command(cls=GroupedCommand, epilog=EXAMPLES)
@click.argument("text")
@click.option("--agent", metavar="NAME", type=AGENT, help="One task for this agent; no planning.")
@click.option(
    "--repo",
    metavar="DIR|URL",
    help="The repository that it is about. [this folder, unless it is your home]",
)
@click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit 1 for findings of this severity or worse."
)
@diff_flag
@sending_options
@click.option("--allow-partial", is_flag=True, help="With --fail-on: let a part that nobody reviewed pass.")
@click.option("--output", metavar="FILE", help="Write the report there. [default: ~/.picoclaw/reports]")
@click.option("--sarif", metavar="FILE", help="Write the review there as SARIF 2.1.0 (- for stdout).")
@click.option("--local", is_flag=True, help="Bring up a local swarm even when another one is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON; no progress.")
@connection_flags
@click.pass_context
def run(
    ctx: click.Context,
    text: str,
    agent: str | None,
    repo: str | None,
    fail_on: str | None,
    base: str | None,
    options: Options,
    allow_partial: bool,
    output: str | None,
    sarif: str | None,
    local: bool,
    as_json: bool,
) -> int:
    """Do a request here and now, and print its report."""
    from ..gateway.asked import HERE, means_this_folder
    from .errors import echo_warning
    from .request.asked import read_asked, shipped
    from .request.check_first import folder_note
    from .request.this_folder import goes_along
    from .session import quiet_logs

    loaded = load_settings(ctx)
    quiet_logs(loaded)
    demand = AGENT_PREFIX + agent if agent is not None else None
    review = demand is None and means_this_folder(text, shipped())
    if repo is None and not review and goes_along(needed=False):
        repo = HERE
    asked = options.onto(read_asked(text, capability=demand, repo=repo))
    if output is not None:
        check_writable(Path(output), "--output")
    check_sarif(sarif, as_json=as_json)
    if asked.repo is not None and (note := folder_note(asked.repo)):
        echo_warning(note)
    wanted = _Wanted(fail_on, allow_partial, Path(output) if output else None, local, as_json, sarif, agent)
    if base is not None:
        from ..gateway.change import limit_to_change

        asked, change = limit_to_change(asked, base)
        if reason := nothing_to_review(change):
            return _nothing(reason, wanted)
        if not as_json:
            click.echo(title(change), err=True)
    try:
        return asyncio.run(_run(loaded, asked, wanted))
    except asyncio.CancelledError:
        return TERMINATED


@dataclass(frozen=True, slots=True)
class _Wanted:
    fail_on: str | None
    allow_partial: bool
    output: Path | None
    local: bool
    as_json: bool
    sarif: str | None = None
    """Where the review goes as SARIF; `-` is stdout."""
    agent: str | None = None


async def _run(loaded: "Loaded", asked: "Asked", wanted: _Wanted) -> int:
    from ..gateway.spending import request_spent, spent_words
    from ..swarm.submission import submit
    from .printing.live import LiveLines
    from .result.left_behind import save_what_is_left

    began = time.monotonic()
    stop_as_ctrl_c_does()
    lines = LiveLines(quiet=wanted.as_json)
    async with _swarm(loaded, asked, wanted, lines) as (swarm, nodes):
        request = await asked.request(swarm)
        new = await submit(swarm, request)
        lines.say(f"request {request.id}" + ("" if new else " (sent before: following it)"))
        ended = await follow(swarm, request.id, lines, stays=not nodes)
        seconds = time.monotonic() - began
        paid = spent_words(await request_spent(swarm, request.id)) or "$0.00 (no model was asked)"
        stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{request.id}"
        places = _saved(ended, stem, wanted)
        left = await save_what_is_left(swarm, request.id, stem) if nodes else []
    return _print(ended, request.id, wanted, lines, places, left, f"{seconds:.1f} s, {paid}", nodes)


@asynccontextmanager
async def _swarm(
    loaded: "Loaded", asked: "Asked", wanted: _Wanted, lines: "LiveLines"
) -> AsyncIterator[tuple["Swarm", "list[LocalNode]"]]:
    from .errors import echo_warning

    async with AsyncExitStack() as stack:
        if not wanted.local:
            found = await _find(loaded, stack, lines)
            if found is not None:
                if loaded.origins["llm.model"].source == "flag":
                    echo_warning(
                        "--llm.model does nothing here: the nodes of that swarm have models of their own; "
                        "with --local this request gets a swarm of its own that has it"
                    )
                yield found, []
                return
        from .local.agents import local_agents
        from .local.llm import local_llm
        from .local.swarm import local_swarm
        from .printing.output import safe
        from .request.check_first import check_agent, check_first

        llm = await local_llm(loaded)
        if wanted.agent is not None:
            await asyncio.to_thread(check_agent, wanted.agent, loaded, llm)
        await check_first(asked, llm)
        if llm.lacks and wanted.agent is None:
            echo_warning(f"no model takes part: {safe(llm.lacks, 500)}")
        models = loaded.settings.llm if wanted.agent is not None else llm.settings
        if wanted.agent is not None:
            brings = f"a worker for agent {wanted.agent}"
        else:
            brings = "four specialists" + (f", agents by {safe(models.model)}" if models is not None else "")
        lines.say(f"bringing up a local swarm: nats-server, coordinator, {brings}")
        local = await stack.enter_async_context(
            local_swarm(llm=models, settings=local_agents(loaded), specialists=wanted.agent is None)
        )
        for node in local.nodes:
            serves = f" for {', '.join(node.capabilities)}" if node.capabilities else ""
            lines.say(f"  pid {node.process.pid:<7} {node.name:<20} {node.role}{serves}")
        yield local.swarm, local.nodes


async def _find(loaded: "Loaded", stack: AsyncExitStack, lines: "LiveLines") -> "Swarm | None":
    """Open the swarm that is there, if a live coordinator of ours answers in it.

    A repository is never sent to whatever merely listens at the default address. An address that
    was given on purpose and does not answer is an error.
    """
    from ..swarm.locate import locate, shown
    from .session import open_session

    located = locate(loaded)
    on_purpose = loaded.given("swarm.nats.urls") or loaded.settings.swarm.nats.embedded
    inner = AsyncExitStack()
    try:
        swarm = await inner.enter_async_context(open_session(loaded))
        await swarm.read_members()
        coordinators = [m.beat.node for m in swarm.members.living() if m.leads]
        await swarm.members.probe_all(coordinators)
        alive = [m.beat.node for m in swarm.members.living() if m.beat.node in coordinators]
    except PicoclawError:
        await inner.aclose()
        if on_purpose:
            raise
        return None
    if not alive:
        await inner.aclose()
        if on_purpose:
            raise UsageError(
                f"no coordinator is alive in the swarm at {shown(located.nats)}: start one with "
                "--swarm.role coordinator, or use --local"
            )
        return None
    stack.push_async_callback(inner.aclose)
    workers = len(swarm.members.living()) - len(alive)
    lines.say(
        f"using the swarm at {shown(located.nats)} ({located.source}): coordinator {alive[0]}, "
        f"{workers} other node{'s' if workers != 1 else ''}"
    )
    return swarm


def _saved(ended: "Ended", stem: str, wanted: _Wanted) -> list[Path]:
    """Write the report to files and return where they are.

    Without a home that can be written it is printed all the same: a local swarm is gone after this, and
    a report that is lost here is lost for good.
    """
    from .errors import echo_warning

    try:
        return _write(ended, stem, wanted)
    except (PicoclawError, OSError) as error:
        if wanted.output is not None:
            raise
        echo_warning(f"the report is not saved, only printed: {error}; --output FILE names another place")
        return []


def _write(ended: "Ended", stem: str, wanted: _Wanted) -> list[Path]:
    from ..swarm.embedded.rundir import make_private_dir, picoclaw_home

    data = ended.result.data if ended.result is not None else None
    if not isinstance(data, dict):
        return []
    markdown, body = str(data.get("markdown", "")), json.dumps(data.get("data"), indent=2)
    if wanted.output is not None:
        wanted.output.write_text(body if wanted.output.suffix == ".json" else markdown, encoding="utf-8")
        return [wanted.output]
    folder = make_private_dir(make_private_dir(picoclaw_home()) / "reports")
    places = [folder / f"{stem}.md", folder / f"{stem}.json"]
    places[0].write_text(markdown, encoding="utf-8")
    places[1].write_text(body, encoding="utf-8")
    return places


def _print(
    ended: "Ended",
    request_id: str,
    wanted: _Wanted,
    lines: "LiveLines",
    places: list[Path],
    left: list[Path],
    took: str,
    nodes: "list[LocalNode]",
) -> int:
    from .dispatch_command import headline, print_end
    from .result.next_steps import files_left, whats_next

    stdout_taken = wanted.sarif == STDOUT
    code = print_end(ended, request_id, as_json=wanted.as_json, report_too=not stdout_taken, stays=not nodes)
    if wanted.sarif is not None:
        _write_sarif(ended, wanted.sarif)
    if not wanted.as_json:
        click.echo("", err=True)
        if said := headline(ended):
            lines.say(said)
        lines.say(f"{ended.head.state} in {took}")
        for place in places:
            lines.say(f"report: {place}")
        if wanted.sarif is not None and not stdout_taken:
            lines.say(f"SARIF: {wanted.sarif}")
        for line in (*files_left(ended, request_id, left), *whats_next(ended, local=bool(nodes))):
            lines.say(line)
    return code or _fail_on(ended, wanted)


def _write_sarif(ended: "Ended", file: str) -> None:
    """Write the report as SARIF; a request that brought none has said why already."""
    data = ended.result.data if ended.result is not None else None
    if isinstance(data, dict) and data.get("data") is not None:
        write_sarif(data["data"], file)
    else:
        click.echo("picoclaw: no SARIF is written: the request brought no report", err=True)


def _nothing(reason: str, wanted: _Wanted) -> int:
    """End well without a request: nothing changed, so there is nothing to look at."""
    from .printing.output import echo, echo_json

    ended = {"request": None, "state": "done", "partial": False, "reason": reason, "report": None}
    if wanted.as_json:
        echo_json(ended)
    else:
        echo(reason, err=wanted.sarif == STDOUT)
    if wanted.output is not None:
        said = (
            json.dumps(ended, indent=2)
            if wanted.output.suffix == ".json"
            else f"# Code review\n\n{reason}.\n"
        )
        wanted.output.write_text(said, encoding="utf-8")
    if wanted.sarif is not None:
        write_empty_sarif(wanted.sarif)
    return 0


def _fail_on(ended: "Ended", wanted: _Wanted) -> int:
    if wanted.fail_on is None:
        return 0
    from ..roles.synthesis.verdict import fails

    data = ended.result.data if ended.result is not None else None
    report = data.get("data") if isinstance(data, dict) else None
    if fails(report, wanted.fail_on):  # type: ignore[arg-type]  # click.Choice holds it to severities
        click.echo(f"picoclaw: findings of severity {wanted.fail_on} or worse (--fail-on)", err=True)
        return 1
    if ended.head.partial and not wanted.allow_partial:
        click.echo(
            'picoclaw: a part was not reviewed, which --fail-on does not let pass: see "What was not '
            'reviewed" in the report (--allow-partial lets it pass)',
            err=True,
        )
        return 1
    return 0
