"""The executor of agents: one task's way from its text to a result."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from pydantic import JsonValue

from ...config.settings import Settings
from ...errors import FinalError
from ...swarm.records import ArtifactRef, QueuedTask, Result
from ..executor import Context
from .approvals.handed_on import held_to
from .context import AgentContext
from .loop.answers import data_of, mismatch
from .loop.run import Ended, run
from .loop.speech import Speech
from .loop.work import Terms, take_up
from .models.chain import chain
from .models.connect import connect_models
from .models.conversation import User
from .profiles.inline import inline
from .profiles.profile import Profile
from .prompt import system_prompt, task_prompt
from .sandbox.environment import tool_environment
from .sources import sources
from .tools.bash import Bash
from .tools.tool import Alongside
from .tools.toolbox import Kit, built_in, toolbox
from .traced import agent_span
from .workspace.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentExecutor:
    """Does tasks as one agent."""

    profile: Profile
    settings: Settings

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Have the agent do a task, from where an earlier attempt stopped.

        Raises FinalError in words, ModelUnavailable when no model answers now, JobCancelled when a later
        attempt has the task.
        """
        if not isinstance(context, AgentContext):
            raise FinalError("agents work on a node of the swarm only: there is nothing here to journal in")
        schema = schema_of(task)
        models = chain(self.settings.llm, "worker", models_of(task, self.profile))
        if not models:
            raise FinalError(
                f"agent {self.profile.name} has no model: set llm.model and its provider's key, such as "
                "ANTHROPIC_API_KEY"
            )
        profile = inline(self.profile, dict(task.task.input))
        profile = replace(profile, policy=held_to(profile.policy, task))
        kit = Kit(profile=profile, settings=self.settings)
        async with AsyncExitStack() as stack:
            opened = await open_workspace(task, context)
            tools = list(toolbox(built_in(kit), profile.tools))
            for source in sources(kit):
                # Of these the profile names the servers and skills, not the tools.
                tools += toolbox(await stack.enter_async_context(source.open(kit)), profile.left)
            box = toolbox(tools)
            client = connect_models(self.settings.llm, told=await stack.enter_async_context(_Aloud(context)))
            stack.push_async_callback(client.close)
            repository = task.task.repository
            terms = Terms(
                system=system_prompt(
                    profile,
                    [spec.name for spec in box.specs],
                    repository=(repository.label or "a repository") if repository is not None else "",
                ),
                opening=User(text=task_prompt(task, schema)),
                models=models,
                schema=schema,
                max_tokens=profile.max_tokens,
                timeout=self.settings.llm.timeout,
                policy=profile.policy,
                budget=profile.budget,
            )
            work = await take_up(
                task,
                terms,
                context,
                client=client,
                box=box,
                workspace=opened,
                tariff=client.prices,
                alongside=frozenset(
                    tool.spec.name for tool in box if isinstance(tool, Alongside) and tool.alongside
                ),
            )
            with agent_span(profile.name, task.id):
                ended = await run(work, tool_environment(self.settings.agents))
            change, lost = await handed_in(opened, task)
        result = with_lost(result_of(ended, schema), lost)
        log = "; ".join(
            [result.log or "", *(tool.said for tool in box if isinstance(tool, Bash) and tool.said)]
        )
        return result.model_copy(update={"artifacts": (*change, *result.artifacts), "log": log})


async def handed_in(opened: Workspace, task: QueuedTask) -> tuple[tuple[ArtifactRef, ...], str]:
    """Store what the agent made; return in words what of it cannot be had: its answer was paid for all the same."""
    try:
        return await opened.finish(task), opened.left_behind
    except FinalError as error:
        return (), f"what it made is not handed in: {error}"


def with_lost(result: Result, lost: str) -> Result:
    """Return a result that says what is missing from it besides. Pure."""
    if not lost:
        return result
    return result.model_copy(
        update={
            "partial": "; ".join(filter(None, (result.partial, lost))),
            "summary": f"{result.summary}\n\n(partial: {lost})".strip(),
        }
    )


class _Aloud(Speech):
    """Tells whoever watches, and the log, why a model is asked again, or another one instead."""

    def __init__(self, context: AgentContext) -> None:
        async def say(lines: str) -> None:
            await context.progress("; ".join(lines.split("\n")[:-1]))

        super().__init__(say)

    def __call__(self, line: str) -> None:
        """Take one line; never blocks."""
        log.warning("%s", line)
        self.add(f"{line}\n")


def result_of(ended: Ended, schema: Mapping[str, Any] | None) -> Result:
    """Return a run's result: its answer, as data too where the task gives a schema. Pure."""
    data: JsonValue = None
    if schema is not None and not ended.partial:
        data = data_of(ended.text)
    missing = f"(partial: {ended.partial})" if ended.partial else ""
    return Result(
        summary="\n\n".join(filter(None, (ended.text.strip(), missing))),
        data=data,
        artifacts=ended.state.artifacts,
        log=in_figures(ended),
        partial=ended.partial or None,
    )


def in_figures(ended: Ended) -> str:
    """Return in one line what a run took."""
    spent, usage = ended.state.spent, ended.state.usage
    if usage.usd is not None:
        cost = f"for {usage.usd:.4f} USD"
    elif spent.usd and not spent.maybe_billed:  # what may have been billed stands there at its worst case
        cost = f"for at least {spent.usd:.4f} USD ({spent.unpriced} of them at an unknown price)"
    else:
        cost = "at an unknown price"
    lost = f", {spent.maybe_billed} more maybe billed" if spent.maybe_billed else ""
    turns = f"{ended.state.turns} turn{'s' * (ended.state.turns != 1)}"
    return (
        f"{turns} of {ended.state.model}, {usage.input} tokens read and {usage.output} written, {cost}{lost}"
    )


def schema_of(task: QueuedTask) -> dict[str, Any] | None:
    """Return the schema that a task's answer must meet. Raises FinalError for one that is none."""
    schema = task.task.input.get("schema")
    if schema is None:
        return None
    if not isinstance(schema, dict):
        raise FinalError("the task's input `schema` is no JSON Schema: give an object")
    problem = mismatch(None, schema)
    if problem.startswith("the schema itself"):
        raise FinalError(f"the task's input `schema`: {problem}")
    return dict(schema)


def models_of(task: QueuedTask, profile: Profile) -> tuple[str, ...]:
    """Return the models that a task or a profile names; empty: the node's."""
    model = task.task.input.get("model")
    return (model,) if isinstance(model, str) and model else profile.models
