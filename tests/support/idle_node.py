"""A node process as `picoclaw down` sees one: on this machine's list, and gone after SIGTERM.

python -m picoclaw.tests.support.idle_node FOLDER NAME [stubborn]
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from picoclaw.swarm.embedded.rundir import register_node
from picoclaw.swarm.embedded.shared import EmbeddedServer


async def main(folder: Path, name: str, stubborn: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if stubborn else stop.set)
    server = EmbeddedServer(home=folder)
    await server.join()
    with register_node(folder / "run", name, "worker", os.getpid()):
        print("ready", flush=True)
        await stop.wait()
    await server.leave()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:] == ["stubborn"]))
