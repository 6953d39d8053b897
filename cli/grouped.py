"""A command with many options: its help puts them under headings."""

import click

from .flags import SettingOption

OWN = "Options"
CONNECTION = "Connection"
HEADINGS = {
    "Priority and limits": ("priority", "timeout", "task_timeout", "task_deadline", "unroutable", "key"),
    "When an attempt fails": ("max_attempts", "retry_delay", "retry_longest", "final"),
    "Broadcast": ("broadcast", "quorum", "within"),
    "Later, or again and again": ("at", "delay", "cron", "called", "tz", "replace"),
    CONNECTION: ("config",),
}
"""What each heading holds, by the names of the parameters; the rest stands under `Options`."""

_HEADING = {name: heading for heading, names in HEADINGS.items() for name in names}


class GroupedCommand(click.Command):
    """A command of the verbs that send a request."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {OWN: [], **{heading: [] for heading in HEADINGS}}
        for param in self.get_params(ctx):
            # The usage line names the arguments.
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections[_heading(param)].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)


def _heading(param: click.Parameter) -> str:
    return CONNECTION if isinstance(param, SettingOption) else _HEADING.get(param.name or "", OWN)
