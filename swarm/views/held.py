"""What holds work back although nodes could do it: caps and quotas of the whole swarm. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTo:
    """What an operator holds the swarm to, and what is used of it."""

    caps: Mapping[str, int] = field(default_factory=dict)
    """Capability to the most jobs of it at once."""
    used: Mapping[str, int] = field(default_factory=dict)
    """Capability to the slots of it that are held, where that was asked."""
    request_running: int | None = None
    tenant_running: int | None = None


def why_capped(capabilities: Iterable[str], held: HeldTo) -> str:
    """Return why a cap keeps tasks with these capabilities from running; empty: none does."""
    for name in capabilities:
        cap = held.caps.get(name)
        if cap == 0:
            return f"the cap of {name} is 0: it is paused until `picoclaw limits set cap.{name}=…`"
        if cap is not None and held.used.get(name, 0) >= cap:
            return f"the cap of {name} is {cap}, and so many run in the swarm"
    return ""


def why_over_quota(out: int, held: HeldTo) -> str:
    """Return which quota may keep the planned tasks of a request that has `out` at work; empty: none."""
    if held.request_running is not None and out >= held.request_running:
        return f"waits for one of its {out} tasks at work to end: request.running is {held.request_running}"
    if held.tenant_running is not None:
        return f"waits for room in its lane, or in tenant.running={held.tenant_running}"
    return ""
