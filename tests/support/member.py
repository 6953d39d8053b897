"""A process that uses the shared or a private server, told what to do line by line.

python -m picoclaw.tests.support.member shared FOLDER PORT
python -m picoclaw.tests.support.member private
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from picoclaw.swarm.connection import connect
from picoclaw.swarm.embedded.private import PrivateServer
from picoclaw.swarm.embedded.shared import EmbeddedServer


class Member:
    """The test's side: start it, read its events, tell it things."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, *args: str) -> "Member":
        argv = [sys.executable, "-m", "picoclaw.tests.support.member", *args]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe))

    @property
    def pid(self) -> int:
        return self.process.pid

    async def event(self, name: str, timeout: float = 20.0) -> dict[str, Any]:
        """The next event of that name; others before it are passed over."""
        assert self.process.stdout is not None
        async with asyncio.timeout(timeout):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"member {self.pid} ended before {name!r}"
                event: dict[str, Any] = json.loads(line)
                if event["event"] == name:
                    return event
                assert event["event"] != "failed", event

    async def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        await self.process.stdin.drain()

    async def kill(self) -> None:
        """kill -9, and reap it."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


def emit(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "pid": os.getpid(), **facts}), flush=True)


async def shared(folder: Path, port: int) -> None:
    server = EmbeddedServer(home=folder, preferred_port=port)
    nats = await server.join()
    assert server.record is not None

    async def lost() -> None:
        emit("lost")

    async def back() -> None:
        assert server.record is not None
        emit("back", server=server.record.pid, port=server.record.port)

    client = await connect(
        nats,
        name="member",
        resolve=server.ensure,
        on_disconnect=lost,
        on_reconnect=back,
        on_problem=lambda problem: emit("problem", problem=problem),
    )
    stream = client.jetstream()
    await stream.add_stream(name="KEPT", subjects=["kept"])
    emit("joined", server=server.record.pid, port=server.record.port)
    async for command in lines():
        match command:
            case "put":
                await stream.publish("kept", b"message")
                emit("put")
            case "count":
                emit("count", messages=(await stream.stream_info("KEPT")).state.messages)
            case "leave":
                break
    await client.close()
    emit("left", stopped=(await server.leave()).pid)


async def private() -> None:
    server = PrivateServer()
    async with server as nats:
        emit("up", url=nats.urls[0], folder=str(server.folder))
        async for _ in lines():
            break


async def lines() -> Any:
    """Standard input, line by line, until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield line.decode().strip()


async def main() -> None:
    try:
        if sys.argv[1] == "shared":
            await shared(Path(sys.argv[2]), int(sys.argv[3]))
        else:
            await private()
    except Exception as error:
        emit("failed", error=f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    asyncio.run(main())
