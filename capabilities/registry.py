"""The registry: which executor serves which capability on this machine, and what it cannot serve and why.

`offer` and `find_executor` are pure, given the executors; `load_executors` finds them.
"""

from collections.abc import Mapping

from ..config.names import GENERAL, PARENTS, ROLE_MARKS, canonical_capability
from ..swarm.demand import Demand, Offer
from .executor import Executor, Executors

NEEDS_MODEL = frozenset({"research", "writing"})
"""Capabilities of the guide that nothing but a language model can serve."""


def load_executors() -> Executors:
    """Return every capability that some family knows, with the executor that serves it.

    A family is a module in `capabilities/families` with a function `executors()`; where two serve one
    capability, the family that comes first by name does.
    """
    import importlib
    import pkgutil

    from . import families

    served: dict[str, Executor] = {}
    for module in sorted(pkgutil.iter_modules(families.__path__), key=lambda found: found.name):
        family = importlib.import_module(f"{families.__name__}.{module.name}")
        for executor in family.executors():
            for capability in executor.capabilities:
                served.setdefault(capability, executor)
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
    for name in sorted(names - {GENERAL} - ROLE_MARKS):
        if why := _missing(name, executors):
            not_ready[name] = why
        else:
            named.add(name)
    serves = set(named)
    if GENERAL in names:
        missing = {name: _missing(name, executors) for name in sorted(executors)}
        serves |= {name for name, why in missing.items() if not why}
        if not serves:
            reasons = dict.fromkeys(why for why in missing.values() if why)
            not_ready[GENERAL] = "; ".join(reasons) or "no executor on this machine serves anything"
    ready = Offer(
        node=node,
        role=role,
        capabilities=frozenset(serves),
        general=GENERAL in names,
        named=frozenset(named) | (names & ROLE_MARKS),
        labels=dict(labels),
    )
    return ready, not_ready


def _missing(name: str, executors: Executors) -> str:
    """Return what this machine lacks for a capability, in words; empty when it can serve it now."""
    executor = executors.get(name)
    if executor is not None:
        readiness = executor.readiness(name)
        return "" if readiness.ready else readiness.needs or "not ready"
    if name in NEEDS_MODEL:
        return "needs a model"
    if name in PARENTS:
        return f"no analyzer for {name} in this version"
    return "no executor on this machine serves it"


def find_executor(demand: Demand, executors: Executors) -> Executor | None:
    """Return the executor for a task with this demand, or None when this machine has none ready.

    A demand for several capabilities goes to one executor that serves them all, by name before by what
    its own imply (`python` serves `code`). One that names only a node or labels says nothing of what is
    to be done: it goes to this machine's executor if there is just one that is ready.
    """
    wanted = frozenset(demand.capabilities)
    ready = [
        executor
        for executor in {id(executor): executor for executor in executors.values()}.values()
        if all(_serves_now(executor, name) for name in wanted or executor.capabilities)
    ]
    if not wanted and len(ready) > 1:
        return None
    return min(ready, key=lambda executor: not wanted <= executor.capabilities, default=None)


def _serves_now(executor: Executor, name: str) -> bool:
    if name in executor.capabilities:
        return executor.readiness(name).ready
    return any(PARENTS.get(own) == name and executor.readiness(own).ready for own in executor.capabilities)
