"""What a line at the coordinator's prompt means, before anything is sent. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...config.spelling import did_you_mean, nearest_word
from ...errors import UsageError
from ...gateway.demanded import demand_of
from ...roles.planning.asked_for import near_ask
from ...roles.planning.template import Template, asks_for_template
from ..printing.output import safe

_WORDS: dict[str, Literal["help", "status", "quit"]] = {
    "help": "help", "?": "help", "h": "help",
    "status": "status", "get nodes": "status", "nodes": "status", "ps": "status",
    "quit": "quit", "exit": "quit", "q": "quit", "bye": "quit",
}  # fmt: skip
SHOWN = 12
"""Workflows that `help` names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """One line: something about the node, or a request to send."""

    does: Literal["help", "status", "quit", "send"]
    text: str = ""
    demand: str | None = None
    template: str | None = None
    repo: str | None = None
    """The folder or URL that it is about, where the line names one."""


def read_typed(line: str, templates: Sequence[Template]) -> Typed:
    """Return what a line asks for.

    Raises UsageError, in two lines, for one that nothing here serves.
    """
    text = line.strip()
    word = " ".join(text.lower().removeprefix("picoclaw ").rstrip(".!").split())
    if word in _WORDS:
        return Typed(does=_WORDS[word])
    if text.split()[0] in ("dispatch", "-c", "--capability") or text.startswith("picoclaw dispatch "):
        return _dispatched(text.removeprefix("picoclaw "))
    if any(template.name == text for template in templates):
        return Typed(does="send", text=text, template=text)
    if any(asks_for_template(text, template) for template in templates):
        return Typed(does="send", text=text)
    raise UsageError(_not_served(text, templates))


def _dispatched(text: str) -> Typed:
    """Read `-c CAPABILITY [--repo DIR] TEXT`, with or without `dispatch` before it, TEXT in quotes or not."""
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark that is never closed, such as an apostrophe
        words = text.split()
    words = words[1:] if words[0] == "dispatch" else words
    given = {"-c": "", "--repo": ""}
    said: list[str] = []
    while words:
        word, *words = words
        word = "-c" if word == "--capability" else word
        if word in given and words:
            given[word], *words = words
        else:
            said.append(word)
    if said and given["-c"]:
        demand, _ = demand_of(given["-c"], None, {})
        return Typed(does="send", text=" ".join(said), demand=demand, repo=given["--repo"] or None)
    raise UsageError(
        "write -c CAPABILITY and what is to be done, such as: -c docs --repo . Check the docs\n"
        "whatever else `picoclaw dispatch` takes, it takes in a terminal of its own"
    )


def _not_served(text: str, templates: Sequence[Template]) -> str:
    """Say what would work."""
    near = near_ask(text, templates)
    meant = f"; did you mean {near!r}?" if near else ""
    if not near and (name := nearest_word(text, [template.name for template in templates])):
        meant = did_you_mean(name, [name])
    return (
        f"nothing here serves {safe(text[:60])!r}{meant}\n"
        'say "Review this repository", -c CAPABILITY TEXT for one task, or help for all that works'
    )


def help_text(templates: Sequence[Template]) -> str:
    """Return what can be said at the prompt."""
    rows = [
        ("Review this repository", "review this folder, in words"),
        ("-c CAPABILITY TEXT", "one task, such as: -c docs --repo . Check the docs"),
        ("status", "the nodes of this swarm (as `picoclaw get nodes`)"),
        ("quit", "drain and end this node, as Ctrl-C on an empty line does"),
    ]
    rows[2:2] = [(template.name, template.title or "a workflow") for template in templates[:SHOWN]]
    lines = [f"  {safe(left):<24} {safe(right)}" for left, right in rows]
    if len(templates) > SHOWN:
        lines.insert(2 + SHOWN, f"  … and {len(templates) - SHOWN} more: `picoclaw workflows list`")
    return "\n".join(lines)
