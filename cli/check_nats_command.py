"""`picoclaw --swarm.check-nats`: is there a server, may we in, and does it carry a swarm."""

import asyncio
from typing import TYPE_CHECKING

from .printing.check_rows import report
from .session import quiet_logs

if TYPE_CHECKING:
    from ..config.load import Loaded


def check(loaded: "Loaded", as_json: bool) -> int:
    """Print one line for each check of the way to the swarm; return the exit code.

    0: all is well, warnings included; 1: something failed; 3: no server could be reached.
    """
    from ..swarm.checks.nats import check_nats

    quiet_logs(loaded)
    checked = asyncio.run(check_nats(loaded))
    return report(checked.rows, reached=checked.reached, as_json=as_json)
