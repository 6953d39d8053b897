"""Arguments that a shell completes: ids and names that stand in the swarm, as far as it answers at once."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # generic for readers of types only, in the oldest click that we take

MOST = 50
"""Ids offered at most; more of them help nobody."""


class Offered(_Text):
    """A text whose completions are looked up only when a shell asks for them."""

    def __init__(self, name: str, look_up: Callable[[click.Context], Iterable[str]]) -> None:
        self.name = name
        self._look_up = look_up

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return what begins with `incomplete`; nothing where the look-up fails."""
        from click.shell_completion import CompletionItem

        fitting = [name for name in self._look_up(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name) for name in fitting[:MOST]]


def _requests(ctx: click.Context) -> Iterable[str]:
    from .online import request_ids

    return request_ids(ctx)


def _nodes(ctx: click.Context) -> Iterable[str]:
    from .online import node_names

    return node_names(ctx)


def _things(ctx: click.Context) -> Iterable[str]:
    from .online import everything

    return everything(ctx)


def _logged(ctx: click.Context) -> Iterable[str]:
    from .online import logged_nodes

    return logged_nodes()


def _agents(ctx: click.Context) -> Iterable[str]:
    from .online import agent_names

    return agent_names(ctx)


AGENT = Offered("name", _agents)
REQUEST = Offered("id", _requests)
NODE = Offered("name", _nodes)
THING = Offered("id", _things)
"""A request, or a node."""
LOGGED = Offered("node", _logged)
"""A node of this machine that has logged."""
