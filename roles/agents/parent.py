"""Parent: a request that an agent's task handed on ends when that task has ended, whoever looks after both."""

from ...swarm.entries import Cancelling
from ...swarm.subjects import split_task_id
from ..ledger import Ledger


async def end_with_parent(ledger: Ledger) -> None:
    """Ask for the end of a request whose parent has ended, so that nobody works for nobody.

    Raises SwarmTimeout and what appending raises; ask again later.
    """
    parent, head = ledger.request.parent, ledger.head
    if parent is None or head.cancelling or head.terminal:
        return
    above = await ledger.swarm.log.head(*split_task_id(parent.task))
    if above.seq and not above.terminal:
        return
    how = f"has ended ({above.state})" if above.seq else "is not there any more"
    me = ledger.swarm.me
    await ledger.append_request(
        Cancelling(
            by=me.node, why=f"task {parent.task}, which handed it on, {how}", owner=me.node, run=me.run
        )
    )
