"""What a request or task brought, and what happened to it, read from the log."""

from typing import TYPE_CHECKING

from ..swarm.bodies import unpack_result
from ..swarm.entries import Cancelled, Done, Entry, Failed
from ..swarm.fold import TaskHead
from ..swarm.log import decode
from ..swarm.subjects import REQUEST_STEP, split_log_subject
from ..swarm.views.history import HistoryRow, history_row

if TYPE_CHECKING:
    from ..swarm.records import Result
    from ..swarm.resolve import Found
    from ..swarm.swarm import Swarm


async def read_result(swarm: "Swarm", found: "Found") -> "tuple[str, str, Result | None]":
    """Return the state of a request or task, its reason and its result, whole, if it has one."""
    head = found.state.head if found.step is None else found.state.heads.get(found.step, TaskHead())
    if head.terminal:
        async for followed in swarm.log.history(found.state.id, found.step or REQUEST_STEP):
            brought = _result_of(decode(followed))
            if brought is not None:
                # The first terminal entry wins.
                return head.state, head.reason, await unpack_result(brought, swarm.artifacts)
    return head.state, head.reason, None


async def read_history(swarm: "Swarm", request: str, step: str | None = None) -> list[HistoryRow]:
    """Return what happened to a request, or to one of its tasks, in order."""
    rows = []
    async for followed in swarm.log.history(request, step):
        _, of = split_log_subject(followed.subject)
        named = "" if of == REQUEST_STEP else of
        rows.append(history_row(decode(followed), seq=followed.seq, at=followed.at, step=named))
    return rows


def _result_of(entry: "Entry | None") -> "Result | None":
    return entry.result if isinstance(entry, Done | Failed | Cancelled) else None
