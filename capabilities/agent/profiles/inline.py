"""Inline agents: one that another agent makes up for a task. Pure.

It comes in the task's input, under `agent`, and so from anybody: it only ever narrows what the profile of
the node that runs it allows.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ....errors import FinalError
from ..budget.account import narrower
from ..budget.limits import Budget
from .profile import Profile

INPUT = "agent"
"""The input that makes an agent up."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Inline(BaseModel):
    """An agent made up for one task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    system: Annotated[str, Field(max_length=20_000)] = ""
    tools: tuple[Annotated[str, Field(max_length=64)], ...] | None = None
    """Names, or patterns that its maker's own profile has; None: what its maker has."""
    usd: Annotated[float, Field(ge=0)] | None = None
    tokens: Annotated[int, Field(ge=0)] | None = None
    turns: Annotated[int, Field(ge=1)] | None = None


def inline(profile: Profile, inputs: JsonValue) -> Profile:
    """Return the profile as a task's input narrows it; the profile itself where it says nothing.

    Raises FinalError for an agent that cannot be read.
    """
    found = inputs.get(INPUT) if isinstance(inputs, dict) else None
    if not isinstance(found, dict):
        return profile
    try:
        made = Inline.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, (INPUT, *first["loc"])))
        raise FinalError(
            f"input {where} makes no agent up: {first['msg']}; mend it and send it again"
        ) from None
    system = "\n\n".join(part for part in (profile.system, made.system) if part)
    return replace(
        profile,
        name=f"{profile.name}/{made.name}",
        system=system,
        tools=within(made.tools, profile.tools),
        left=made.tools,
        budget=narrower(profile.budget, Budget(usd=made.usd, tokens=made.tokens, turns=made.turns)),
    )


def to_give(profile: Profile) -> tuple[str, ...] | None:
    """Return the tools that an agent may hand on, by names and patterns; None: any."""
    if profile.tools is None and profile.left is None:
        return None
    if profile.left is not None:
        further = tuple(name for name in profile.left if name.startswith("mcp__") or name == "skill")
    else:
        further = (*(("mcp__*",) if profile.mcp else ()), *(("skill",) if profile.skills else ()))
    return (*(profile.tools or ()), *further)


def within(wanted: Sequence[str] | None, allowed: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return what of the wanted tools is allowed; None: all. A pattern must be one of the allowed ones."""
    if wanted is None:
        return None if allowed is None else tuple(allowed)
    if allowed is None:
        return tuple(wanted)
    return tuple(
        name
        for name in wanted
        if name in allowed
        or (_PLAIN.fullmatch(name) and any(fnmatchcase(name, pattern) for pattern in allowed))
    )
