"""Resolve: from what a person typed to the one request, task or node that is meant."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..config.spelling import nearest_word
from ..errors import Ambiguous, NotFound
from .look import Listed, list_requests, read_request
from .subjects import REQUEST_ID, task_id
from .swarm import Swarm
from .views.requests import RequestState

SHOWN = 5
LAST = "last"
"""Stands for the newest request that somebody asked wherever an id may stand; what agents hand on does not count."""
_TYPED = re.compile(r"[A-Za-z0-9_.-]{1,120}")


@dataclass(frozen=True, slots=True)
class Found:
    """A request, or one of its tasks."""

    state: RequestState
    step: str | None = None

    @property
    def id(self) -> str:
        return self.state.id if self.step is None else task_id(self.state.id, self.step)


def matching(typed: str, names: Iterable[str]) -> list[str]:
    """Return the name itself, else the names that begin with what was typed, in order."""
    known = list(names)
    return [typed] if typed in known else [name for name in known if name.startswith(typed)]


def the_one(typed: str, names: Collection[str], kind: str, *, hint: str) -> str:
    """Return the one name that is meant.

    Raises NotFound, with the nearest name or `hint`, and Ambiguous with up to five.
    """
    found = matching(typed, names)
    if len(found) == 1:
        return found[0]
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise Ambiguous(
            f"{typed!r} fits {len(found)} {kind}s: {', '.join(sorted(found)[:SHOWN])}{more}; type more of it"
        )
    near = nearest_word(typed, names)
    raise NotFound(f"no {kind} is called {typed[:80]!r}; {f'did you mean {near}?' if near else hint}")


async def newest(swarm: Swarm, typed: str) -> str:
    """Return what was typed, with the id of the newest request that no agent handed on where it says `last`.

    Raises NotFound.
    """
    request, dot, step = typed.strip().partition(".")
    if request.lower() != LAST:
        return typed
    listed = await list_requests(swarm)
    if not listed:
        raise NotFound(f"there is no last request: {_recent(listed)}")
    for one in listed:
        state = await read_request(swarm, one.id, priority=one.priority)
        if state is not None and (state.request is None or state.request.parent is None):
            return one.id + dot + step
    return listed[0].id + dot + step


async def resolve(swarm: Swarm, typed: str) -> Found:
    """Return the request or task that an id, a unique beginning of one, or `last` stands for.

    Raises NotFound, which names the nearest or the most recent, and Ambiguous.
    """
    wanted, dot, step = (await newest(swarm, typed)).strip().partition(".")
    wanted = wanted.lower()
    if wanted and not wanted.startswith("r-"):
        wanted = f"r-{wanted}" if wanted not in ("r",) else wanted
    state = await read_request(swarm, wanted) if REQUEST_ID.fullmatch(wanted) else None
    if state is None:
        listed = await list_requests(swarm)
        if not _TYPED.fullmatch(wanted):
            raise NotFound(f"no request is called {typed.strip()[:80]!r}; {_recent(listed)}")
        name = the_one(wanted, [one.id for one in listed], "request", hint=_recent(listed))
        state = await read_request(swarm, name)
        if state is None:
            raise NotFound(f"{name} has just been removed: its log was purged")
    if not dot:
        return Found(state)
    steps = list(state.tasks())
    if not steps:
        raise NotFound(f"{state.id} has no tasks yet: see `picoclaw describe request {state.id}`")
    hint = f"{state.id} has: {_some(steps)}"
    return Found(state, the_one(step, steps, "task", hint=hint))


async def resolve_any(swarm: Swarm, typed: str, nodes: Collection[str]) -> Found | str:
    """Return the request or task, or the name of the one of `nodes`, that was meant.

    A node's whole name goes before everything else. Raises NotFound and Ambiguous as `resolve`, and
    Ambiguous for a beginning that fits a node as well as a request.
    """
    fitting = matching(typed, nodes)
    if fitting == [typed]:
        return typed
    try:
        found = await resolve(swarm, typed)
    except NotFound as error:
        if fitting:
            return the_one(typed, nodes, "node", hint="")
        near = nearest_word(typed, nodes)
        raise NotFound(
            f"{error}; no node is called that either{f', the nearest is {near}' if near else ''}"
        ) from None
    except Ambiguous:
        if fitting:
            raise Ambiguous(
                f"{typed!r} fits several requests, and {len(fitting)} of the nodes ({', '.join(fitting[:SHOWN])}): "
                "type more of it"
            ) from None
        raise
    if fitting:
        raise Ambiguous(
            f"{typed!r} fits {found.id} as well as node {', '.join(fitting[:SHOWN])}: type more of it"
        )
    return found


def _recent(listed: Sequence[Listed]) -> str:
    if not listed:
        return "there are none yet: send one with `picoclaw dispatch`"
    return f"the most recent is {listed[0].id}; `picoclaw get requests` lists them"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
