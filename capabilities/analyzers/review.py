"""The review: all analyzers of one area over one repository, at once, as an Executor."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import JsonValue

from ...errors import FinalError
from ...swarm.demand import parse_demand
from ...swarm.records import QueuedTask, Result
from ..change import Change, change_of
from ..executor import Context, Readiness
from ..findings import SEVERITIES, Area, Finding, Review, ToolRun, key_of
from ..languages import PROGRAMMING, language_of
from .analyzer import Analyzer, OnPath, Target, lacks
from .bandit import Bandit
from .clippy import Clippy
from .codespell import Codespell
from .coverage_report import CoverageReport
from .detect_secrets import DetectSecrets
from .doc_facts import DocFacts
from .eslint import Eslint
from .go_vet import GoVet
from .interrogate import Interrogate
from .mypy import Mypy
from .project import read_project
from .radon import Radon
from .ruff import RuffCheck, RuffFormat
from .running import Outcome, installed, run_analyzer
from .shellcheck import Shellcheck
from .survey import Survey, printable, survey
from .test_facts import TestFacts
from .vulture import Vulture

ANALYZERS: tuple[Analyzer, ...] = (
    # Within an area the slowest first: the others run beside it.
    Clippy(), GoVet(), Mypy(), Vulture(), Radon(), RuffCheck("code"), RuffFormat(),
    Eslint(), Eslint("typescript", "typescript-eslint"), Shellcheck(),
    Bandit(), DetectSecrets(), RuffCheck("security"),
    Interrogate(), Codespell(), RuffCheck("docs"), DocFacts(),
    TestFacts(), RuffCheck("testing"), CoverageReport(),
)  # fmt: skip

LANGUAGES = frozenset({"python", "go", "rust", "javascript", "typescript", "shell"})
"""Capabilities that stand for the tools of one language, a part of the area `code`."""

AREAS: Mapping[str, Area] = {
    "code": "code",
    "security": "security",
    "docs": "docs",
    "testing": "testing",
    **dict.fromkeys(sorted(LANGUAGES), "code"),
}
"""The capabilities served, and the area that each stands for."""

INSTALL = "needs the review tools: install picoclaw-swarm[review]"

MAX_FINDINGS = 2_000
"""Findings that one review carries; the least grave beyond it are counted and dropped."""

MAX_MESSAGE = 400
"""Characters of one finding's message."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a demand asks for in one area."""

    tools: tuple[Analyzer, ...]
    languages: frozenset[str] = frozenset()
    """By name, as `go` does; empty: whatever is there."""


@dataclass(frozen=True, slots=True)
class ReviewExecutor:
    """Reviews a repository without a model: real tools in child processes, findings with their place."""

    analyzers: tuple[Analyzer, ...] = ANALYZERS
    max_findings: int = MAX_FINDINGS
    tool_timeout: timedelta = timedelta(seconds=120)
    capabilities: frozenset[str] = field(default=frozenset(AREAS))

    def readiness(self, capability: str) -> Readiness:
        """Return whether at least one tool of the capability's area or language can run."""
        tools = [tool for tool in self._tools(capability) if tool.module or isinstance(tool, OnPath)]
        reasons = [lacks(tool) or ("" if installed(tool.module) else INSTALL) for tool in tools]
        if not all(reasons):
            return Readiness(True)
        if not reasons or INSTALL in reasons:
            return Readiness(False, INSTALL)
        return Readiness(False, "needs " + reasons[0].replace(" is not ", " ", 1))

    def _tools(self, capability: str) -> list[Analyzer]:
        """Return the analyzers that a capability stands for: of its area, or of its language in it."""
        return [
            tool
            for tool in self.analyzers
            if tool.area == AREAS[capability]
            and (capability not in LANGUAGES or capability in tool.understands)
        ]

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Review the task's repository in the areas that its demand names.

        `data` is one Review, or a list of them when the demand names several areas. Raises FinalError
        when the task bears no repository.
        """
        wanted = self._wanted(task)
        change = change_of(task.task.input)
        if task.task.repository is None:
            raise FinalError(
                "a review needs a repository and this task has none: "
                "send it with `picoclaw run … --repo DIR` or `--repo URL`"
            )
        root = await context.checkout(task.task.repository)
        workspace = (await context.workspace()).resolve()
        seen = await asyncio.to_thread(survey, root)
        project = await asyncio.to_thread(read_project, root)
        reviews = []
        for area, asked in wanted.items():
            folder = workspace / area
            folder.mkdir()
            target = Target(
                seen, project, folder, label=task.task.repository.label, timeout=self.tool_timeout
            )
            reviews.append(await self.review(area, target, context, asked, change))
        data: list[JsonValue] = [review.model_dump(mode="json") for review in reviews]
        return Result(
            summary="; ".join(summarize(review) for review in reviews),
            data=data[0] if len(data) == 1 else data,
        )

    def _wanted(self, task: QueuedTask) -> dict[Area, Wanted]:
        """Return what the task's demand asks for, by area; raises FinalError for one unknown."""
        demand = parse_demand(task.task.demand)
        named = list(demand.capabilities) or [
            task.task.capability or str(task.task.input.get("area", "code"))
        ]
        if unknown := [name for name in named if name not in AREAS]:
            raise FinalError(
                f"no analyzer for {', '.join(unknown)} on this node: ask for {', '.join(sorted(AREAS))}"
            )
        by_area = {AREAS[name]: [n for n in named if AREAS[n] == AREAS[name]] for name in named}
        return {
            area: Wanted(
                # In the order of the analyzers, whatever the order of the names.
                tuple(tool for tool in self.analyzers if any(tool in self._tools(name) for name in names)),
                frozenset(names) if LANGUAGES.issuperset(names) else frozenset(),
            )
            for area, names in by_area.items()
        }

    async def review(
        self, area: Area, target: Target, context: Context, asked: Wanted, change: Change | None
    ) -> Review:
        """Run the analyzers that were asked for, as many at once as there are processors."""
        slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))
        # Who did not ask for a language by name hears nothing of a tool for one that is not here.
        mine = [
            tool
            for tool in asked.tools
            if asked.languages or not isinstance(tool, OnPath) or tool.files(target)
        ]

        async def run(analyzer: Analyzer) -> Outcome:
            async with slots:
                outcome = await run_analyzer(analyzer, target)
            await context.progress(progress_line(outcome.run))
            return outcome

        async with asyncio.TaskGroup() as group:
            running = [group.create_task(run(analyzer)) for analyzer in mine]
        outcomes = [task.result() for task in running]
        return assemble(
            area, target.survey, mine, outcomes, self.max_findings, change=change, only=asked.languages
        )


def assemble(
    area: Area,
    seen: Survey,
    analyzers: list[Analyzer],
    outcomes: list[Outcome],
    limit: int,
    *,
    change: Change | None = None,
    only: frozenset[str] = frozenset(),
) -> Review:
    """Put the outcomes of one area together. Pure.

    Of a change, what lies on its lines is kept. `only`: the languages that were asked for; none: all.
    """
    everything = [_cleaned(finding) for outcome in outcomes for finding in outcome.findings]
    everything += [
        _encoding_finding(path, line, why)
        for path, line, why in seen.broken
        if not only or language_of(path) in only
    ]
    findings = [f for f in everything if change is None or change.touches(f.path, f.line)]
    findings.sort(key=lambda f: (SEVERITIES.index(f.severity), f.path, f.line, f.rule, f.tool))
    facts: dict[str, JsonValue] = {}
    notes = list(seen.notes)
    for outcome in outcomes:
        facts |= outcome.reading.facts
        notes += outcome.reading.notes
    languages = {name: count for name, count in seen.languages().items() if not only or name in only}
    looked_at = {
        language
        for analyzer, outcome in zip(analyzers, outcomes, strict=True)
        if outcome.run.status == "ok"
        for language in analyzer.understands
        if language in languages
    }
    tools = [outcome.run for outcome in outcomes]
    notes += _unread_languages(languages, looked_at, tools)
    if area == "testing":
        tools.append(
            ToolRun(
                tool="the project's own tests", status="not asked", detail="a review runs no foreign code"
            )
        )
    return Review(
        area=area,
        findings=tuple(findings[:limit]),
        dropped=max(0, len(findings) - limit),
        left_out=None if change is None else len(everything) - len(findings),
        tools=tuple(tools),
        facts=facts,
        languages=languages,
        looked_at=tuple(sorted(looked_at)),
        notes=tuple(notes),
    )


def _unread_languages(
    languages: Mapping[str, int], looked_at: set[str], tools: Sequence[ToolRun]
) -> list[str]:
    why = {language: run.detail or run.status for run in tools for language in run.languages}
    why.setdefault("python", "none of its tools ran")
    return [
        f"{language} ({count} {'file' if count == 1 else 'files'}): not reviewed, "
        + why.get(language, "this version has no analyzer for it")
        for language, count in languages.items()
        if language in PROGRAMMING and language not in looked_at
    ]


def _cleaned(finding: Finding) -> Finding:
    """Return a finding fit for a terminal: a message may quote whatever stands in the source."""
    message = printable(finding.message)
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 1] + "…"
    return finding if message == finding.message else finding.model_copy(update={"message": message})


def _encoding_finding(path: str, line: int, why: str) -> Finding:
    return Finding(
        path=path, line=line, rule="encoding", severity="medium", kind="syntax", message=why, tool="survey"
    )


def progress_line(run: ToolRun) -> str:
    """Return what whoever watches sees of one tool: `bandit: 12 findings in 1.2 s`."""
    if run.status == "ok":
        noun = "finding" if run.findings == 1 else "findings"
        return f"{run.tool}: {run.findings} {noun} in {run.seconds:.1f} s"
    return f"{run.tool}: {run.status}" + (f" ({run.detail})" if run.detail else "")


def summarize(review: Review) -> str:
    """Return a review in one line."""
    count = len(review.findings) + review.dropped
    # As the report counts them: what two tools say of one line is one.
    grave = len({key_of(finding) for finding in review.findings if finding.severity in ("critical", "high")})
    silent = [run.tool for run in review.tools if run.status in ("not installed", "failed", "timed out")]
    line = f"{review.area}: {count} {'finding' if count == 1 else 'findings'}, {grave} high or worse"
    return line + (f"; without {', '.join(silent)}" if silent else "")
