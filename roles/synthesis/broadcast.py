"""The join of a broadcast: what each node answered, or why it did not."""

from collections.abc import Sequence

from pydantic import JsonValue

from ...swarm.demand import NODE_PREFIX
from ...swarm.records import Broadcast, Plan, Request
from .markdown import clean, count, inline
from .missing import SHOWN_TASKS, missing_section, usable
from .outcome import Outcome, in_words
from .plain import section, task_data
from .quorum import needed, too_few
from .report import Report

SCHEMA = "picoclaw.broadcast"
VERSION = 1


def join_broadcast(plan: Plan, request: Request, outcomes: Sequence[Outcome]) -> Report:
    """Join by one section per node; the nodes that did not answer are named first, with the reason.

    The report says `failed` where fewer nodes answered than the quorum.
    """
    broadcast = request.broadcast or Broadcast()
    asked, wanted = len(outcomes), needed(broadcast.quorum, len(outcomes))
    answers = [outcome for outcome in outcomes if usable(outcome)]
    silent = [_silent(outcome) for outcome in outcomes if not usable(outcome)]
    # Those that were let go as nothing depended on them any more are not why it failed.
    causes = [_silent(o) for o in sorted(outcomes, key=_let_go) if not usable(o)]
    verdict = f"{len(answers)} of {count(asked, 'node')} answered"
    quorum = f" ({wanted} {'was' if wanted == 1 else 'were'} needed)" if broadcast.quorum is not None else ""
    parts = [f"# {inline(clean(request.text, 100)) or 'Broadcast'}"]
    parts.append(f"**{verdict}{quorum}.**" if silent else f"{verdict}{quorum}.")
    if silent:
        parts.append(missing_section(silent))
    parts += [section(_node(outcome), outcome) for outcome in answers[:SHOWN_TASKS]]
    if len(answers) > SHOWN_TASKS:
        parts.append(f"… and {count(len(answers) - SHOWN_TASKS, 'more answer')} in the JSON.")
    summary = f"{verdict}; missing: {clean('; '.join(silent[:20]), 300)}" if silent else verdict
    return Report(
        markdown="\n\n".join(parts) + "\n",
        data={
            "schema": SCHEMA,
            "version": VERSION,
            "complete": not silent,
            "asked": asked,
            "answered": len(answers),
            "quorum": wanted,
            "missing": list[JsonValue](silent),
            "nodes": [{**task_data(outcome), "node": _node(outcome)} for outcome in outcomes],
        },
        partial=bool(silent),
        summary=summary,
        failed=clean(too_few(broadcast.quorum, outcomes, causes), 2000),
    )


def _node(outcome: Outcome) -> str:
    """Return the node that was asked."""
    return outcome.demand.removeprefix(NODE_PREFIX) or outcome.step


def _silent(outcome: Outcome) -> str:
    """Say which node did not answer, and why."""
    why = "it left the swarm before it answered" if outcome.unserved else in_words(outcome)
    return f"{_node(outcome)}: {why}"


def _let_go(outcome: Outcome) -> bool:
    return outcome.state == "cancelled" and outcome.reason.startswith("request:")
