"""A request: its tasks, its history, why it waits."""

from typing import TYPE_CHECKING

from ..printing.forms import PRIORITIES, history_json, request_json, shown_status, task_json
from ..printing.output import age, echo, echo_json, echo_table, safe, stamp
from ..printing.planned import origin, origin_json
from .fields import NAME, REASON, TEXT, print_fields, print_history
from .policy import policy_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...swarm.records import RepositoryRef
    from ...swarm.swarm import Swarm
    from ...swarm.views.nodes import Around
    from ...swarm.views.requests import RequestState

NAMED = 10
"""Requests and keys named at most; --json has them all."""


async def describe_request(swarm: "Swarm", state: "RequestState", around: "Around", as_json: bool) -> None:
    """Print everything about a request."""
    from ...gateway.results import read_history
    from ...gateway.spending import budget_words, spent_json, spent_words, tree_spent
    from ...swarm.views.requests import request_row, task_rows

    row, tasks = request_row(state, around), task_rows(state, around)
    history = await read_history(swarm, state.id, None)
    tree = await tree_spent(swarm, state)
    if as_json:
        echo_json(
            {
                "request": request_json(row),
                "planned": origin_json(state.plan),
                "tasks": [task_json(task) for task in tasks],
                "history": [history_json(entry) for entry in history],
                "spent": spent_json(tree.spent),
                "budget": tree.limits.model_dump(exclude={"v"}) if tree.limits is not None else None,
                "shared": list(tree.shared),
                "handed_on": list(tree.requests),
                "parent": state.request.parent.task if state.request and state.request.parent else None,
            }
        )
        return
    asked = state.request
    print_fields(
        ("ID", row.id),
        ("Text", safe(row.text, TEXT)),
        ("Status", row.status),
        ("Reason", safe(row.reason, REASON)),
        ("Tasks", f"{row.done} of {'?' if row.total is None else row.total} ended"),
        ("Owner", safe(row.owner)),
        ("Priority", PRIORITIES.get(row.priority, str(row.priority))),
        ("Created", f"{stamp(row.created_at)} ({age(around.now - row.created_at)} ago)"),
        ("Sender", safe(asked.sender) if asked else ""),
        ("Repository", _repository(asked.repository) if asked else ""),
        ("Schedule", safe(asked.firing.schedule) if asked and asked.firing else ""),
        ("Retries", safe(row.retries)),
        ("Template", safe((state.plan.template if state.plan else None) or "")),
        ("Planned", origin(state.plan) if state.plan and state.plan.planning else ""),
        *policy_fields(asked),
        ("Handed on by", safe(asked.parent.task) if asked and asked.parent else ""),
        ("Handed on", safe(_some(tree.requests), TEXT)),
        ("Shared", safe(_some(tree.shared), TEXT)),
        ("Spent", spent_words(tree.spent)),
        ("Budget", budget_words(tree.limits)),
        ("Input", safe(", ".join(asked.input), TEXT) if asked else ""),
    )
    if tasks:
        echo("\nTasks:")
        echo_table(
            ("  STEP", "CAPABILITY", "NODE", "STATUS", "ATTEMPT", "AGE", "REASON"),
            (
                (
                    f"  {safe(one.step)}",
                    safe(one.capability, NAME) or "-",
                    safe(one.node, NAME) or "-",
                    shown_status(one),
                    str(one.attempt or "-"),
                    age(around.now - one.changed_at),
                    safe(one.reason, REASON),
                )
                for one in tasks
            ),
        )
    print_history(history, steps=True)
    if row.state == "done":
        echo(f"\nIts report: picoclaw result {row.id}")
    if row.state == "failed" or row.status == "done(partial)":
        echo(f"\nRun again what did not finish: picoclaw retry {row.id}")


def _some(names: "Sequence[str]") -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _repository(ref: "RepositoryRef | None") -> str:
    if ref is None:
        return ""
    from ...config.urls import redact_url

    label = ref.label or redact_url(ref.url or "")
    return safe(f"{label} at {ref.commit[:12]}" if ref.commit else label, TEXT)
