"""The root of the `picoclaw` command: node flags and the dashboard; verbs stand below it.

Only click, the table of keys and the table of verbs load here; everything else when it is used.
"""

from collections.abc import Sequence
from functools import partial

import click

from .. import __version__
from .errors import guarded
from .flags import echo_warnings, load_settings, node_flags
from .lazy_group import LazyGroup
from .verbs import VERBS

EXAMPLES = """\b
Examples:
  picoclaw run "Review this repository"
  picoclaw --swarm.role coordinator --swarm.nats.embedded
  picoclaw --swarm.role specialist --swarm.capabilities security,audit
  picoclaw dispatch "Review this repository"
  picoclaw get nodes
  picoclaw --swarm.dashboard --once
  picoclaw --swarm.check-nats

\b
Each setting is also an environment variable (--swarm.nats.urls is
PICOCLAW_SWARM_NATS_URLS) and a YAML key; flags win over environment over
file.
Durations look like 10s, 1m30s, 500ms or 3d. A switch takes =false too.
"""

NEXT_STEPS = """
Nothing was started: no flag, environment variable or file enables a node. Next:
  picoclaw run "Review this repository"                      a review, here and now
  picoclaw --swarm.role coordinator --swarm.nats.embedded    a swarm, first terminal
  picoclaw --swarm.role worker --swarm.nats.embedded         a swarm, second terminal"""


@click.group(
    cls=LazyGroup,
    verbs=VERBS,
    package=__package__,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXAMPLES,
)
@click.version_option(__version__, prog_name="picoclaw", message="%(prog)s %(version)s")
@click.option("--swarm.dashboard", "dashboard", is_flag=True, help="Show the swarm's status.")
@click.option(
    "--swarm.check-nats", "check_nats", is_flag=True, help="Check the way to the swarm, line by line."
)
@click.option("--once", is_flag=True, help="With --swarm.dashboard: print it once and end.")
@click.option("--json", "as_json", is_flag=True, help="With either of these: as JSON.")
@click.option("--node", metavar="NAME", help="With --swarm.dashboard: the node to show as this one.")
@node_flags
@click.pass_context
def picoclaw(
    ctx: click.Context, dashboard: bool, check_nats: bool, once: bool, as_json: bool, node: str | None
) -> int:
    """A swarm of agent processes over NATS JetStream in which nothing accepted is ever lost.

    With node flags it starts a node in the foreground; with a verb it speaks to a running swarm.
    """
    verb = ctx.invoked_subcommand
    for flag, given in (("--swarm.dashboard", dashboard), ("--swarm.check-nats", check_nats)):
        if given and verb is not None:
            raise click.UsageError(f"{flag} and the verb {verb} do not go together: give one", ctx)
    if dashboard and check_nats:
        raise click.UsageError("--swarm.dashboard and --swarm.check-nats do not go together: give one", ctx)
    for flag, given, fits in (
        ("--once", once, dashboard),
        ("--json", as_json, dashboard or check_nats),
        ("--node", node is not None, dashboard),
    ):
        if given and not fits:
            place = f"; for {verb}, write it after the verb" if verb else ""
            fits_all = "--swarm.dashboard or --swarm.check-nats" if flag == "--json" else "--swarm.dashboard"
            raise click.UsageError(f"{flag} here goes with {fits_all} only{place}", ctx)
    if verb is not None:
        return 0
    loaded = load_settings(ctx, quiet=True)
    if dashboard:
        echo_warnings(loaded)
        from .dashboard.command import show

        return show(loaded, once, as_json, node)
    if check_nats:
        echo_warnings(loaded)
        from .check_nats_command import check

        return check(loaded, as_json)
    if loaded.settings.swarm.enabled:
        from .node.command import run_node

        return run_node(loaded)
    echo_warnings(loaded)
    click.echo(ctx.get_help())
    click.echo(NEXT_STEPS)
    return 0


def run(argv: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    return guarded(partial(picoclaw.main, list(argv), prog_name="picoclaw", standalone_mode=False))
