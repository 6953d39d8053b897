"""Offering: what a node can do right now, and what it declared and cannot do, with the reason. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..capabilities.executor import Executor, Executors, OfAProgram, UserDefined
from ..capabilities.registry import find_executor, missing, offer
from ..config.names import ROLE_MARKS, canonical_capability
from ..config.settings import SwarmSettings
from ..errors import ConfigError
from ..swarm.demand import Offer, parse_demand
from ..swarm.membership.heartbeat import Advert
from ..swarm.records import QueuedTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """One look at a machine, as a node of it sees it."""

    executors: Executors
    offer: Offer
    not_ready: Mapping[str, str]
    """Declared or defined capabilities that cannot be served now, with what they need."""
    marks: tuple[str, ...]

    def find(self, queued: QueuedTask) -> Executor | None:
        """Return the executor for a task, or None when this machine has none ready."""
        task = queued.task
        return find_executor(parse_demand(task.demand), self.executors, task.capability)

    def can_run(self, demand: str, capability: str | None = None) -> bool:
        """Return whether this node has an executor for a demand."""
        return find_executor(parse_demand(demand), self.executors, capability) is not None

    def advertised_by(self, advert: Advert) -> Advert:
        """Return a node's advert with what it can do now."""
        return replace(
            advert,
            capabilities=tuple(sorted(self.offer.capabilities)),
            named=tuple(sorted(self.offer.named)),
            marks=self.marks,
            general=self.offer.general,
            not_ready=dict(self.not_ready),
            agents=tuple(sorted(self.offer.agents)),
            optional=self._optional(),
        )

    def _optional(self) -> dict[str, str]:
        """Return the programs of others that would be agents here, with what they need."""
        if not self.offer.general:
            return {}
        programs = [
            (name, executor) for name, executor in self.executors.items() if isinstance(executor, OfAProgram)
        ]
        found = {executor.program: executor.readiness(name) for name, executor in sorted(programs)}
        return {program: look.needs for program, look in found.items() if not look.ready}

    def check_strict(self, settings: SwarmSettings) -> None:
        """Raise ConfigError where `strict` is set and a declared capability is not ready."""
        declared = {canonical_capability(name) for name in settings.capabilities}
        lacking = {name: why for name, why in self.not_ready.items() if name in declared}
        if lacking and settings.strict:
            named = "; ".join(f"{name}: {why}" for name, why in lacking.items())
            raise ConfigError(
                f"--swarm.strict: declared capabilities are not ready ({named}): install what they need, "
                "or leave them out of --swarm.capabilities"
            )


def make_offering(
    settings: SwarmSettings, node: str, executors: Executors, *, capabilities_given: bool
) -> Offering:
    """Return what a node with these settings can do with these executors.

    A coordinator serves tasks only when its user named capabilities. Raises NameRefused.
    """
    declared = settings.capabilities
    if settings.role == "coordinator" and not capabilities_given:
        declared = tuple(sorted(ROLE_MARKS))
    ready, not_ready = offer(declared, settings.role, node, settings.labels, executors)
    if ready.general:
        # What the user defined is to be served here; of all else that this machine lacks nobody spoke.
        defined = sorted(name for name, executor in executors.items() if isinstance(executor, UserDefined))
        lacks = {name: why for name in defined if (why := missing(name, executors))}
        not_ready = lacks | not_ready
    marks = tuple(sorted(ROLE_MARKS & {canonical_capability(name) for name in declared}))
    return Offering(executors=executors, offer=ready, not_ready=not_ready, marks=marks)


def changes(before: Offering, after: Offering) -> tuple[str, ...]:
    """Return in words what came and what went between two looks, one line each."""
    came = sorted(after.offer.capabilities - before.offer.capabilities)
    went = sorted(before.offer.capabilities - after.offer.capabilities)
    lines = [f"serves {', '.join(came)} from now on"] if came else []
    lines += [f"agent {name} is ready" for name in sorted(after.offer.agents - before.offer.agents)]
    lines += [f"agent {name} is served no more" for name in sorted(before.offer.agents - after.offer.agents)]
    for name in went:
        why = after.not_ready.get(name)
        lines.append(f"no longer serves {name}" + (f": {why}" if why else ""))
    lines += [
        f"declared, not ready: {name}: {why}"
        for name, why in after.not_ready.items()
        if name not in went and before.not_ready.get(name) != why
    ]
    return tuple(lines)
