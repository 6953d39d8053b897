"""`--diff BASE`: a request is about what changed since BASE, worked out here before anything is sent."""

from typing import TYPE_CHECKING

import click

from ..printing.output import safe

if TYPE_CHECKING:
    from ...capabilities.change import Change

diff_flag = click.option(
    "--diff", "base", metavar="BASE", help="Only what changed since it parted from this commit or branch."
)


def nothing_to_review(change: "Change") -> str:
    """Return, in words, why a change has no line to look at; empty when it has one."""
    if any(file.new or file.spans for file in change.files.values()):
        return ""
    title = safe(change.title)
    if not change.files and not change.removed:
        return f"nothing changed in {title}: there is nothing to review"
    gone = f"{change.removed} file{'s' if change.removed != 1 else ''} removed, " if change.removed else ""
    return f"no line was written in {title} ({gone}{len(change.files)} changed): there is nothing to review"


def title(change: "Change") -> str:
    """Return the change in one line, for whoever waits."""
    files, lines = len(change.files), change.lines
    return (
        f"the change {safe(change.title)}: {files} file{'s' if files != 1 else ''}, "
        f"{lines} line{'s' if lines != 1 else ''}"
    )
