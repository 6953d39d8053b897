"""A code review in Markdown: verdict, who did what, what to look at first, what nobody looked at."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from pydantic import JsonValue

from ...capabilities.findings import Severity, ToolRun
from .markdown import code, count, inline, prose, table
from .review_data import AreaData, ChangeData, MergedFinding, ReviewData
from .review_model import model_section, place_of

SHOWN_FINDINGS = 50
SHOWN_PER_RULE = 5
SHOWN_MISSING = 40
MESSAGE_LENGTH = 240
WIDTH = 80
"""Columns of a terminal, which the table and the tools below it keep to unless names are very long."""
_Repeat = tuple[Severity, tuple[str, ...]]
_FACTS = 12
"""Facts shown of each area."""


def render(data: ReviewData) -> str:
    """Return the report; every text that comes from a repository, a tool or a node is escaped."""
    sections = [
        _head(data),
        _table(data.areas, data),
        model_section(data.model),
        _findings(data.findings),
        _files(data),
        _facts(data.areas),
        _missing(data),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(data: ReviewData) -> str:
    repository = data.repository
    lines = [f"# Code review: {inline(repository.label, 120) or 'repository'}"]
    if repository.commit:
        lines.append(f"Commit {code(repository.commit, 40)}")
    if data.change is not None:
        lines.append(_change(data.change))
    lines.append(f"**{inline(data.summary[:1].upper() + data.summary[1:])}.**")
    return "\n\n".join(lines)


def _change(change: ChangeData) -> str:
    """Say what the review was limited to."""
    head = change.head[:12] if len(change.head) >= 40 else change.head
    elsewhere = (
        f"{count(change.left_out, 'finding')} elsewhere {'was' if change.left_out == 1 else 'were'} left out"
    )
    return (
        f"Review of the change {code(f'{change.base}..{head}', 200)}: {count(change.files, 'file')}, "
        f"{count(change.lines, 'line')}; {elsewhere}."
    )


def _table(parts: Sequence[AreaData], data: ReviewData) -> str:
    rows = [
        [
            inline(part.area, 64),
            inline(part.node or "", 64) or "–",
            _found(part),
            f"{part.seconds:.1f}" if part.seconds is not None else "–",
        ]
        for part in parts
    ]
    text = table(["area", "node", "findings", "seconds"], rows, right=frozenset({3}))
    if tools := [line for part in parts if (line := _tools(part))]:
        text += "\n\n" + "\n".join(["Tools:", "", *tools])
    counts = data.counts
    merged = counts.reported - counts.findings
    if merged:
        text += (
            f"\n\n{count(counts.reported, 'finding')} reported; {count(merged, 'duplicate')} "
            f"(same file, line and kind) merged, which leaves {counts.findings:,}."
        )
    return text


def _tools(part: AreaData) -> str:
    """Return an area's tools as an entry of a list that keeps to a terminal's width."""
    tools = [_tool(run) for run in part.tools if run.status != "not asked"]
    if not tools:
        return ""
    lines = [f"- {inline(part.area, 64)}:"]
    for i, tool in enumerate(tools):
        word = f" {tool}," if i + 1 < len(tools) else f" {tool}"
        # Between tools only: each one is escaped so that it may begin a line.
        if len(lines[-1]) + len(word) > WIDTH:
            lines.append(" ")
        lines[-1] += word
    return "\n".join(lines)


def _tool(run: ToolRun) -> str:
    name = inline(run.tool, 64)
    if run.status in ("ok", "nothing to do"):
        return name
    return f"{name} ({run.status})"


def _found(part: AreaData) -> str:
    """Say what an area found so that silence and failure never look alike."""
    if not part.reviewed and not part.reported:
        return "**not reviewed**"
    unable = sum(
        run.status in ("failed", "timed out") or (run.status == "not installed" and not run.languages)
        for run in part.tools
    )
    idle = not any(run.status == "ok" for run in part.tools)
    found = f"{part.reported:,}" if part.reported else "nothing to do" if idle else "no findings"
    if part.dropped:
        found += f" and {part.dropped:,} not listed"
    if unable:
        found += f", {count(unable, 'tool')} could not run"
    return found


def _findings(findings: Sequence[MergedFinding]) -> str:
    """List the first findings by severity; of a rule that repeats itself only the first few."""
    chosen, held_back = _choose(findings)
    if not chosen:
        return ""
    parts = ["## Findings"]
    totals = Counter(finding.severity for finding in findings)
    for severity, group in groupby(chosen, key=lambda finding: finding.severity):
        members = list(group)
        total = totals[severity]
        number = f"{total:,}" if total == len(members) else f"{len(members):,} of {total:,}"
        lines = [f"- {_finding(finding)}" for finding in members]
        lines += [
            f"- … and {more:,} more of {_rules(rules)}"
            for (of, rules), more in held_back.items()
            if of == severity and more
        ]
        parts += [f"### {severity.capitalize()} ({number})", "\n".join(lines)]
    if len(findings) > len(chosen):
        parts.append(f"… and {len(findings) - len(chosen):,} more in the JSON.")
    return "\n\n".join(parts)


def _choose(findings: Sequence[MergedFinding]) -> tuple[list[MergedFinding], Counter[_Repeat]]:
    """Return what to show, in rank order, and how many of the rules shown were held back."""
    chosen: list[MergedFinding] = []
    seen: Counter[_Repeat] = Counter()
    held_back: Counter[_Repeat] = Counter()
    for finding in findings:
        key = (finding.severity, finding.rules)
        if len(chosen) < SHOWN_FINDINGS and seen[key] < SHOWN_PER_RULE:
            seen[key] += 1
            chosen.append(finding)
        elif seen[key]:
            held_back[key] += 1
    return chosen, held_back


def _finding(finding: MergedFinding) -> str:
    place = place_of(finding.path, finding.line)
    # Two tools say one thing in two ways; one tool that says two things means two things.
    said = Counter(tool for tool, _ in {(source.tool, source.message) for source in finding.sources})
    more = max(said.values()) - 1
    also = f" (+{more} more on this line)" if more else ""
    tools = ", ".join(inline(tool, 64) for tool in finding.tools)
    message = prose(finding.message, MESSAGE_LENGTH) or finding.kind
    return f"{place}  {_rules(finding.rules)}  {message}{also} ({tools})"


def _rules(rules: Sequence[str]) -> str:
    return ", ".join(code(rule, 64) for rule in rules[:4] if rule)


def _files(data: ReviewData) -> str:
    if data.counts.files < 2:
        return ""
    lines = [
        f"- {code(spot.path, 300)}: {count(spot.findings, 'finding')} "
        f"({', '.join(f'{number:,} {severity}' for severity, number in spot.by_severity.items())})"
        for spot in data.files
    ]
    parts = ["## Where to start", "\n".join(lines)]
    frequent = [(rule, number) for rule, number in data.counts.by_rule.items() if number > 2][:5]
    if frequent:
        rules = ", ".join(f"{code(rule, 80)} {number:,}×" for rule, number in frequent)
        parts.append(f"Most frequent: {rules}")
    return "\n\n".join(parts)


def _facts(parts: Sequence[AreaData]) -> str:
    lines = [
        f"- {inline(part.area, 64)}: {'; '.join(facts)}"
        for part in parts
        if (facts := [fact for key, value in part.facts.items() if (fact := _fact(key, value))][:_FACTS])
    ]
    return "\n\n".join(["## Facts", "\n".join(lines)]) if lines else ""


def _fact(key: str, value: JsonValue) -> str:
    """Return `docstring coverage 83.2 %`; nothing for what is empty or too deep for a line."""
    name = key.replace("_", " ")
    unit = ""
    for ending in (" in %", " percent"):
        if name.endswith(ending):
            name, unit = name.removesuffix(ending), " %"
    if isinstance(value, dict):
        inner = [f"{inline(k, 64)} {_scalar(v)}" for k, v in value.items() if _scalar(v)]
        text = ", ".join(inner[:8]) + (f" and {len(inner) - 8} more" if len(inner) > 8 else "")
    elif isinstance(value, list):
        inner = [text for item in value if (text := _scalar(item))]
        text = ", ".join(inner[:8]) + (f" and {len(inner) - 8} more" if len(inner) > 8 else "")
    else:
        text = _scalar(value)
    return f"{inline(name, 64)} {text}{unit}" if text else ""


def _scalar(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return inline(value, 120) if isinstance(value, str) else ""


def _missing(data: ReviewData) -> str:
    lines = [*data.missing, *data.notes]
    if not lines:
        return ""
    shown = [f"- {inline(line, 500)}" for line in lines[:SHOWN_MISSING]]
    if len(lines) > SHOWN_MISSING:
        shown.append(f"- … and {len(lines) - SHOWN_MISSING:,} more in the JSON")
    return "\n\n".join(["## What was not reviewed", "\n".join(shown)])
