"""A code review as SARIF 2.1.0, the form in which code scanning services take findings. Pure.

One run per tool, each with its rules, so that a service shows who said what. Held to what GitHub's code
scanning takes: at most 20 runs, 25,000 results in each, and a place in a file for every result.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from pydantic import JsonValue, ValidationError

from ...capabilities.findings import SEVERITIES, Severity, ToolRun
from ...errors import UsageError
from .markdown import clean
from .merge import WHOLE
from .review_data import SCHEMA, AreaData, MergedFinding, ReviewData, Source

SARIF_VERSION: Final = "2.1.0"
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "SRCROOT"
OWN: Final = "picoclaw"
"""The driver of what is said about the review itself, and of the facts that no tool of its own counts."""
OWN_TOOLS: Final = frozenset({"doc facts", "test facts", "coverage report", "survey"})

MAX_RUNS: Final = 20
MAX_RESULTS: Final = 25_000
MAX_MESSAGE: Final = 1_000

LEVELS: Mapping[Severity, str] = {
    "critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note",
}  # fmt: skip
SECURITY: Mapping[Severity, str] = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "2.0",
    "info": "1.0",
}
"""The score by which GitHub sorts rules on weaknesses: over 9, 7, 4 and 0."""
PROBLEM: Mapping[str, str] = {"error": "error", "warning": "warning", "note": "recommendation"}

HELP: Mapping[str, str] = {
    "shellcheck": "https://www.shellcheck.net/wiki/{rule}",
    "eslint": "https://eslint.org/docs/latest/rules/{rule}",
    "typescript-eslint": "https://eslint.org/docs/latest/rules/{rule}",
    "clippy": "https://rust-lang.github.io/rust-clippy/master/index.html#{rule}",
    "go vet": "https://pkg.go.dev/cmd/vet",
    "ruff": "https://docs.astral.sh/ruff/rules/",
    "bandit": "https://bandit.readthedocs.io/en/latest/plugins/index.html",
    "mypy": "https://mypy.readthedocs.io/en/stable/error_code_list.html",
}

_SILENT = frozenset({"failed", "timed out"})
_Told = tuple[MergedFinding, Source]
"""One tool's word on one place."""


def to_sarif(report_data: JsonValue, version: str) -> dict[str, Any]:
    """Return the SARIF log of a code review's JSON; `version` is that of this program.

    Raises UsageError when the report is of something else than a code review.
    """
    if not isinstance(report_data, dict) or report_data.get("schema") != SCHEMA:
        raise UsageError("--sarif takes a code review, and this request brought something else")
    try:
        review = ReviewData.model_validate(report_data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise UsageError(
            f"--sarif cannot read the report ({'.'.join(map(str, first['loc']))}: {first['msg']}): "
            "upgrade this command to the coordinator's version"
        ) from None
    told: dict[str, list[_Told]] = {}
    for finding in review.findings:
        for source in _once(finding.sources):
            told.setdefault(_driver_of(source.tool), []).append((finding, source))
    runs = _tool_runs(review.areas)
    named = sorted({*told, *runs} - {OWN})
    if len(named) >= MAX_RUNS:
        named, rest = named[: MAX_RUNS - 1], named[MAX_RUNS - 1 :]
        told[OWN] = told.get(OWN, []) + [entry for name in rest for entry in told.pop(name, [])]
    return {
        "$schema": SARIF_SCHEMA,
        "version": SARIF_VERSION,
        "runs": [
            _own_run(review, told.get(OWN, []), version),
            *(_run(review, name, told.get(name, []), runs.get(name, [])) for name in named),
        ],
    }


def nothing_changed(version: str) -> dict[str, Any]:
    """Return the SARIF log of a review that had nothing to look at: valid, and without a result."""
    return {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [_frame(OWN, version, (), (), True)]}


def _once(sources: Iterable[Source]) -> list[Source]:
    """Return one source per tool and rule; areas that used one tool said the same."""
    return list({(source.tool, source.rule): source for source in reversed(tuple(sources))}.values())[::-1]


def _driver_of(tool: str) -> str:
    return OWN if tool in OWN_TOOLS else tool


def _tool_runs(areas: Sequence[AreaData]) -> dict[str, list[ToolRun]]:
    """Return the runs of each tool that was started; a tool of which nothing is known has no run."""
    runs: dict[str, list[ToolRun]] = {}
    for area in areas:
        for run in area.tools:
            if run.status in ("ok", "failed", "timed out") and run.tool not in OWN_TOOLS:
                runs.setdefault(run.tool, []).append(run)
    return runs


def _run(review: ReviewData, tool: str, told: Sequence[_Told], runs: Sequence[ToolRun]) -> dict[str, Any]:
    silent = [run for run in runs if run.status in _SILENT]
    notes = [_notification("error", f"{run.status}: {run.detail}".rstrip(": ")) for run in silent]
    version = next((run.version for run in runs if run.version), "")
    return _frame(tool, version, told, notes, not silent) | _provenance(review)


def _own_run(review: ReviewData, told: Sequence[_Told], version: str) -> dict[str, Any]:
    """Return the run on the review as a whole: what was not reviewed, and what has no place in a file."""
    notes = [_notification("warning" if review.complete else "error", line) for line in review.missing]
    notes += [
        _notification("note", f"{source.tool} {source.rule}: {source.message}")
        for finding, source in told
        if finding.path == WHOLE
    ]
    if (change := review.change) is not None:
        notes.append(
            _notification(
                "note",
                f"review of the change {change.base}..{change.head}: {change.files} files, {change.lines} lines; "
                f"{change.left_out} findings elsewhere were left out",
            )
        )
    return _frame(OWN, version, told, notes, review.complete) | _provenance(review)


def _frame(
    tool: str, version: str, told: Sequence[_Told], notes: Sequence[dict[str, Any]], successful: bool
) -> dict[str, Any]:
    placed = [entry for entry in told if entry[0].path != WHOLE][:MAX_RESULTS]
    rules = _rules(tool, placed)
    numbers = {rule["id"]: number for number, rule in enumerate(rules)}
    driver: dict[str, Any] = {"name": clean(tool, 64), "rules": rules}
    if version:
        driver["version"] = clean(version, 64)
    seen: dict[str, int] = {}
    return {
        "tool": {"driver": driver},
        # A category of its own: a service joins no two runs, and closes what a tool no longer says.
        "automationDetails": {"id": f"picoclaw/{_slug(tool)}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            ROOT: {"description": {"text": "The top of the repository that was reviewed."}}
        },
        "invocations": [{"executionSuccessful": successful, "toolExecutionNotifications": list(notes)}],
        "results": [_result(finding, source, numbers, seen) for finding, source in placed],
    }


def _rules(tool: str, told: Sequence[_Told]) -> list[dict[str, Any]]:
    """Return the rules that were broken, each with the worst severity that it was given."""
    by_rule: dict[str, list[_Told]] = {}
    for entry in told:
        by_rule.setdefault(_rule_id(entry[1]), []).append(entry)
    return [_rule(tool, rule, entries) for rule, entries in sorted(by_rule.items())]


def _rule(tool: str, rule: str, entries: Sequence[_Told]) -> dict[str, Any]:
    worst = min((source.severity for _, source in entries), key=SEVERITIES.index)
    kind = entries[0][0].kind
    weakness = any(finding.kind in ("vulnerability", "secret") for finding, _ in entries)
    level = LEVELS[worst]
    properties: dict[str, Any] = {"tags": [kind, *(["security"] if weakness else [])]}
    if weakness:
        properties["security-severity"] = SECURITY[worst]
    else:
        properties["problem.severity"] = PROBLEM[level]
    text = f"{clean(tool, 64)} {rule} ({kind})"
    made: dict[str, Any] = {
        "id": rule,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": f"{text}: see the documentation of {clean(tool, 64)}."},
        "defaultConfiguration": {"level": level},
        "properties": properties,
    }
    if (address := HELP.get(tool)) is not None:
        made["helpUri"] = address.format(rule=quote(rule, safe=""))
    return made


def _result(
    finding: MergedFinding, source: Source, numbers: Mapping[str, int], seen: dict[str, int]
) -> dict[str, Any]:
    rule = _rule_id(source)
    return {
        "ruleId": rule,
        "ruleIndex": numbers[rule],
        "level": LEVELS[source.severity],
        "message": {"text": _text(source.message) or finding.kind},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(finding.path), "uriBaseId": ROOT},
                    # A finding on the whole file stands at its first line: a service wants one.
                    "region": {"startLine": max(1, finding.line)},
                }
            }
        ],
        "partialFingerprints": {"picoclawFinding/v1": _fingerprint(finding, source, seen)},
        "properties": {"severity": source.severity, "kind": finding.kind, "areas": list(finding.areas)},
    }


def _fingerprint(finding: MergedFinding, source: Source, seen: dict[str, int]) -> str:
    """Return what stays when the finding's line moves: its rule, file and words, and which of its like it is."""
    words = re.sub(r"\d+", "#", source.message)
    said = f"{source.tool}\0{source.rule}\0{finding.path}\0{words}"
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    seen[digest] = seen.get(digest, 0) + 1
    return f"{digest}:{seen[digest]}"


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": _text(text)}}


def _text(text: str) -> str:
    """Return a message in plain words: brackets before a bracket would be a link that a stranger wrote."""
    return clean(text, MAX_MESSAGE).replace("](", "] (")


def _rule_id(source: Source) -> str:
    return clean(source.rule, 100) or source.tool


def _slug(tool: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", tool.lower()).strip("-") or "tool"


def _provenance(review: ReviewData) -> dict[str, Any]:
    repository = review.repository
    if not repository.url or "://" not in repository.url:
        return {}
    control = {"repositoryUri": quote(repository.url, safe=":/@%+~,;=&$!*()[]'?")}
    if repository.commit:
        control["revisionId"] = clean(repository.commit, 64)
    return {"versionControlProvenance": [control]}
