"""Doors of the swarm: how programs other than a node hand in requests and look at what became of them.

A door is one file here; what all of them need is shared: what is asked (`asked`, `demanded`, `change`),
the way to the swarm (`session`), and what came of it (`results`).

The Python client stands here: `async with picoclaw.gateway.connect() as swarm: …`. It loads when it
is first asked for, so that a command that only needs a part of this folder does not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .. import __version__ as __version__

if TYPE_CHECKING:
    from .client import SwarmClient, connect, run_request
    from .seen import Description, Event, Report, RequestHandle, TaskResult

__all__ = [
    "Description",
    "Event",
    "Report",
    "RequestHandle",
    "SwarmClient",
    "TaskResult",
    "connect",
    "run_request",
]

_HOME = dict.fromkeys(("SwarmClient", "connect", "run_request"), "client")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME.get(name, 'seen')}", __name__), name)
