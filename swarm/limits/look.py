"""Look at what the swarm uses of its limits."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ...errors import RecordRefused
from ..foreign import warn_foreign
from ..log import snapshot
from ..records import read_json
from ..sharing.accounts import Accounts, today
from ..sharing.spending import Spending, Sum, spent
from ..subjects import split_log_subject
from ..swarm import Swarm
from ..views.held import HeldTo
from ..wire import NOT_FOUND, ApiError
from .open_requests import count_open
from .record import SwarmLimits
from .slots import SLOT

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """How full a stream is."""

    used: int
    """Bytes."""
    size: int | None
    """Bytes; None: without a limit of its own."""
    messages: int
    age_s: float | None
    """How long it keeps a message, in seconds; None: until something else removes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InUse:
    """What the swarm uses now."""

    limits: SwarmLimits
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Capped capability to the nodes that hold a slot of it, one name per slot."""
    out: Mapping[str, int] = field(default_factory=dict)
    """Request to its tasks that are on their lanes, running or put off."""
    waiting: int = 0
    """Requests in the inbox."""
    open: int = 0
    """Requests that wait there, or were accepted and have not ended."""
    spent: Sum = field(default_factory=Sum)
    """By the agents of the H-id on this day, in UTC; what is reserved included."""
    fills: Mapping[str, Fill] = field(default_factory=dict)
    """By the limit of its size, such as `size.log`; a stream that was never made is left out."""


async def read_in_use(swarm: Swarm) -> InUse:
    """Return what the swarm uses now; raises RecordRefused for limits that cannot be read."""
    names = swarm.names
    streams = {
        "size.log": names.log,
        "size.journal": names.journal,
        "size.inbox": names.requests,
        "size.dead_letters": names.dead_letters,
        "size.events": names.events,
        "size.artifacts": f"OBJ_{names.artifacts}",
    }
    limits, slots, out, inbox, unended = await asyncio.gather(
        swarm.live.read(), _slots(swarm), tasks_out(swarm), swarm.inbox.ids(), count_open(swarm)
    )
    account = await _today(swarm)
    fills = await asyncio.gather(*(_fill(swarm, stream) for stream in streams.values()))
    return InUse(
        limits=limits,
        slots=slots,
        out=out,
        waiting=len(inbox),
        open=unended,
        spent=spent(account),
        fills={name: fill for name, fill in zip(streams, fills, strict=True) if fill is not None},
    )


async def read_held_to(swarm: Swarm) -> HeldTo:
    """Return the caps and quotas, for why a task waits; none where they cannot be read."""
    try:
        limits = await swarm.live.read()
    except RecordRefused as error:
        log.warning("the limits of the swarm cannot be read: %s", error)
        return HeldTo()
    slots = await _slots(swarm) if limits.caps else {}
    return HeldTo(
        caps=limits.caps,
        used={capability: len(nodes) for capability, nodes in slots.items()},
        request_running=limits.request_running,
        tenant_running=limits.tenant_running,
    )


async def tasks_out(swarm: Swarm) -> dict[str, int]:
    """Return, by request, how many tasks have their message in the work queue or on its schedule."""
    info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.tasks}", {"subjects_filter": ">"})
    subjects = info["state"].get("subjects") or {}
    return dict(Counter(split_log_subject(subject)[0] for subject in subjects))


async def _today(swarm: Swarm) -> Spending:
    """Return what the agents have spent on this day."""
    try:
        info = await swarm.wire.api(f"STREAM.INFO.KV_{swarm.names.spending}")
        # By the server's clock, as the nodes write it; a verb has not learnt it yet.
        day = today(datetime.fromisoformat(str(info["ts"])).timestamp())
        return (await Accounts(swarm.wire, swarm.names).read(day))[0]
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return Spending()  # nodes of an earlier version made no accounts


async def _slots(swarm: Swarm) -> dict[str, tuple[str, ...]]:
    bucket = swarm.leases
    try:
        records = await snapshot(
            swarm.wire, bucket.stream, bucket.subject(f"{SLOT}.>"), deliver="last_per_subject"
        )
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return {}
    found: dict[str, list[str]] = {}
    for followed in records:
        if not followed.data:
            continue
        try:
            record = read_json(followed.data, "the slot")
            found.setdefault(str(record["capability"]), []).append(str(record["node"]))
        except (RecordRefused, KeyError, TypeError) as error:
            warn_foreign(log, followed.subject, error)
    return {capability: tuple(sorted(nodes)) for capability, nodes in found.items()}


async def _fill(swarm: Swarm, stream: str) -> Fill | None:
    try:
        info = await swarm.wire.api(f"STREAM.INFO.{stream}")
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return None
    size, age = int(info["config"].get("max_bytes", -1)), int(info["config"].get("max_age", 0))
    return Fill(
        used=int(info["state"]["bytes"]),
        size=size if size > 0 else None,
        messages=int(info["state"]["messages"]),
        age_s=age / 1e9 if age else None,
    )
