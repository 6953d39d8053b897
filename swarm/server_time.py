"""The server's time, for whoever only looks."""

from datetime import datetime

from .swarm import Swarm


async def server_time(swarm: Swarm) -> float:
    """Return the server's time, in seconds since the epoch."""
    if not swarm.members.server.known:
        info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.log}")
        swarm.members.server.learn(datetime.fromisoformat(str(info["ts"])).timestamp())
    return swarm.members.server.now()
