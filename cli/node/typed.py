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
from ...swarm.demand import AGENT_PREFIX
from ..printing.output import safe

_WORDS: dict[str, Literal["help", "status", "quit"]] = {
    "help": "help", "?": "help", "h": "help",
    "status": "status", "get nodes": "status", "nodes": "status", "ps": "status",
    "quit": "quit", "exit": "quit", "q": "quit", "bye": "quit",
}  # fmt: skip
FIRST = ("dispatch", "-c", "--capability", "--agent", "--repo")
"""With what a line begins that says more than words."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What becomes of words that no workflow serves."""

    taken: str = ""
    """What is done with them, in words; empty: nobody takes them."""
    why_not: str = ""
    """Why the model that is set cannot be asked; empty where none is set."""


NOBODY = Words()


def read_typed(line: str, templates: Sequence[Template], words: Words = NOBODY) -> Typed:
    """Return what a line asks for.

    Raises UsageError, in two lines, for one that nothing here serves.
    """
    text = line.strip()
    word = " ".join(text.lower().removeprefix("picoclaw ").rstrip(".!").split())
    if word in _WORDS:
        return Typed(does=_WORDS[word])
    if text.split()[0] in FIRST or text.startswith("picoclaw dispatch "):
        return _dispatched(text.removeprefix("picoclaw "), words)
    if any(template.name == text for template in templates):
        return Typed(does="send", text=text, template=text)
    if any(asks_for_template(text, template) for template in templates):
        return Typed(does="send", text=text)
    if words.taken:
        return Typed(does="send", text=text)
    raise UsageError(_not_served(text, templates, words))


def _dispatched(text: str, words: Words) -> Typed:
    """Read `-c CAPABILITY [--repo DIR] TEXT`, with or without `dispatch` before it, TEXT in quotes or not.

    `--agent NAME` may stand for the capability, and where a model plans, neither need be there.
    """
    try:
        parts = shlex.split(text)
    except ValueError:  # a quotation mark that is never closed, such as an apostrophe
        parts = text.split()
    parts = parts[1:] if parts[0] == "dispatch" else parts
    given = {"-c": "", "--agent": "", "--repo": ""}
    said: list[str] = []
    while parts:
        part, *parts = parts
        part = "-c" if part == "--capability" else part
        if part in given and parts:
            given[part], *parts = parts
        else:
            said.append(part)
    wanted = AGENT_PREFIX + given["--agent"] if given["--agent"] else given["-c"]
    if said and (wanted or words.taken) and not (given["-c"] and given["--agent"]):
        demand = demand_of(wanted, None, {})[0] if wanted else None
        return Typed(does="send", text=" ".join(said), demand=demand, repo=given["--repo"] or None)
    raise UsageError(
        "write -c CAPABILITY or --agent NAME and what is to be done, such as: -c docs --repo . Check the docs\n"
        "whatever else `picoclaw dispatch` takes, it takes in a terminal of its own"
    )


def _not_served(text: str, templates: Sequence[Template], words: Words) -> str:
    """Say what would work."""
    near = near_ask(text, templates)
    meant = f"; did you mean {near!r}?" if near else ""
    if not near and (name := nearest_word(text, [template.name for template in templates])):
        meant = did_you_mean(name, [name])
    lacks = f": other words need a model, and {words.why_not}" if words.why_not and not meant else ""
    return (
        f"nothing here serves {safe(text[:60])!r}{meant}{lacks}\n"
        'say "Review this repository", -c CAPABILITY TEXT for one task, or help for all that works'
    )


def help_text(templates: Sequence[Template], words: Words = NOBODY) -> str:
    """Return what can be said at the prompt."""
    rows = [
        ("Review this repository", "review this folder, in words"),
        ("-c CAPABILITY TEXT", "one task, such as: -c docs --repo . Check the docs"),
        ("--agent NAME TEXT", "one task for an agent, such as: --agent coder --repo . Mend the test"),
        ("status", "the nodes of this swarm (as `picoclaw get nodes`)"),
        ("quit", "drain and end this node, as Ctrl-C on an empty line does"),
    ]
    if words.taken:
        rows.append(("anything else", f"{words.taken}; --repo . TEXT gives it this folder"))
    rows[3:3] = [(template.name, template.title or "a workflow") for template in templates[:SHOWN]]
    lines = [f"  {safe(left):<24} {safe(right)}" for left, right in rows]
    if len(templates) > SHOWN:
        lines.insert(3 + SHOWN, f"  … and {len(templates) - SHOWN} more: `picoclaw workflows list`")
    return "\n".join(lines)
