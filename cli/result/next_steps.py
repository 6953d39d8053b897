"""What a request left besides its report, and what its sender may want to do now."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ..printing.output import safe

if TYPE_CHECKING:
    from ...swarm.submission import Ended
    from ...swarm.swarm import Swarm

PATCH = "changes.patch"
CODE_REVIEW = "picoclaw.code-review"


def files_left(ended: "Ended", request_id: str, saved: Sequence[Path] = ()) -> Iterator[str]:
    """Yield where the files of its tasks are, with the command for each change of a repository.

    `saved`: those that were fetched already; else it says how to fetch them.
    """
    for file in saved:
        yield f"file: {safe(str(file))}"
    for file in saved:
        if file.name == PATCH:
            yield f"apply the change: git apply {safe(quote(str(file)), 500)}"
    if not saved and any(task.get("artifacts") for task in _tasks(ended)):
        yield f"its files: picoclaw result {request_id} --artifacts DIR"


async def spent_and_left(swarm: "Swarm", ended: "Ended", request_id: str) -> list[str]:
    """Return what the models of a request took, where any was asked, and how to get its files."""
    from ...gateway.spending import request_spent, spent_words

    paid = spent_words(await request_spent(swarm, request_id))
    return [*([f"{ended.head.state}, {paid}"] if paid else []), *files_left(ended, request_id)]


def whats_next(ended: "Ended", *, local: bool) -> Iterator[str]:
    """Yield what may be typed next; of a `local` swarm also how to have one that stays."""
    if ended.head.state != "done":
        return
    if _report(ended).get("schema") == CODE_REVIEW:
        yield 'next: picoclaw run "Review this repository" --repo DIR --fail-on high   (in CI)'
    if local:
        yield "a swarm that stays: picoclaw --swarm.role coordinator --swarm.nats.embedded"
        yield "         and in a second terminal: picoclaw --swarm.role worker --swarm.nats.embedded"


def _report(ended: "Ended") -> dict[str, Any]:
    data = ended.result.data if ended.result is not None else None
    report = data.get("data") if isinstance(data, dict) else None
    return report if isinstance(report, dict) else {}


def _tasks(ended: "Ended") -> list[dict[str, Any]]:
    tasks = _report(ended).get("tasks")
    return [task for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
