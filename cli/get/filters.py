"""The flags that narrow a list."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..completion.offered import NODE

if TYPE_CHECKING:
    from ...swarm.views.filters import Filter, Kind

F = TypeVar("F", bound=Callable[..., Any])

status_flag = click.option(
    "--status", "statuses", multiple=True, metavar="A,B", help="Only those of these statuses."
)
capability_flag = click.option(
    "--capability",
    "-c",
    "capabilities",
    multiple=True,
    metavar="NAME",
    help="Only those with this capability.",
)
role_flag = click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(["coordinator", "worker", "specialist"]),
    help="Only those of this role.",
)
label_flag = click.option(
    "-l", "--label", "labels", multiple=True, metavar="K=V", help="Only those with this label (all of them)."
)
limit_flag = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many."
)
all_flag = click.option("--all", "everything", is_flag=True, help="All of them.")


def node_flag(what: str) -> Callable[[F], F]:
    """Declare `--node`; `what`: what it says of the rows."""
    return click.option("--node", "names", multiple=True, metavar="NAME", type=NODE, help=what)


def read_filter(
    kind: "Kind",
    *,
    statuses: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    roles: tuple[str, ...] = (),
    nodes: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
) -> "Filter":
    """Return the filter that flags ask for; raises UsageError and NameRefused."""
    from ...swarm.views.filters import Filter, read_capabilities, read_labels, read_statuses

    return Filter(
        statuses=read_statuses(kind, statuses),
        capabilities=read_capabilities(capabilities),
        roles=frozenset(roles),
        nodes=frozenset(nodes),
        labels=read_labels(labels),
    )
