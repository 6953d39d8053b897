"""What an agent's job may ask of its node, beyond what every job may."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from pydantic import JsonValue

from ...swarm.records import Result
from ...swarm.steps import Step
from ..executor import Context
from .approvals.asking import Answer, Asking
from .approvals.policy import Policy
from .budget.account import Breach, Estimate, Granted, Holder, Spent
from .budget.limits import Budget


class Journal(Protocol):
    """The task's journal, which this attempt alone writes to."""

    @property
    def steps(self) -> Sequence[Step]:
        """Every step so far, those of earlier attempts first, with their bodies unpacked."""
        ...

    @property
    def age(self) -> timedelta:
        """How long ago the first attempt took the task over; no node's clock has a part in it."""
        ...

    async def append(self, step: Step) -> None:
        """Write a step down; bodies that are too large become artifacts.

        Raises JobCancelled when a later attempt has taken the task over.
        """
        ...


class Blackboard(Protocol):
    """What the tasks of one request share."""

    async def share(self, key: str, value: JsonValue, *, call: str) -> None:
        """Put a value there, over an earlier one; the same call again changes nothing.

        Raises UsageError for a key or value that is too large, or one key too many.
        """
        ...

    async def recall(self, key: str | None = None) -> dict[str, JsonValue]:
        """Return one key's value, or all; empty where nobody shared it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to this task."""

    id: str
    """By it the loop knows, from its notes `told`, what it has been told already."""
    sender: str
    """A task's id, or `person`."""
    text: str


class Mail(Protocol):
    """Messages between agents; each is read once, by one task."""

    async def send(self, to: str, text: str, *, key: str) -> str:
        """Send to `agent:NAME`, `node:NAME` or a task id; sending a key again is sending it once.

        Return in words who gets it. Raises UsageError for an address that nobody can have, a text that
        is too long, and a mailbox that is full.
        """
        ...

    async def receive(self, told: Collection[str]) -> tuple[Letter, ...]:
        """Return what came for this task, at most a few at once, without what `told` names by id.

        What `told` names is removed: the journal has it.
        """
        ...


class Purse(Protocol):
    """The accounts that pay for this task: its own, those that it was delegated from, the request's tree, the tenant."""

    async def reserve(self, estimate: Estimate, mine: Holder, *, asking: bool = True) -> Granted | Breach:
        """Reserve a turn's worst case everywhere, before its intent is written.

        `mine`: this task's own budget and what its journal says it spent; that settles what was reserved
        before. `asking`: as for `budget.account.grant`. Raises JobCancelled when a later attempt has the task.
        """
        ...

    async def settle(self, total: Spent, *, ended: bool = False) -> None:
        """Replace what is reserved by what the journal says was spent; `ended`: no turn follows."""
        ...

    async def allow(self, breach: Breach) -> None:
        """Let an account above this task have as much again as it had at first: somebody said so."""
        ...


class Delegation(Protocol):
    """Work that an agent hands to the swarm."""

    def like_mine(self, agent: str) -> str:
        """Return the demand of nodes that run agents like this one, whose profile is called `agent`."""
        ...

    async def ask(
        self,
        text: str,
        *,
        demand: str,
        key: str,
        input: dict[str, JsonValue],
        timeout: timedelta,
        budget: Budget,
        policy: Policy,
    ) -> Result:
        """Put a request on the swarm and wait for its end; the same key is the same request.

        `demand` empty: a coordinator plans it. It counts on `budget`, this task's own, too, and is held to `policy`, this agent's own. Raises FinalError in words when it does not end done, and
        UsageError when its depth or width is over the limit.
        """
        ...


class Approvals(Protocol):
    """Questions that a person has to answer; they and their answers outlive every process."""

    async def ask(self, asking: Asking) -> Answer:
        """Ask, and wait for the answer; the same question again is the same one, answered once.

        Unanswered when it expires, it is denied. Cancelling the wait leaves the question open: whoever
        takes the task over asks again and meets the answer.
        """
        ...


class Pauses(Protocol):
    """Whether somebody holds the request of this task."""

    async def held(self) -> str:
        """Return in words who does, or holds what it is a part of, why, and how it goes on; empty: nobody."""
        ...

    async def wait(self) -> None:
        """Wait until nobody does; the task holds no slot meanwhile."""
        ...


@runtime_checkable
class AgentContext(Context, Protocol):
    """The context of an agent's job."""

    async def journal(self) -> Journal:
        """Take the task's journal over for this attempt, and return it; the same one each time."""
        ...

    async def say(self, text: str) -> None:
        """Stream a piece of an answer to whoever watches; may be lost, never decides anything."""
        ...

    @property
    def blackboard(self) -> Blackboard: ...

    @property
    def mail(self) -> Mail: ...

    @property
    def delegation(self) -> Delegation: ...

    @property
    def purse(self) -> Purse: ...

    @property
    def approvals(self) -> Approvals: ...

    @property
    def pauses(self) -> Pauses: ...

    @property
    def draining(self) -> bool:
        """Whether the job is ended because its node is: it goes on elsewhere, and may still write down how
        far it came."""
        ...
