"""Blackboard and mail of one job; satisfy the protocols of `capabilities.agent.context`."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from pydantic import JsonValue

from ...capabilities.agent.context import Letter
from ...errors import UsageError
from ...swarm.demand import Demand, parse_demand
from ...swarm.records import QueuedTask
from ...swarm.sharing.blackboard import Board
from ...swarm.sharing.post import Address, Post, PostOffice, letter_id, read_address
from ...swarm.swarm import Swarm

MOST_SENT = 100
"""Messages that one attempt at a task may send."""


@dataclass(slots=True)
class JobBlackboard:
    """The request's blackboard, as one task writes to it."""

    swarm: Swarm
    queued: QueuedTask

    async def share(self, key: str, value: JsonValue, *, call: str) -> None:
        """Put a value there; raises UsageError."""
        name = f"{self.queued.task.step}/{call}"
        await self._board().share(key, value, by=self.queued.id, call=name)

    async def recall(self, key: str | None = None) -> dict[str, JsonValue]:
        """Return one key's value, or all."""
        return await self._board().recall(key)

    def _board(self) -> Board:
        swarm = self.swarm
        return Board(swarm.wire, swarm.names, swarm.artifacts, self.queued.request)


@dataclass(slots=True)
class JobMail:
    """The mail of one task: to it, and to the agent and the node that do it."""

    swarm: Swarm
    queued: QueuedTask
    _sent: set[str] = field(default_factory=set)

    async def send(self, to: str, text: str, *, key: str) -> str:
        """Send a message; raises UsageError, NameRefused."""
        self._sent.add(key)
        if len(self._sent) > MOST_SENT:
            raise UsageError(f"this task has sent {MOST_SENT} messages, which is enough: go on without")
        post = Post(
            id=letter_id(f"{self.queued.id}/{key}"), to=to, sender=self.queued.id, text=text, at=time.time()
        )
        return await deliver(self.swarm, post)

    async def receive(self, told: Collection[str]) -> tuple[Letter, ...]:
        """Return what came for this task."""
        swarm = self.swarm
        boxes = [Address("task", self.queued.id), Address("node", swarm.me.node)]
        agent = agent_of(self.queued)
        if agent is not None:
            boxes.append(Address("agent", agent))
        posts = await PostOffice(swarm.wire, swarm.names).receive(self.queued.id, boxes, told)
        return tuple(Letter(id=post.id, sender=post.sender, text=post.text) for post in posts)


def agent_of(queued: QueuedTask) -> str | None:
    """Return the agent that a task was put to by name."""
    return parse_demand(queued.lane or queued.task.demand).agent


async def deliver(swarm: Swarm, post: Post) -> str:
    """Send a message from wherever; return in words who gets it.

    Raises UsageError for an address that nobody can have, NameRefused.
    """
    to = read_address(post.to)
    words = await _who(swarm, to)
    fresh = await PostOffice(swarm.wire, swarm.names).send(post, to)
    return words if fresh else f"sent before: {words}"


async def _who(swarm: Swarm, to: Address) -> str:
    """Return in words who gets a message; raises UsageError where nobody can."""
    kept = "it is kept for a day"
    if to.kind == "task":
        request, _, step = to.name.partition(".")
        head = await swarm.log.head(request, step)
        if head.terminal:
            raise UsageError(f"{to.name} has ended ({head.state}): nobody there reads messages any more")
        if not head.seq and step not in await _planned(swarm, request):
            raise UsageError(
                f"there is no task {to.name}: `picoclaw describe request {request}` shows the tasks there are"
            )
        running = head.state == "running"
        return f"{to.name} is told" if running else f"{to.name} is told once it runs ({head.state} now)"
    living = swarm.members.living()
    if to.kind == "node":
        if any(member.beat.node == to.name for member in living):
            return f"the next agent on node {to.name} is told"
        return f"no node {to.name} is there now: {kept}"
    if swarm.members.slots_for(Demand(agent=to.name)):
        return f"the next task of agent {to.name} is told"
    return f"no node serves agent {to.name} now: {kept}"


async def _planned(swarm: Swarm, request: str) -> set[str]:
    """Return the steps of a request whose plan is known."""
    from ...swarm.look import read_request

    state = await read_request(swarm, request)
    return set() if state is None else set(state.tasks())
