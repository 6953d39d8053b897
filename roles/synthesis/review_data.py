"""The JSON of a code review: a stable form that programs may build on.

`schema` is always `picoclaw.code-review`. `version` changes when a field changes its meaning or goes
away; new fields may come at any time.
"""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from ...capabilities.findings import Kind, Severity, ToolRun
from ...swarm.records import State

SCHEMA: Final = "picoclaw.code-review"
VERSION: Final = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Source(_Part):
    """One tool's word on a finding."""

    area: str
    tool: str
    rule: str
    severity: Severity
    message: str


class MergedFinding(_Part):
    """One place with one kind of problem, whoever saw it."""

    path: str
    """Relative to the repository; `.` means the repository as a whole."""
    line: int
    """From 1; 0 means the whole file."""
    severity: Severity
    """The worst of its sources."""
    kind: Kind
    message: str
    """That of the first source."""
    rules: tuple[str, ...]
    tools: tuple[str, ...]
    areas: tuple[str, ...]
    sources: tuple[Source, ...]
    """Each distinct report of it, worst first; nothing that a tool said is lost."""


class Counts(_Part):
    """How many; a finding that two areas or tools saw counts once in each of them."""

    findings: int
    """After duplicates were merged: the length of `findings`."""
    reported: int
    """As the tools reported them."""
    dropped: int
    """Beyond a reviewer's cap: counted, but not in `findings`."""
    files: int
    """Files with at least one finding; the repository as a whole is none."""
    by_severity: dict[str, int]
    """All five severities, worst first; adds up to `findings`."""
    by_area: dict[str, int]
    by_tool: dict[str, int]
    by_kind: dict[str, int]
    """Adds up to `findings`."""
    by_rule: dict[str, int]
    """The twenty most frequent, as `tool:rule`."""


class AreaData(_Part):
    """One part of the review: who did it, with what, and how it ended."""

    area: str
    title: str
    state: State
    reason: str
    reviewed: bool
    """False: its silence says nothing; `why_not` says why."""
    why_not: str
    node: str | None
    attempts: int
    seconds: float | None
    reported: int
    dropped: int
    tools: tuple[ToolRun, ...]
    facts: dict[str, JsonValue]
    notes: tuple[str, ...]


class ModelRemark(_Part):
    """Why a finding matters, by a model; the finding itself is an analyzer's."""

    area: str
    path: str
    line: int
    rule: str
    why: str


class ModelData(_Part):
    """What a model said, as far as it was verified against the repository and the analyzers."""

    models: tuple[str, ...]
    summaries: dict[str, str]
    """By area."""
    remarks: tuple[ModelRemark, ...]
    """In each area the most important first."""
    seen: int
    """Findings that a model saw itself: those of the tool `model`."""
    dropped: int
    """Remarks that named a finding, file or line that there is not."""
    not_read: dict[str, str]
    """Why no model read the repository, by area."""


class HotSpot(_Part):
    """A file with many or bad findings."""

    path: str
    findings: int
    by_severity: dict[str, int]


class RepositoryData(_Part):
    """What was reviewed."""

    label: str
    url: str | None
    commit: str | None


class ChangeData(_Part):
    """The change that the review was limited to."""

    base: str
    """As its sender wrote it."""
    commit: str
    """The commit compared with: where base and head parted."""
    head: str
    """A commit, or `working tree`."""
    files: int
    lines: int
    left_out: int
    """Findings in other places."""


class ReviewData(_Part):
    """The whole review."""

    schema_name: Literal["picoclaw.code-review"] = SCHEMA
    version: Literal[1] = VERSION
    repository: RepositoryData
    change: ChangeData | None = None
    """None: the whole repository was reviewed."""
    summary: str
    complete: bool
    """False: something is missing that was asked for; see `missing`."""
    worst: Severity | None
    counts: Counts
    areas: tuple[AreaData, ...]
    findings: tuple[MergedFinding, ...]
    """In order of rank: severity, weight of the kind, path, line."""
    files: tuple[HotSpot, ...]
    """The ten worst."""
    languages: dict[str, int]
    not_looked_at: tuple[str, ...]
    """Programming languages that no tool read."""
    missing: tuple[str, ...]
    """What was not reviewed, one line each."""
    notes: tuple[str, ...]
    model: ModelData | None = None
    """None: no model had to do with it."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as plain JSON values, `schema` first."""
        dumped = self.model_dump(mode="json")
        name = dumped.pop("schema_name")
        return {"schema": name, **dumped}
