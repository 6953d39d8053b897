"""Work: what one attempt at an agent's task has in hand, and its state as the journal has it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from ....swarm.records import QueuedTask
from ....swarm.steps import Intent, Step
from ..approvals.policy import Policy
from ..budget.limits import Budget
from ..context import AgentContext, Journal
from ..models.client import ModelClient
from ..models.conversation import ToolSpec, User
from ..tools.toolbox import Toolbox
from ..workspace.workspace import Workspace
from .decide import Rules
from .size import overhead_of
from .state import State, begin, fold, fold_all

SHELL = "bash"
"""The tool whose commands have folders beside the workspace, which no other node has."""


class Tariff(Protocol):
    """What models cost and read; `models.prices.Prices` is one."""

    def worst(self, model: str, input: int, output: int) -> float | None:
        """Return the most that a turn of so many tokens can cost, in USD; None where no price is known."""
        ...

    def window(self, model: str) -> int | None:
        """Return how many tokens a model reads; None where nobody knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an agent is to do, and what it is held to."""

    system: str
    opening: User
    models: tuple[str, ...]
    """The first is asked, the others where it cannot answer."""
    schema: dict[str, Any] | None = None
    max_tokens: int = 8192
    timeout: timedelta = timedelta(minutes=5)
    """Longest silence of a model."""
    policy: Policy = field(default_factory=Policy)
    budget: Budget = field(default_factory=Budget)
    most_turns: int = 200


@dataclass(slots=True, kw_only=True)
class Work:
    """One attempt at a task."""

    task: QueuedTask
    terms: Terms
    context: AgentContext
    journal: Journal
    client: ModelClient
    box: Toolbox
    workspace: Workspace
    tariff: Tariff
    rules: Rules
    state: State
    lacking: str = ""
    """What an earlier attempt had in its folders and is not there any more, until the model is told."""

    async def write(self, step: Step) -> None:
        """Write a step down, and take it into the state."""
        await self.journal.append(step)
        self.state = fold(self.state, step)

    @property
    def next_number(self) -> int:
        return self.state.number + 1

    @property
    def wall(self) -> timedelta:
        """Return how long the task has been at it, its earlier attempts and what was between them included."""
        return self.journal.age


async def take_up(
    task: QueuedTask,
    terms: Terms,
    context: AgentContext,
    *,
    client: ModelClient,
    box: Toolbox,
    workspace: Workspace,
    tariff: Tariff,
    alongside: frozenset[str],
) -> Work:
    """Take the task's journal over, and go to where an earlier attempt stopped, files included.

    Raises JobCancelled when a later attempt has it.
    """
    journal = await context.journal()
    state = fold_all(begin(terms.opening), journal.steps)
    lacking = await workspace.restore(state.deltas)
    if any(isinstance(step, Intent) and step.name == SHELL for step in journal.steps):
        lacking = "\n".join(
            filter(None, (lacking, "the home folder and the one for temporary files are empty again"))
        )
    if lacking:
        await context.progress(lacking)
    specs: tuple[ToolSpec, ...] = box.specs
    windows = [window for model in terms.models if (window := tariff.window(model)) is not None]
    rules = Rules(
        schema=terms.schema,
        window=min(windows, default=None),
        max_tokens=terms.max_tokens,
        overhead=overhead_of(terms.system, specs),
        most_turns=terms.most_turns,
        alongside=alongside,
    )
    return Work(
        task=task,
        terms=terms,
        context=context,
        journal=journal,
        client=client,
        box=box,
        workspace=workspace,
        tariff=tariff,
        rules=rules,
        state=state,
        lacking=lacking,
    )
