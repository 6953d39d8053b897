"""Stream limits: the sizes and ages that an operator set, applied to the streams as they stand."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..streams import Limits
from ..subjects import Names
from ..swarm import Swarm
from ..wire import NOT_FOUND, ApiError
from .record import LIMITS, SwarmLimits, default, value_of

log = logging.getLogger(__name__)

_NANOS = 1_000_000_000
SET = "picoclaw-limits"
"""In a stream's metadata: which of its limits were set here, so that what is unset goes back to its default."""


@dataclass(frozen=True, slots=True)
class Adaptable:
    """Which limits one stream follows."""

    stream: str
    size: str
    age: str | None = None
    refuses: bool = False
    """Full, it refuses what is new; made smaller than what it holds, it would lose what is old."""
    fixed: Mapping[str, Any] | None = None
    """What holds in any case, whoever made it."""


def adaptable(names: Names) -> tuple[Adaptable, ...]:
    """Return the streams whose limits can be set."""
    return (
        Adaptable(names.log, "size.log", refuses=True),
        Adaptable(names.journal, "size.journal", refuses=True),
        Adaptable(names.dead_letters, "size.dead_letters", "keep.dead_letters"),
        Adaptable(names.events, "size.events", "keep.events"),
        # What a request refers to is kept as long as the request: the janitor decides, not the age.
        Adaptable(f"OBJ_{names.artifacts}", "size.artifacts", refuses=True, fixed={"max_age": 0}),
    )


def changed_config(
    one: Adaptable, config: Mapping[str, Any], used: int, record: SwarmLimits, base: Limits
) -> dict[str, Any] | None:
    """Return a stream's configuration as it is to be; None: it is so already. Pure.

    What was never set here stays as an operator made it by other means. `used`: bytes in it.
    """
    metadata = dict(config.get("metadata") or {})
    before = set(filter(None, metadata.get(SET, "").split(",")))
    new: dict[str, Any] = dict(one.fixed or {})
    now = set()
    for name, key in ((one.size, "max_bytes"), (one.age, "max_age")):
        if name is None:
            continue
        own = value_of(record, LIMITS[name])
        if own is None and name not in before:
            continue
        value = default(base, LIMITS[name]) if own is None else own
        if own is not None:
            now.add(name)
        if value is None:
            new[key] = -1
        elif isinstance(value, timedelta):
            new[key] = int(value.total_seconds() * _NANOS)
        else:
            new[key] = int(value)
    if one.refuses and 0 < new.get("max_bytes", -1) < used:
        log.warning("stream %s holds %d bytes, more than it is to: it stays as it is", one.stream, used)
        del new["max_bytes"]
        now = before
    # Of what the server remembers twice for no message longer than it keeps any.
    age = new.get("max_age", 0)
    if age and config.get("duplicate_window", 0) > age:
        new["duplicate_window"] = age
    if now:
        metadata[SET] = ",".join(sorted(now))
    else:
        metadata.pop(SET, None)
    wanted = {**config, **new, "metadata": metadata}
    return None if wanted == dict(config) | {"metadata": dict(config.get("metadata") or {})} else wanted


async def apply_limits(swarm: Swarm) -> list[str]:
    """Give every stream the size and age that were set for it; return in words what the server refused."""
    refused = []
    for one in adaptable(swarm.names):
        try:
            info = await swarm.wire.api(f"STREAM.INFO.{one.stream}")
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
            continue  # it is made with the first artifact
        wanted = changed_config(
            one, info["config"], int(info["state"]["bytes"]), swarm.live.record, swarm.live.base
        )
        if wanted is not None:
            try:
                await swarm.wire.api(f"STREAM.UPDATE.{one.stream}", wanted)
            except ApiError as error:
                refused.append(f"stream {one.stream} stays as it is: {error}")
                log.warning("%s", refused[-1])
                continue
            log.info("limits of stream %s changed", one.stream)
    return refused
