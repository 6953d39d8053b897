"""A cluster of real nats-servers for a test, whose servers can be killed, brought back, removed and added."""

import asyncio
import json
import socket
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import nats

from picoclaw.errors import SwarmTimeout
from picoclaw.swarm.streams import Limits, stream_configs
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import ApiError
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.swarm import Lab
from picoclaw.tests.support.waiting import wait_for_async

SIZE = 3
STARTED = 60.0
"""Seconds within which nodes serve on a cluster that has just started: its first node makes every stream in
three copies, each with an election of its own."""
_ACCOUNTS = """
accounts {
  SWARM { jetstream: enabled, users: [{user: swarm, password: swarm}] }
  SYS { users: [{user: admin, password: admin}] }
}
system_account: SYS
no_auth_user: swarm
"""

HID = "cluster"


class Cluster:
    """Three servers, n0 to n2, each of which knows the way to the others."""

    def __init__(self, start: StartNats, *, size: int = SIZE) -> None:
        self._start = start
        self._ports = _free_ports(size)
        self.servers: dict[str, NatsServer] = {}
        for number in range(size):
            self.add(f"n{number}")

    def add(self, name: str) -> NatsServer:
        """Start a fresh server under a name that no server of this cluster has had.

        The first ones must name no routes but their own: so many servers the cluster waits for.
        """
        assert name not in self.servers
        number = len(self.servers)
        port = self._ports[number] if number < len(self._ports) else -1
        routes = ", ".join(f"nats://127.0.0.1:{port}" for port in self._ports)
        config = (
            f"server_name: {name}\n"
            f"cluster {{ name: test, listen: 127.0.0.1:{port}, "
            f"routes: [{routes}], no_advertise: true }}\n{_ACCOUNTS}"
        )
        self.servers[name] = server = self._start(config=config)
        return server

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(server.url for server in self.servers.values())

    @property
    def running(self) -> dict[str, NatsServer]:
        return {name: server for name, server in self.servers.items() if server.running}

    @property
    def connection(self) -> tuple[str, ...]:
        """What leads a real process to all of it."""
        return ("--swarm.nats.urls", ",".join(self.urls))

    def node(self, role: str, name: str, *capabilities: str) -> tuple[str, ...]:
        """A real node that makes three copies of each stream, as `Nodes.start` takes it."""
        serves = ("--swarm.capabilities", ",".join(capabilities)) if capabilities else ()
        return (role, name, "--swarm.nats.replicas", str(SIZE), *serves)

    def lab(self, folder: Path, hid: str) -> Lab:
        """A lab whose doors know every server."""
        lab = Lab(self.urls[0], folder, hid=hid)
        lab.nats = replace(lab.nats, urls=self.urls, replicas=SIZE)
        return lab

    async def leader(self, swarm: Swarm, stream: str, timeout: float = 30.0) -> str:
        """The server that leads a stream; waits while it has no leader."""

        async def led() -> str:
            return str((await self.group(swarm, stream)).get("leader", ""))

        return await wait_for_async(led, timeout, f"a leader of {stream}")

    async def group(self, swarm: Swarm, stream: str) -> dict[str, Any]:
        """What JetStream says of the servers that hold a stream; empty while it says nothing."""
        try:
            info = await swarm.wire.api(f"STREAM.INFO.{stream}", timeout=timedelta(seconds=0.5))
        except (ApiError, SwarmTimeout):
            return {}
        group: dict[str, Any] = info.get("cluster", {})
        return group

    async def remove(self, name: str) -> None:
        """Take a server that is gone out of the cluster for good, as its operator does."""
        assert not self.servers[name].running
        answer = await self.system("$JS.API.SERVER.REMOVE", {"peer": name})
        assert answer.get("success"), answer

    async def whole(self, swarm: Swarm, timeout: float = 60.0) -> None:
        """Wait until every stream of the swarm has a leader and three copies that are up to date."""
        streams = [
            str(config["name"]) for config in stream_configs(swarm.names, replicas=SIZE, limits=Limits())
        ]

        async def current() -> bool:
            for stream in streams:
                group = await self.group(swarm, stream)
                copies = [copy for copy in group.get("replicas", ()) if copy.get("current")]
                if not group.get("leader") or len(copies) < SIZE - 1:
                    return False
            return True

        await wait_for_async(current, timeout, "three current copies of each stream")

    async def system(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask what only the system account may, of any server that runs."""
        url = next(iter(self.running.values())).url_as("admin", "admin")
        client = await asyncio.wait_for(nats.connect(url, allow_reconnect=False), 5)
        try:
            reply = await client.request(subject, json.dumps(body).encode(), timeout=10)
            answer: dict[str, Any] = json.loads(reply.data)
            return answer
        finally:
            await client.close()


def _free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
