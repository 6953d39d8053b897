"""Cluster: three nats-servers of the bench's own, on one machine, gone with the block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from picoclaw.swarm.embedded.binary import find_server
from picoclaw.swarm.embedded.probe import free_port

SERVERS = 3
_END = 10.0


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[str, ...]]:
    """Start the servers and yield their addresses; whoever connects waits until they have a leader."""
    binary = find_server()
    clients, routes = ([free_port() for _ in range(SERVERS)] for _ in range(2))
    known = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
    servers: list[asyncio.subprocess.Process] = []
    try:
        for number, (client, route) in enumerate(zip(clients, routes, strict=True)):
            config = folder / f"n{number}.conf"
            config.write_text(
                f"server_name: n{number}\nlisten: 127.0.0.1:{client}\n"
                f'jetstream {{ store_dir: "{folder / f"n{number}"}" }}\n'
                f"cluster {{ name: bench, listen: 127.0.0.1:{route}, routes: [{known}], no_advertise: true }}\n"
            )
            with (folder / f"n{number}.log").open("wb") as log:
                servers.append(
                    await asyncio.create_subprocess_exec(
                        str(binary), "-c", str(config), stdout=log, stderr=log, start_new_session=True
                    )
                )
        yield tuple(f"nats://127.0.0.1:{port}" for port in clients)
    finally:
        await asyncio.gather(*map(_end, servers))


async def _end(server: asyncio.subprocess.Process) -> None:
    server.terminate()
    try:
        async with asyncio.timeout(_END):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()
