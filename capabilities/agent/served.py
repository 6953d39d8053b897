"""Served: one profile as an executor of this node, ready where its models can be asked."""

import os
from dataclasses import dataclass

from ...swarm.records import QueuedTask, Result
from ..executor import Context, Readiness
from ..told import Told
from .models.chain import chain
from .models.named import readiness as model_readiness
from .profiles.built_in import PLACE
from .profiles.profile import Profile
from .skills.adverts import SkillAdverts


@dataclass(frozen=True, slots=True)
class ProfileExecutor:
    """Serves an agent: the lane `agent:NAME`, and the capabilities that its profile names."""

    profile: Profile
    told: Told
    adverts: SkillAdverts | None = None
    """What its skills let the node offer besides."""

    @property
    def agent(self) -> str:
        return self.profile.name

    @property
    def own(self) -> bool:
        """Whether a file of this machine defines it."""
        return ":" in self.profile.place

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset(self.profile.capabilities) | self._of_skills

    @property
    def _of_skills(self) -> frozenset[str]:
        if self.adverts is None:
            return frozenset()
        if self.profile.place == PLACE:
            # Nobody chose its skills: those that are not ready are none of its user's business.
            return self.adverts.capabilities(self.profile.skills, ready=True) if self.models else frozenset()
        return self.adverts.capabilities(self.profile.skills)

    @property
    def models(self) -> tuple[str, ...]:
        """Its models, or the node's; empty: there is none."""
        return chain(self.told.settings.llm, own=self.profile.models)

    def readiness(self, capability: str) -> Readiness:
        """Return whether one of its models can be asked from here, and its skill is ready; no network."""
        if self.adverts is not None and capability not in self.profile.capabilities:
            lacking = self.adverts.lacking(capability, self.profile.skills)
            if lacking:
                return Readiness(False, lacking)
        refused = dict(self.told.refused)
        reasons: dict[str, None] = {}
        for model in self.models:
            if why := refused.get(model, ""):
                reasons[why] = None
                continue
            found = model_readiness(model, self.told.settings.llm, os.environ)
            if found.ready:
                return Readiness(True)
            reasons[found.why] = None
        if not self.models:
            return Readiness(
                False, "needs a model: set llm.model and its provider's key, such as ANTHROPIC_API_KEY"
            )
        return Readiness(False, "; ".join(reasons))

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        """Have the agent do the task."""
        from .executor import AgentExecutor

        return await AgentExecutor(self.profile, self.told.settings).execute(task, context)
