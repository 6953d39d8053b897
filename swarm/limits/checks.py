"""Checks of a change of limits against what stands in the swarm now."""

from collections.abc import Mapping

from ...errors import UsageError
from ..swarm import Swarm
from .look import read_in_use
from .record import Value

KEEPS = ("size.log", "size.journal", "size.inbox", "size.artifacts")
"""Streams that refuse what is new: made smaller than what they hold, they would lose what is old."""


async def check_room(swarm: Swarm, changes: Mapping[str, Value | None]) -> None:
    """Raise UsageError for a stream that is to become smaller than what it holds."""
    sizes = {name: value for name, value in changes.items() if name in KEEPS and isinstance(value, int)}
    if sizes:
        fills = (await read_in_use(swarm)).fills
        for name, size in sizes.items():
            fill = fills.get(name)
            if fill is not None and fill.used > size * swarm.live.base.admission:
                raise UsageError(
                    f"{name}={size}: {fill.used} bytes are in use there, and above "
                    f"{swarm.live.base.admission:.0%} nothing more would go in; remove old requests first by "
                    "`picoclaw prune`, or give a larger size; nothing was changed"
                )
