"""What a swarm uses: memory and file handles of its processes, consumers and sizes of its streams."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from picoclaw.swarm.subjects import Names
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import ApiError


@dataclass(frozen=True, slots=True)
class Used:
    """One look; memory in MB."""

    memory: Mapping[str, float]
    handles: Mapping[str, int]
    children: Mapping[str, int]
    consumers: Mapping[str, int]
    messages: Mapping[str, int]


def streams_of(names: Names) -> dict[str, str]:
    """The streams of an H-id, by the names that people know."""
    return {
        "log": names.log,
        "tasks": names.tasks,
        "requests": names.requests,
        "members": names.members,
        "leases": f"KV_{names.leases}",
        "lanes": f"KV_{names.lanes}",
        "artifacts": f"OBJ_{names.artifacts}",
    }


async def look_at(swarm: Swarm, processes: Mapping[str, int]) -> Used:
    """Look at processes, by name and process id, and at every stream."""
    theirs = {name: psutil.Process(pid) for name, pid in processes.items()}
    consumers, messages = {}, {}
    for name, stream in streams_of(swarm.names).items():
        try:
            state = (await swarm.wire.api(f"STREAM.INFO.{stream}"))["state"]
        except ApiError:
            state = {}  # it is made with what first goes into it
        consumers[name] = int(state.get("consumer_count", 0))
        messages[name] = int(state.get("messages", 0))
    return Used(
        memory={name: process.memory_info().rss / 1e6 for name, process in theirs.items()},
        handles={name: process.num_fds() for name, process in theirs.items()},
        children={name: len(process.children(recursive=True)) for name, process in theirs.items()},
        consumers=consumers,
        messages=messages,
    )


def rows(before: Used, after: Used) -> list[str]:
    """A table of both."""
    lines = [f"{'what':34}{'began':>10}{'ended':>10}"]
    for title, one, two in (
        ("memory, MB", before.memory, after.memory),
        ("file handles", before.handles, after.handles),
        ("child processes", before.children, after.children),
        ("consumers", before.consumers, after.consumers),
        ("messages", before.messages, after.messages),
    ):
        lines += [f"{title + ' of ' + name:34}{one[name]:>10.0f}{two[name]:>10.0f}" for name in one]
    return lines


def leaks(before: Used, after: Used) -> list[str]:
    """What did not come back to where it began, in words; memory may keep a working set."""
    found = [
        f"memory of {name}: {was:.0f} MB, then {after.memory[name]:.0f} MB"
        for name, was in before.memory.items()
        if after.memory[name] > 1.3 * was + 30
    ]
    for title, one, two, more in (
        ("file handles", before.handles, after.handles, 4),
        ("child processes", before.children, after.children, 0),
        ("consumers", before.consumers, after.consumers, 2),
        ("messages", before.messages, after.messages, 2),
    ):
        found += [
            f"{title} of {name}: {one[name]}, then {two[name]}"
            for name in one
            if two[name] > one[name] + more
        ]
    return found
