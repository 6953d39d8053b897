"""The registry: which executor serves which capability on this machine, and what it cannot serve and why.

`offer` and `find_executor` are pure, given the executors; `load_executors` finds them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.names import GENERAL, PARENTS, ROLE_MARKS, canonical_capability
from ..errors import ConfigError, FinalError
from ..swarm.demand import AGENT_PREFIX, Demand, Offer
from ..swarm.records import QueuedTask, Result
from .executor import AgentServed, Context, Executor, Executors, Readiness, UserDefined
from .told import Told

NEEDS_MODEL = frozenset({"research", "writing"})
"""Capabilities of the guide that nothing but a language model can serve."""


NO_MODEL = "needs a model: set llm.model and its provider's key, such as ANTHROPIC_API_KEY"


def load_executors(paths: Sequence[Path] = (), told: Told | None = None) -> Executors:
    """Return every capability that some family knows, with the executor that serves it.

    A family is a module in `capabilities/families` with a function `executors(paths, told)`; where two
    serve one capability, the family that comes first by name does, and one that says `LAST` comes after all
    others. An agent stands there as `agent:NAME` too. `paths` are the user's definition files, or folders
    of them. Raises ConfigError for a definition that is wrong.
    """
    import importlib
    import pkgutil

    from . import families

    served: dict[str, Executor] = {}
    names = sorted(module.name for module in pkgutil.iter_modules(families.__path__))
    modules = [importlib.import_module(f"{families.__name__}.{name}") for name in names]
    for family in sorted(modules, key=lambda module: getattr(module, "LAST", False)):
        for executor in family.executors(paths, told or Told()):
            if isinstance(executor, AgentServed):
                served[AGENT_PREFIX + executor.agent] = executor
            for capability in executor.capabilities:
                other = served.setdefault(capability, executor)
                if other is not executor and isinstance(executor, UserDefined):
                    raise ConfigError(
                        f"{executor.described.place}: capability {capability!r} is one that picoclaw itself "
                        "serves: choose another name"
                    )
    return served


def offer(
    declared: tuple[str, ...],
    role: str,
    node: str,
    labels: Mapping[str, str],
    executors: Executors,
) -> tuple[Offer, dict[str, str]]:
    """Return what a node with these declared capabilities can serve now, and what not, with the reason.

    Names may be aliases (`audit`); the reasons are by wire name. `general` stands for every capability
    that this machine can serve now. Raises NameRefused for a name that no node can carry.
    """
    names = frozenset(canonical_capability(name) for name in declared)
    named: set[str] = set()
    not_ready: dict[str, str] = {}
    agents, absent = _agents(names, role, executors)
    for name in sorted(names - {GENERAL} - ROLE_MARKS):
        if why := missing(name, executors):
            not_ready[name] = why
        else:
            named.add(name)
    serves = set(named)
    if GENERAL in names:
        lacks = {name: missing(name, executors) for name in _capabilities(executors)}
        serves |= {name for name, why in lacks.items() if not why}
        if not serves:
            reasons = dict.fromkeys(why for why in lacks.values() if why)
            not_ready[GENERAL] = "; ".join(reasons) or "no executor on this machine serves anything"
    ready = Offer(
        node=node,
        role=role,
        capabilities=frozenset(serves),
        general=GENERAL in names,
        named=frozenset(named) | (names & ROLE_MARKS),
        labels=dict(labels),
        agents=agents,
    )
    return ready, not_ready | absent


def _capabilities(executors: Executors) -> list[str]:
    return sorted(name for name in executors if not name.startswith(AGENT_PREFIX))


def _agents(names: frozenset[str], role: str, executors: Executors) -> tuple[frozenset[str], dict[str, str]]:
    """Return the agents that a node with these capabilities serves, and those that it cannot, with why.

    It serves an agent if it is a generalist, if it has one of the agent's capabilities, or if the agent is
    defined in its own files; a coordinator that was given no capabilities serves none.
    """
    ready: set[str] = set()
    absent: dict[str, str] = {}
    if names <= ROLE_MARKS:
        return frozenset(), {}
    for name, executor in executors.items():
        if not name.startswith(AGENT_PREFIX) or not isinstance(executor, AgentServed):
            continue
        if not (GENERAL in names or names & executor.capabilities or executor.own):
            continue
        readiness = executor.readiness(name)
        if readiness.ready:
            ready.add(executor.agent)
        elif executor.own:
            absent[name] = readiness.needs
    return frozenset(ready), absent


def missing(name: str, executors: Executors) -> str:
    """Return what this machine lacks for a capability, in words; empty when it can serve it now."""
    executor = executors.get(name)
    if executor is not None:
        readiness = executor.readiness(name)
        return "" if readiness.ready else readiness.needs or "not ready"
    if name in NEEDS_MODEL:
        return NO_MODEL
    if name in PARENTS:
        return f"no analyzer for {name} in this version"
    return "no executor on this machine serves it"


def find_executor(demand: Demand, executors: Executors, capability: str | None = None) -> Executor | None:
    """Return the executor for a task with this demand, or None when this machine has none ready.

    `capability` says what is to be done where it is given. Else a demand for several capabilities goes
    to one executor that serves them all, by name before by what its own imply (`python` serves `code`),
    and one that names only a node or labels goes to this machine's executor if just one is ready. Where
    several might be meant, the executor returned refuses the task and says what to add.
    """
    if demand.agent is not None:
        agent = executors.get(AGENT_PREFIX + demand.agent)
        return agent if agent is not None and agent.readiness(AGENT_PREFIX + demand.agent).ready else None
    wanted = frozenset(demand.capabilities) if capability is None else frozenset({capability})
    ready = [executor for executor in _distinct(executors) if _serves_all(executor, wanted)]
    if not wanted:
        # An agent takes anything in words: where something else is ready, that is what is meant.
        ready = [executor for executor in ready if not isinstance(executor, AgentServed)] or ready
    if not wanted and len(ready) > 1:
        return _Unclear(f"{demand} says where, not what: add --capability NAME")
    apart = len(wanted) > 1 and all(find_executor(demand, executors, name) for name in wanted)
    if not ready and apart:
        return _Unclear(f"no one executor serves {' and '.join(sorted(wanted))}: ask for one of them")
    if not ready and demand.node is not None:
        what = capability or "any task"
        return _Unclear(f"node {demand.node} cannot do {what}: see `picoclaw describe node {demand.node}`")
    return min(ready, key=lambda executor: not wanted <= executor.capabilities, default=None)


def _distinct(executors: Executors) -> list[Executor]:
    return list({id(executor): executor for executor in executors.values()}.values())


def _serves_all(executor: Executor, wanted: frozenset[str]) -> bool:
    """Return whether it serves all that is wanted; with nothing named, whether it serves anything."""
    if not wanted:
        return any(executor.readiness(name).ready for name in executor.capabilities)
    return all(_serves_now(executor, name) for name in wanted)


@dataclass(frozen=True, slots=True)
class _Unclear:
    """Stands for the choice that cannot be made: no other node could make it either."""

    why: str
    capabilities: frozenset[str] = frozenset()

    def readiness(self, capability: str) -> Readiness:
        return Readiness(False, self.why)

    async def execute(self, task: QueuedTask, context: Context) -> Result:
        raise FinalError(self.why)


def _serves_now(executor: Executor, name: str) -> bool:
    if name in executor.capabilities:
        return executor.readiness(name).ready
    return any(PARENTS.get(own) == name and executor.readiness(own).ready for own in executor.capabilities)
