"""Agents in tests: a profile, tools that keep a record of their uses, and an executor that has them."""

from dataclasses import dataclass
from typing import Any

import pytest

from picoclaw.capabilities.agent.executor import AgentExecutor
from picoclaw.capabilities.agent.profiles.profile import Profile
from picoclaw.capabilities.executor import Context, Readiness
from picoclaw.config.settings import LlmSettings, Settings
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.tests.support.fake_llm import KEY, FakeLlm

MODEL = "anthropic/claude-fake"


def settings_for(llm: FakeLlm, monkeypatch: pytest.MonkeyPatch, **given: Any) -> Settings:
    """Settings of a node whose model is the fake one; the key is in the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return Settings(llm=LlmSettings(model=MODEL, base_url=llm.url, retries=0, **given))


@dataclass(slots=True)
class Serves:
    """An agent as the executor of capabilities by name."""

    agent: AgentExecutor
    names: frozenset[str] = frozenset({"noop"})

    @property
    def capabilities(self) -> frozenset[str]:
        return self.names

    def readiness(self, capability: str) -> Readiness:
        return Readiness(True)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        return await self.agent.execute(task, context)


def agent(settings: Settings, **profile: Any) -> dict[str, Serves]:
    """Executors of a node that has one agent, which serves `noop`."""
    return {"noop": Serves(AgentExecutor(Profile(name="tester", **profile), settings))}
