"""The form of a profile's definition: what each key may hold. Every scalar comes as the text in the file."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ....config.durations import parse_duration
from ....config.models import check_model
from ....config.names import GENERAL, ROLE_MARKS, canonical_capability
from ....errors import ConfigError, NameRefused
from ..approvals.policy import Decision, Policy, Rule
from ..budget.limits import Breach, Budget

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOOL = re.compile(r"[a-z0-9_*?\[\]!-]+|mcp__[\w.*?\[\]!-]+", re.ASCII)
"""A tool's name, or a shell pattern of some; those of MCP servers may have other letters."""
LONGEST_SYSTEM = 100_000
"""Characters of a system prompt."""
LONGEST_WALL = timedelta(days=7)


def check_agent_name(text: str) -> str:
    """Return the name if an agent may be called so; raises NameRefused."""
    if not NAME.fullmatch(text):
        raise NameRefused(
            f"agent {text[:80]!r} is not a valid name: use 1 to 64 letters, digits, '-' and '_', "
            "starting with a letter or digit"
        )
    return text


def _one_or_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _model(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return check_model(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _capability(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        name = canonical_capability(text)
    except NameRefused as error:
        raise ValueError(str(error)) from None
    if name in ROLE_MARKS or name == GENERAL:
        raise ValueError(f"{name!r} stands for a role or for all: name what the agent does")
    return name


def _name(text: object) -> object:
    if isinstance(text, str) and not text.strip():
        raise ValueError("an empty name: remove it")
    return text.strip() if isinstance(text, str) else text


def _wall(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        found = parse_duration(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    if not timedelta(0) < found <= LONGEST_WALL:
        raise ValueError(f"{text} is out of range: give more than 0s and at most 168h")
    return found


def _rule(value: object) -> object:
    """Read `TOOL`, `TOOL: WHAT` in one text, or the same as YAML takes it, a mapping of one."""
    if isinstance(value, str):
        tool, separator, what = value.partition(": ")
        value = {tool: what} if separator else {value: None}
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError("a rule is TOOL or TOOL: WHAT, such as `bash: git push*`")
    ((tool, what),) = value.items()
    if not str(tool).strip() or (what is not None and (not isinstance(what, str) or not what.strip())):
        raise ValueError("a rule is TOOL or TOOL: WHAT, and neither may be empty")
    if not _TOOL.fullmatch(str(tool).strip()):
        # It would fit nothing, and nobody would know.
        raise ValueError(
            f"{str(tool)[:80]!r} is no tool: write its name in small letters and a blank after the colon, such as "
            "`bash: git push*`"
        )
    return str(tool).strip(), what.strip() if isinstance(what, str) else None


Name = Annotated[str, BeforeValidator(_name)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_list)]
Models = Annotated[tuple[Annotated[str, BeforeValidator(_model)], ...], BeforeValidator(_one_or_list)]
Capabilities = Annotated[
    tuple[Annotated[str, BeforeValidator(_capability)], ...], BeforeValidator(_one_or_list)
]
Rules = Annotated[
    tuple[Annotated[tuple[str, str | None], BeforeValidator(_rule)], ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str | Mapping) else value),
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BudgetForm(_Strict):
    """What one task of the agent may spend."""

    usd: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    tokens: Annotated[int, Field(ge=1, le=10**12)] | None = None
    turns: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    wall: Annotated[timedelta, BeforeValidator(_wall)] | None = None
    on_breach: Breach = "wrap_up"

    @property
    def budget(self) -> Budget:
        return Budget(
            usd=self.usd, tokens=self.tokens, turns=self.turns, wall=self.wall, on_breach=self.on_breach
        )


class PolicyForm(_Strict):
    """What an agent may do; the strictest rule that fits decides."""

    default: Decision = "allow"
    allow: Rules = ()
    ask: Rules = ()
    deny: Rules = ()

    @property
    def policy(self) -> Policy:
        given: tuple[tuple[Literal["allow", "ask", "deny"], Rules], ...] = (
            ("deny", self.deny),
            ("ask", self.ask),
            ("allow", self.allow),
        )
        rules = [
            Rule(tool=tool, what=what, decision=decision) for decision, pairs in given for tool, what in pairs
        ]
        return Policy(rules=tuple(rules), default=self.default)


class ProfileForm(_Strict):
    """One agent."""

    description: str = ""
    model: Models = ()
    system: Annotated[str, Field(max_length=LONGEST_SYSTEM)] = ""
    system_file: str = ""
    """Beside the file of the definition."""
    tools: Names | None = None
    skills: Names = ()
    mcp: Names = ()
    capabilities: Capabilities = ()
    budget: BudgetForm = BudgetForm()
    policy: PolicyForm = PolicyForm()
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 8192

    @model_validator(mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "models" in value and "model" not in value:
            value = {("model" if key == "models" else key): item for key, item in value.items()}
        return value

    @model_validator(mode="after")
    def _one_prompt(self) -> Self:
        if self.system and self.system_file:
            raise ValueError("it has both system: and system_file:: keep one")
        return self
