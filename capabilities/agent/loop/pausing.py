"""Pausing: between two steps an agent waits as long as somebody holds its request."""

from ....swarm.steps import Note
from .clean import plain
from .work import Work


async def wait_while_paused(work: Work) -> None:
    """Return at once unless somebody holds the request; else once nobody does. The journal says both."""
    why = await work.context.pauses.held()
    if not why:
        return
    await work.write(Note(what="paused", body={"why": plain(why)[:500]}))
    await work.context.progress(why)
    await work.context.pauses.wait()
    await work.write(Note(what="resumed"))
    await work.context.progress("goes on")
