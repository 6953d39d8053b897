"""The shared server while it, and those who use it, are killed again and again."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from picoclaw.swarm.embedded.probe import free_port
from picoclaw.swarm.embedded.record import ServerRecord, read_record
from picoclaw.tests.support.member import Member
from picoclaw.tests.support.processes import processes_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(60)]


@pytest.mark.long
@pytest.mark.parametrize("rounds", [2, pytest.param(8, marks=pytest.mark.long)])
async def test_server_and_members_killed_in_turn_lose_nothing(home: Path, rounds: int) -> None:
    folder, port = home / ".picoclaw", free_port()
    dice = random.Random(4222)

    async def joined() -> Member:
        member = await Member.start("shared", str(folder), str(port))
        await member.event("joined")
        return member

    def record() -> ServerRecord:
        found = read_record(folder / "run" / "server.json")
        assert found is not None
        return found

    members = list(await asyncio.gather(*(joined() for _ in range(4))))
    try:
        for _ in range(rounds):
            await members[0].tell("put")
            await members[0].event("put")
            victim = members.pop(dice.randrange(len(members)))
            await asyncio.gather(victim.kill(), _kill(record().pid))
            back, newcomer = await asyncio.gather(
                asyncio.gather(*(member.event("back") for member in members)), joined()
            )
            members.append(newcomer)
            assert {event["server"] for event in back} == {record().pid}
        await members[0].tell("count")
        assert (await members[0].event("count"))["messages"] == rounds

        for member in members:
            await member.tell("leave")
        stopped = [(await member.event("left"))["stopped"] for member in members]
        assert sorted(pid is None for pid in stopped) == [False, True, True, True]
    finally:
        for member in members:
            await member.kill()
        for process in processes_of(home):
            process.kill()


async def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
