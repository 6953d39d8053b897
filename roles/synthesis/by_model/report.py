"""The report whose text is a model's: its citations checked, what is missing named, its origin said. Pure."""

from collections.abc import Sequence

from pydantic import JsonValue

from ....swarm.records import Plan, Request
from ..markdown import clean, clean_lines, count, inline
from ..missing import SHOWN_TASKS, missing_lines, missing_section, usable
from ..outcome import Outcome
from ..plain import join_plain, task_data
from ..report import Report
from .citations import Checked, check_citations
from .written import Written

SCHEMA = "picoclaw.synthesis"
VERSION = 1
SHOWN_CHARACTERS = 200_000


def join_written(plan: Plan, request: Request, outcomes: Sequence[Outcome], written: Written) -> Report:
    """Return the report with a model's text; whatever the text says, it names what is missing."""
    steps = {outcome.step for outcome in outcomes if usable(outcome)}
    checked = check_citations(written.text, request.id, steps)
    missing = missing_lines(outcomes)
    lines = clean_lines(checked.text, SHOWN_CHARACTERS)
    text = "\n".join(line.rstrip() for line in lines).strip()
    parts = [text]
    if missing:
        parts.append(missing_section(missing))
    parts += [_sources(outcomes, checked), "---", _origin(written, checked, len(steps), len(outcomes))]
    first = next((clean(line.lstrip("# "), 200) for line in lines if line.strip()), "")
    verdict = f"{len(steps)} of {count(len(outcomes), 'task')} done"
    return Report(
        markdown="\n\n".join(parts) + "\n",
        data={
            "schema": SCHEMA,
            "version": VERSION,
            "complete": not missing,
            "missing": list[JsonValue](missing),
            "text": text,
            "cited": list[JsonValue](checked.cited),
            "struck": list[JsonValue](checked.struck),
            "model": {
                "name": written.model,
                "turns": written.turns,
                "tokens": written.tokens,
                "usd": written.usd,
                "reduced": written.reduced,
                "left_out": written.left_out,
                "cut": written.cut,
            },
            "tasks": [task_data(outcome) for outcome in outcomes],
        },
        partial=bool(missing),
        summary=f"{verdict}; missing: {clean('; '.join(missing[:20]), 300)}" if missing else first or verdict,
    )


def join_unwritten(plan: Plan, request: Request, outcomes: Sequence[Outcome], why: str = "") -> Report:
    """Return the plain join in the place of a model's text, and say why."""
    report = join_plain(plan, request, outcomes)
    why = why or "no model was asked to write this report"
    data = {**report.data, "not_written": why} if isinstance(report.data, dict) else report.data
    note = f"The results stand as they are: {inline(why, 500)}."
    return report.model_copy(update={"markdown": f"{report.markdown}\n---\n\n{note}\n", "data": data})


def _sources(outcomes: Sequence[Outcome], checked: Checked) -> str:
    lines = []
    for outcome in [outcome for outcome in outcomes if usable(outcome)][:SHOWN_TASKS]:
        by = f", by {inline(outcome.node, 128)}" if outcome.node else ""
        quiet = "" if outcome.step in checked.cited else " (not cited)"
        partial = outcome.result.partial if outcome.result is not None else None
        half = f" (in part: {inline(partial, 200)})" if partial else ""
        lines.append(f"- `{outcome.step}`: {inline(outcome.title or outcome.step, 150)}{by}{quiet}{half}")
    return "## Sources\n\n" + "\n".join(lines or ["- none: no task brought a result"])


def _origin(written: Written, checked: Checked, done: int, tasks: int) -> str:
    model = inline(written.model, 100)
    parts = [f"Written by {model} from the results of {done} of {count(tasks, 'task')}"]
    parts.append(
        "each citation was checked" if checked.cited else "it cites no task: check it against the results"
    )
    if checked.struck:
        parts.append(f"{count(len(checked.struck), 'citation')} of nothing struck out")
    if written.reduced:
        parts.append(f"the results were too long and were read as notes on {count(written.reduced, 'part')}")
    if written.left_out:
        parts.append(f"{written.left_out:,} characters of the results were not read")
    if written.cut:
        parts.append("the text ends at the model's length limit")
    cost = f", {written.usd:.4f} USD" if written.usd is not None else ", price unknown"
    parts.append(f"{count(written.turns, 'turn')}, {written.tokens:,} tokens{cost}")
    return "; ".join(parts) + "."
