"""Child: `python -m bench.child` reads on stdin what it is to be, says that it is ready, ends with its stdin."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from .children import READY
from .ready import Ready

Role = Callable[[dict[str, Any], asyncio.Event, Ready], Awaitable[None]]


def _role(what: str) -> Role:
    # Each loads only what it needs: the start of our own worker is one of the figures.
    if what == "node":
        from .ours_node import serve_node

        return serve_node
    from .ceiling import serve_ceiling
    from .durable_parts import serve_coordinator, serve_worker

    return {"ceiling": serve_ceiling, "worker": serve_worker, "coordinator": serve_coordinator}[what]


def _say_ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()


async def _main() -> None:
    told: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_stdin() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), on_stdin)
    await _role(str(told["what"]))(told, stop, _say_ready)


if __name__ == "__main__":
    asyncio.run(_main())
