"""The plain join: each task with how it ended and what it said, in the order of the plan."""

import json
from collections.abc import Sequence

from pydantic import JsonValue

from ...swarm.records import Plan, Request
from .markdown import block, clean, clean_lines, count, inline
from .missing import SHOWN_TASKS, missing_section, usable
from .outcome import Outcome, in_words
from .report import Report

SCHEMA = "picoclaw.plain"
VERSION = 1
SHOWN_CHARACTERS = 20_000
"""Longest summary and longest data of a task that Markdown shows; the JSON has all of it."""


def join_plain(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
    """Join by writing one result after the other; what is missing is named first.

    A single task has the report to itself: the answer, and a line on who gave it.
    """
    missing = [f"{outcome.step}: {in_words(outcome)}" for outcome in outcomes if not usable(outcome)]
    done = len(outcomes) - len(missing)
    title = clean(request.text, 100)
    verdict = f"{done} of {count(len(outcomes), 'task')} done"
    parts = [f"# {inline(title) or 'Result'}"]
    if len(outcomes) == 1:
        parts += _single(outcomes[0])
    else:
        parts.append(f"**{verdict}.**" if missing else f"{verdict}.")
        if missing:
            parts.append(missing_section(missing))
        parts += [section(outcome.title or outcome.step, outcome) for outcome in outcomes[:SHOWN_TASKS]]
    if len(outcomes) > SHOWN_TASKS:
        parts.append(f"… and {count(len(outcomes) - SHOWN_TASKS, 'more task')} in the JSON.")
    first = next((o.result.summary for o in outcomes if o.result is not None and o.result.summary), "")
    summary = clean(first, 200) if len(outcomes) == 1 and first and not missing else verdict
    if missing:
        summary = f"{verdict}; missing: {clean('; '.join(missing[:20]), 300)}"
    return Report(
        markdown="\n\n".join(parts) + "\n",
        data={
            "schema": SCHEMA,
            "version": VERSION,
            "complete": not missing,
            "missing": list[JsonValue](missing),
            "tasks": [task_data(outcome) for outcome in outcomes],
        },
        partial=bool(missing),
        summary=summary,
    )


def _single(outcome: Outcome) -> list[str]:
    """Return the answer first, then who gave it."""
    if not usable(outcome):
        return [f"**{inline(in_words(outcome), 500)}**"]
    return [*_brought(outcome), _ended(outcome)]


def section(title: str, outcome: Outcome) -> str:
    """Return the part of a report that one task has: how it ended, and what it brought."""
    heading = f"## {inline(title, 150)}"
    if not usable(outcome):
        return f"{heading}\n\n**{inline(in_words(outcome), 500)}**"
    return "\n\n".join([heading, _ended(outcome), *_brought(outcome)])


def _ended(outcome: Outcome) -> str:
    where = [inline(outcome.node or "", 128)] if outcome.node else []
    if outcome.seconds is not None:
        where.append(f"{outcome.seconds:.1f} s")
    return f"done{' by ' if outcome.node else ' in ' if where else ''}{', '.join(where)}"


def _brought(outcome: Outcome) -> list[str]:
    """Return what a task said, returned and stored, a paragraph each."""
    parts: list[str] = []
    result = outcome.result
    assert result is not None
    if result.summary:
        # Quoted line by line, so that its own markup stays inside.
        lines = clean_lines(result.summary, SHOWN_CHARACTERS)
        parts.append("\n".join(f"> {line}".rstrip() for line in lines))
    if result.data is not None and result.data != result.summary:
        text, language = _readable(result.data)
        if text == result.summary:
            pass
        elif len(text) > SHOWN_CHARACTERS:
            parts += [block(text[:SHOWN_CHARACTERS]), "… the rest is in the JSON."]
        else:
            parts.append(block(text, language))
    if result.artifacts:
        names = "\n".join(
            f"- {inline(ref.filename or ref.name, 200)} ({count(ref.size, 'byte')})"
            for ref in result.artifacts
        )
        parts.append(f"Artifacts:\n\n{names}")
    if not result.summary and result.data is None and not result.artifacts:
        parts.append("It returned nothing.")
    return parts


def _readable(data: JsonValue) -> tuple[str, str]:
    """Return data as people read it, and its language: text and lists of lines as they are, else JSON."""
    if isinstance(data, str):
        return data, ""
    lines = [line for line in data if isinstance(line, str)] if isinstance(data, list) else []
    if isinstance(data, list) and lines and len(lines) == len(data):
        return "\n".join(lines), ""
    return _beginning(data), "json"


def _beginning(data: JsonValue) -> str:
    """Return data as JSON, as far as it is shown and a little more: the rest of it may be millions of lines."""
    pieces: list[str] = []
    size = 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(data):
        pieces.append(piece)
        size += len(piece)
        if size > SHOWN_CHARACTERS:
            break
    return "".join(pieces)


def task_data(outcome: Outcome) -> dict[str, JsonValue]:
    """Return one task as programs read it."""
    result = outcome.result
    return {
        "step": outcome.step,
        "title": outcome.title,
        "demand": outcome.demand,
        "state": outcome.state,
        "reason": outcome.reason,
        "node": outcome.node,
        "attempts": outcome.attempts,
        "seconds": outcome.seconds,
        "summary": result.summary if result is not None else "",
        "data": result.data if result is not None else None,
        "log": (result.log or "") if result is not None else "",
        "artifacts": [
            ref.model_dump(mode="json", exclude_none=True)
            for ref in (result.artifacts if result is not None else ())
        ],
    }
