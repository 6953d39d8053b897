"""Nodes and doors by the real command, on a server of the test's own, and a look into what they wrote."""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.command import Spawned, SpawnPicoclaw
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.swarm import Lab, lab_on
from picoclaw.tests.support.waiting import wait_for_async

QUICK = (
    "--swarm.nats.heartbeat_interval", "1s",
    "--swarm.nats.node_timeout", "3s",
    "--swarm.nats.ack_wait", "30s",
)  # fmt: skip
"""A death is noticed within some seconds, and not by the ack wait."""
REQUEST = r"request (r-[a-z2-7]{16})"
START = 45.0
"""Seconds until a node serves at the latest: two on a quiet machine, and many on one that is not."""


class Nodes:
    """Real processes of one swarm; `connection` is what leads each of them to it."""

    def __init__(self, spawn: SpawnPicoclaw, *connection: str) -> None:
        self._spawn = spawn
        self.connection = connection

    def begin(self, role: str, name: str, *args: str) -> Spawned:
        """Start a node without waiting for it."""
        return self._spawn(
            "--swarm.role", role, "--swarm.name", name, *QUICK, *self.connection, *args
        )  # fmt: skip

    def start(self, *nodes: Sequence[str], timeout: float = START) -> list[Spawned]:
        """Start nodes, each given as role, name and further arguments, and wait until all serve."""
        begun = [self.begin(*node) for node in nodes]
        for node in begun:
            serving(node, timeout)
        return begun

    def begin_dispatch(self, text: str, *args: str) -> Spawned:
        """Send a request, whatever comes of it."""
        return self._spawn("dispatch", text, *self.connection, *args)

    def dispatch(self, text: str, *args: str) -> tuple[Spawned, str]:
        """Send a request and stay with it; the second is its id."""
        door = self.begin_dispatch(text, *args)
        return door, door.expect(REQUEST).group(1)


def serving(node: Spawned, timeout: float = START) -> Spawned:
    """Wait until a node serves."""
    node.expect("is in swarm", timeout)
    return node


def look(url: str, hid: str, folder: Path) -> AbstractAsyncContextManager[Lab]:
    """A look into the swarm of real nodes, as somebody who is no node of it."""
    return lab_on(url, folder, hid=hid, clean=False)


async def may_judge(swarm: Swarm, node: str, *, interval: float = 1.0, node_timeout: float = 3.0) -> None:
    """Wait until a node has heard its own heartbeats for a node timeout, and so may declare others dead."""
    enough = node_timeout / interval + 2

    async def has_beaten() -> bool:
        await swarm.read_members()
        member = swarm.members.table.get(node)
        return member is not None and member.beat.beat >= enough

    await wait_for_async(has_beaten, max(30.0, node_timeout * 4), f"{enough:g} heartbeats of {node}")


def log_lines(node: Spawned) -> list[dict[str, Any]]:
    """What a node without a terminal logged: every line that it said is JSON."""
    return [json.loads(line) for line in node.lines]


def events(lines: Iterable[dict[str, Any]], event: str) -> list[dict[str, Any]]:
    """Those lines that log one event."""
    return [line for line in lines if re.search(event, str(line["event"]))]


def slow_to_review(folder: Path, files: int = 300) -> Path:
    """A clean repository whose documentation takes about a second to review, more on a busy machine."""
    function = '\n\ndef f{0}(x):\n    """Return x and {0}."""\n    return x + {0}\n'
    body = '"""Module."""\n' + "".join(function.format(number) for number in range(60))
    return make_repository(folder, {f"m{number:03}.py": body for number in range(files)})
