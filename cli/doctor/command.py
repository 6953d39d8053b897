"""`picoclaw doctor`: is this machine fit for a swarm, and the swarm reachable from it."""

import asyncio
from typing import TYPE_CHECKING

import click

from ...config.home import home_folder
from ...errors import ConfigError
from ..flags import config_file, connection_flags, load_settings
from ..printing.check_rows import report
from ..printing.formats import json_flag
from ..session import quiet_logs

if TYPE_CHECKING:
    from ...config.load import Loaded


@click.command(
    epilog="""\b
Examples:
  picoclaw doctor
  picoclaw doctor --json
  picoclaw doctor --llm.model anthropic/claude-opus-5
  picoclaw doctor --swarm.nats.urls nats://nats.example.org:4222

\b
Exit codes: 0 all is well (warnings too), 1 something failed, 3 no server can
be reached.
"""
)
@json_flag
@connection_flags
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check this machine and the way to the swarm: one line each, with what to do.

    Looks at Python, the installation, settings, folders, tools, definitions and capabilities, asks the
    providers of the models that are set whether they take the key, at no cost, then does all that
    `picoclaw --swarm.check-nats` does. It starts nothing and changes nothing.

    \b
    --json: an object with ok, exit_code and checks: objects with name, status
    (ok, warning, failed), detail, fix.
    """
    from ...swarm.checks.nats import check_nats
    from ...swarm.checks.row import failed
    from .agents import agent_rows
    from .folders import folder_rows
    from .machine import machine_rows
    from .models import model_rows
    from .settings import definition_rows, settings_rows
    from .tools import tool_rows
    from .tracing import tracing_rows

    home = home_folder()
    picoclaw = home / ".picoclaw"
    rows = machine_rows(picoclaw)
    try:
        loaded: Loaded = load_settings(ctx, quiet=True)
    except ConfigError as error:
        rows += [
            failed("config", str(error), "correct it; `picoclaw config validate` tells whether it is"),
            *folder_rows(picoclaw),
            *tool_rows(),
        ]
        return report(rows, reached=True, as_json=as_json)
    quiet_logs(loaded)
    rows += settings_rows(loaded, config_file(ctx), home)
    rows += folder_rows(picoclaw)
    rows += tool_rows()
    rows += definition_rows(loaded, picoclaw)
    rows += asyncio.run(model_rows(loaded.settings))
    rows += agent_rows(loaded.settings)
    rows += tracing_rows()
    checked = asyncio.run(check_nats(loaded))
    return report([*rows, *checked.rows], reached=checked.reached, as_json=as_json)
