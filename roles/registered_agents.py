"""The registry's agents in a node: followed, and joined by what the node's own files define."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..capabilities.executor import Executors
from ..errors import PicoclawError
from ..swarm.agents.record import AgentRecord
from ..swarm.agents.store import AgentRegistry
from ..swarm.swarm import Swarm

log = logging.getLogger(__name__)


@dataclass(slots=True)
class RegisteredAgents:
    """What the registry held at the last look; empty until the node has joined."""

    records: tuple[AgentRecord, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """Models whose provider refused this node's key, each with what it said."""
    _told: set[str] = field(default_factory=set)

    @property
    def version(self) -> object:
        """Differs whenever what it holds does."""
        return self.records, self.refused

    async def follow(self, swarm: Swarm) -> AgentRegistry:
        """Keep current with the registry as long as the swarm is open."""
        registry = AgentRegistry(swarm)

        def take() -> None:
            agents: Mapping[str, AgentRecord] = registry.agents
            self.records = tuple(sorted(agents.values(), key=lambda record: record.name))

        registry.on_change(take)
        await registry.follow()
        take()
        return registry

    async def register(self, registry: AgentRegistry, executors: Executors, *, by: str) -> None:
        """Register the agents of the node's own files under whose names the registry has none."""
        from ..capabilities.agent.profiles.registered import to_record
        from ..capabilities.agent.served import ProfileExecutor

        for executor in {id(one): one for one in executors.values()}.values():
            if not isinstance(executor, ProfileExecutor) or not executor.own:
                continue
            profile = executor.profile
            try:
                there = await registry.register(to_record(profile), by=by)
            except PicoclawError as error:
                log.warning("agent %s of %s is not registered: %s", profile.name, profile.place, error)
                continue
            if there == "new":
                log.info("agent %s of %s is registered in the swarm", profile.name, profile.place)
            elif there == "another" and profile.name not in self._told:
                self._told.add(profile.name)
                log.warning(
                    "agent %s: the swarm's registry has another one; on this node the one of %s holds",
                    profile.name,
                    profile.place,
                )
