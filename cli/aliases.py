"""A click group whose commands have other names as well, and whose mistakes name the nearest."""

from collections.abc import Mapping
from typing import Any

import click


class AliasGroup(click.Group):
    """A group over its commands; `aliases` maps further names to theirs."""

    def __init__(self, *args: Any, aliases: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.aliases = aliases

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, self.aliases.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            from ..config.spelling import did_you_mean

            kinds = ", ".join(self.commands)
            hint = did_you_mean(name, self.commands)
            if name.startswith("r-") and "request" in self.commands:
                hint = f"; did you mean `picoclaw {ctx.info_name} request {name}`?"
            raise click.UsageError(f"{name!r} is none of: {kinds}{hint}", ctx)
        return super().resolve_command(ctx, args)
