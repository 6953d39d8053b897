"""The join `table`: one row per task, or per entry of a list in its result; what is missing is named first."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from ...config.spelling import did_you_mean
from ...errors import PlanError
from ...swarm.records import Plan, Request
from .markdown import clean, count, inline, table
from .missing import missing_lines, missing_section, usable
from .outcome import Outcome
from .report import Report
from .table_options import OF_TASK, ROOTS, TableOptions

SCHEMA = "picoclaw.table"
VERSION = 1
SHOWN_ROWS = 500
"""Rows that Markdown shows; the JSON has all of them."""
MAX_ROWS = 200_000
MAX_COLUMNS = 50
CELL = 200
"""Longest cell in Markdown, in characters."""

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Row:
    step: str
    cells: tuple[JsonValue, ...]


def read_options(options: JsonValue, what: str) -> TableOptions:
    """Return what a table is told; raises PlanError, which begins with the key below `what`."""
    try:
        read = TableOptions.model_validate(options if options is not None else {})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join([what, *(str(part)[:100] for part in first["loc"])])
        raise PlanError(f"key {where}: {first['msg'][:1].lower()}{first['msg'][1:]}") from None
    if not read.columns:
        raise PlanError(f"key {what}.columns: a table needs at least one column")
    if len(read.columns) > MAX_COLUMNS:
        raise PlanError(f"key {what}.columns: {len(read.columns):,} columns, {MAX_COLUMNS} are allowed")
    for name, way in read.columns.items():
        _check_way(way, f"{what}.columns.{name[:100]}", with_row=read.rows is not None)
    if read.rows is not None and read.rows.partition(".")[0] != "data":
        raise PlanError(
            f"key {what}.rows: {read.rows[:100]!r} is no list in the result: write data, or data.NAME"
        )
    for key, names in (("totals", read.totals), ("fail_on", read.fail_on)):
        for i, name in enumerate(names):
            if name not in read.columns:
                raise PlanError(
                    f"key {what}.{key}.{i}: there is no column {name[:100]!r}{did_you_mean(name, read.columns)} "
                    f"(columns: {', '.join(read.columns)})"
                )
    return read


def _check_way(way: str, key: str, *, with_row: bool) -> None:
    root, dot, rest = way.partition(".")
    if root not in ROOTS or (root in OF_TASK and dot) or (dot and not all(rest.split("."))):
        known = ROOTS if with_row else ROOTS - {"row"}
        raise PlanError(
            f"key {key}: {way[:100]!r} leads nowhere{did_you_mean(root, known)} (there is: "
            f"{', '.join(sorted(OF_TASK))}, data.NAME{', row.NAME' if with_row else ''})"
        )
    if root == "row" and not with_row:
        raise PlanError(f"key {key}: row needs `rows`, the way to the list whose entries are the rows")


def join_table(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
    """Join by a table of what the results hold; `data` has the rows as objects and each task's end."""
    options = read_options(plan.join_options, "join")
    wanted = [outcome for outcome in outcomes if _has_rows(outcome.step, options.steps)]
    missing = missing_lines(outcomes)
    done = len(outcomes) - len(missing)
    rows: list[_Row] = []
    for outcome in filter(usable, wanted):
        entries = _entries(outcome, options)
        if entries is None:
            # Nothing found and nothing said are not the same: a total over neither would look well.
            missing.append(f"{outcome.step}: its result has no list at {options.rows}")
        rows += [_row(outcome, entry, options) for entry in entries or ()]
        if len(rows) > MAX_ROWS:
            missing.append(
                f"{outcome.step}: the rows beyond {MAX_ROWS:,} of this table, and of what follows it"
            )
            del rows[MAX_ROWS:]
            break
    totals = {name: _total(rows, options, name) for name in (*options.totals, *options.fail_on)}
    failed = _failed(rows, options, totals)
    verdict = f"{count(len(rows), 'row')} from {done} of {count(len(outcomes), 'task')}"
    if options.totals:
        verdict += ": " + ", ".join(f"{_text(totals[name])} {clean(name, 40)}" for name in options.totals)
    summary = f"{verdict}; missing: {clean('; '.join(missing[:20]), 300)}" if missing else verdict
    title = clean(options.title or request.text, 100)
    parts = [
        f"# {inline(title) or 'Result'}",
        f"**{inline(verdict)}.**" if missing or failed else f"{inline(verdict)}.",
    ]
    if failed:
        parts.append(f"**Failed: {inline(failed)}.**")
    if missing:
        parts.append(missing_section(missing))
    if rows:
        parts.append(_markdown(rows, options, totals))
    return Report(
        markdown="\n\n".join(parts) + "\n",
        data={
            "schema": SCHEMA,
            "version": VERSION,
            "complete": not missing,
            "failed": failed,
            "missing": list[JsonValue](missing),
            "columns": list[JsonValue](options.columns),
            "rows": [dict(zip(options.columns, row.cells, strict=True)) for row in rows],
            "totals": {name: totals[name] for name in options.totals},
            "tasks": [_task(outcome) for outcome in outcomes],
        },
        partial=bool(missing),
        summary=summary,
        failed=failed,
    )


def _has_rows(step: str, steps: Sequence[str]) -> bool:
    stem, _, number = step.rpartition("-")
    return not steps or step in steps or (stem in steps and number.isdigit())


def _entries(outcome: Outcome, options: TableOptions) -> Sequence[JsonValue] | None:
    """Return what of a result has a row each; None where the list is not there."""
    if options.rows is None:
        return [None]
    found = _dig(outcome.result.data if outcome.result is not None else None, options.rows.split(".")[1:])
    return found if isinstance(found, list) else None


def _row(outcome: Outcome, entry: JsonValue, options: TableOptions) -> _Row:
    return _Row(outcome.step, tuple(_value(outcome, entry, way) for way in options.columns.values()))


def _value(outcome: Outcome, row: JsonValue, way: str) -> JsonValue:
    root, *rest = way.split(".")
    if root == "row":
        return _dig(row, rest)
    if root == "data":
        return _dig(outcome.result.data if outcome.result is not None else None, rest)
    if root == "summary":
        return outcome.result.summary if outcome.result is not None else ""
    value: JsonValue = getattr(outcome, root)
    return round(value, 3) if isinstance(value, float) else value


def _dig(value: JsonValue, way: Sequence[str]) -> JsonValue:
    for part in way:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and _NUMBER.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _total(rows: Sequence[_Row], options: TableOptions, name: str) -> int | float:
    at = list(options.columns).index(name)
    figures = [value for row in rows if isinstance(value := row.cells[at], int | float)]
    try:
        total = sum(figures)
    except OverflowError:  # an integer that no float holds, beside a float
        total = math.inf
    return round(total, 3) if isinstance(total, float) else total


def _failed(rows: Sequence[_Row], options: TableOptions, totals: Mapping[str, int | float]) -> str:
    """Say which columns do not add up to 0; what holds no number proves nothing, and counts as failed."""
    columns = list(options.columns)
    said: list[str] = []
    for name in options.fail_on:
        at = columns.index(name)
        without = [row.step for row in rows if not isinstance(row.cells[at], int | float)]
        if without:
            said.append(f"{clean(name, 40)} of {clean(without[0], 64)} is no number")
        elif any(row.cells[at] for row in rows):
            said.append(f"{_text(totals[name])} {clean(name, 40)}")
    return ", ".join(said)


def _markdown(rows: Sequence[_Row], options: TableOptions, totals: Mapping[str, int | float]) -> str:
    heads = list(options.columns)
    shown = rows[:SHOWN_ROWS]
    figures = frozenset(
        i
        for i in range(len(heads))
        if all(
            isinstance(row.cells[i], int | float | None) and not isinstance(row.cells[i], bool)
            for row in shown
        )
        and any(row.cells[i] is not None for row in shown)
    )
    cells = [[_cell(cell) for cell in row.cells] for row in shown]
    if options.totals:
        sums = [f"**{_text(totals[name])}**" if name in options.totals else "" for name in heads]
        if not sums[0]:
            sums[0] = "**total**"
        cells.append(sums)
    drawn = table([inline(head, 80) for head in heads], cells, right=figures)
    more = len(rows) - len(shown)
    return f"{drawn}\n\n… and {count(more, 'more row')} in the JSON." if more else drawn


def _cell(value: JsonValue) -> str:
    # A figure needs no escapes, though 1.5 could begin a list elsewhere.
    return clean(_text(value), CELL) if isinstance(value, int | float) else inline(_text(value), CELL)


def _text(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(not isinstance(entry, list | dict) for entry in value):
        return ", ".join(_text(entry) for entry in value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _task(outcome: Outcome) -> dict[str, JsonValue]:
    return {
        "step": outcome.step,
        "title": outcome.title,
        "state": outcome.state,
        "reason": outcome.reason,
        "node": outcome.node,
        "attempts": outcome.attempts,
        "seconds": outcome.seconds,
    }
