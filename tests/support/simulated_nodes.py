"""Nodes that exist by their heartbeats alone: a thousand names in one process, which answer their probes.

python -m picoclaw.tests.support.simulated_nodes '{"url": ..., "hid": ..., "nodes": 1000, "interval": 1.0}'
"""

import asyncio
import json
import sys
from typing import Any

import nats
from nats.aio.msg import Msg

from picoclaw.swarm.membership.heartbeat import Heartbeat
from picoclaw.swarm.records import new_id
from picoclaw.swarm.subjects import Names


def name_of(number: int) -> str:
    return f"sim-{number}"


async def main(facts: dict[str, Any]) -> None:
    """Send heartbeats of all nodes in each interval, evenly spread; say each round on stdout."""
    names, interval, number = Names(facts["hid"]), float(facts["interval"]), int(facts["nodes"])
    runs = {name_of(i): new_id() for i in range(number)}
    by_subject = {names.probe(node): run for node, run in runs.items()}
    client = await nats.connect(facts["url"])

    async def on_probe(message: Msg) -> None:
        await message.respond(by_subject[message.subject].encode())

    for subject in by_subject:
        await client.subscribe(subject, cb=on_probe)
    await client.flush()
    loop = asyncio.get_running_loop()
    began, beat = loop.time(), 0
    while True:
        beat += 1
        for place, (node, run) in enumerate(runs.items()):
            due = began + (beat - 1 + place / number) * interval
            if place % 10 == 0 and (ahead := due - loop.time()) > 0:
                await asyncio.sleep(ahead)
            heartbeat = Heartbeat(
                node=node,
                run=run,
                role="worker",
                beat=beat,
                interval_s=interval,
                timeout_s=facts.get("timeout", 60.0),
                slots=4,
                capabilities=("code", "docs", "security", "testing"),
                general=True,
                labels={"site": "berlin"},
                started=beat * interval,
                host="nowhere",
                pid=place + 1,
                version="0",
            )
            await client.publish(names.member(node), heartbeat.to_bytes())
        await client.flush()
        print(f"round {beat}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
