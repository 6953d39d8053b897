"""Findings: what an analyzer saw, typed, and which tools ran to see it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from ..swarm.records import Record

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""Worst first."""

Area = Literal["code", "security", "docs", "testing"]
Kind = Literal[
    "bug", "style", "format", "types", "dead-code", "complexity",
    "vulnerability", "secret", "docstring", "spelling", "test", "coverage", "syntax",
]  # fmt: skip
"""What sort of thing it is; two tools that see the same kind on the same line see one thing."""


class Finding(Record):
    """One thing to look at, in one place."""

    kind_name: ClassVar[str] = "finding"
    path: str
    """Relative to the repository, with forward slashes."""
    line: Annotated[int, Field(ge=0)]
    """From 1; 0 means the whole file."""
    rule: str
    severity: Severity
    kind: Kind
    message: str
    tool: str


class ToolRun(Record):
    """How a tool's run ended; only `ok` means that its silence is good news."""

    kind_name: ClassVar[str] = "tool run"
    tool: str
    status: Literal["ok", "not installed", "failed", "timed out", "nothing to do", "not asked"]
    version: str = ""
    detail: str = ""
    seconds: float = 0.0
    findings: int = 0
    files: int = 0
    languages: tuple[str, ...] = ()
    """Of a tool that is a program of the node: the languages that nothing else here may read."""


class Explained(Record):
    """Why a finding of an analyzer matters, by a model."""

    kind_name: ClassVar[str] = "explanation"
    path: str
    line: int
    rule: str
    tool: str
    why: str


class ModelWord(Record):
    """What a model said on a review, as far as it was verified against the repository."""

    kind_name: ClassVar[str] = "word of a model"
    model: str = ""
    summary: str = ""
    explained: tuple[Explained, ...] = ()
    """The most important first."""
    seen: int = 0
    """Findings of its own, which stand among the others with the tool `model`."""
    dropped: int = 0
    """Remarks that named a finding, file or line that there is not, or were too many."""
    why_not: str = ""
    """Why no model read the repository; empty where one did."""


class Review(Record):
    """What one reviewer of a repository returns, as the `data` of its Result."""

    kind_name: ClassVar[str] = "review"
    area: Area
    findings: tuple[Finding, ...] = ()
    dropped: int = 0
    """Findings beyond the cap, counted but not carried."""
    tools: tuple[ToolRun, ...] = ()
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    """Figures without a place, such as docstring coverage or the number of test functions."""
    languages: dict[str, int] = Field(default_factory=dict)
    """Languages in the repository and their number of files."""
    looked_at: tuple[str, ...] = ()
    """Languages that at least one tool read."""
    left_out: int | None = None
    """Of the review of a change: findings in places that it did not touch. None: nothing was left out."""
    model: ModelWord | None = None
    """None: no model was to read it."""
    notes: tuple[str, ...] = ()
    """What the reader must know: unreadable files, links not followed, languages nobody read."""


FindingKey = tuple[str, int, str, str, str]


def key_of(finding: Finding) -> FindingKey:
    """Return what makes two findings one: file, line and kind.

    A whole file (line 0) is too wide a place for that: there rule and message must agree as well.
    """
    path = finding.path.removeprefix("./")
    if finding.line == 0:
        return path, 0, finding.kind, finding.rule, finding.message
    return path, finding.line, finding.kind, "", ""
