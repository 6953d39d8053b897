"""Collect: the history of a real swarm, and the job records that its executors wrote."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from picoclaw.swarm.artifacts import ArtifactStore
from picoclaw.swarm.entries import Planned
from picoclaw.swarm.log import decode, snapshot
from picoclaw.swarm.records import Plan
from picoclaw.swarm.subjects import split_log_subject
from picoclaw.swarm.swarm import Swarm

from .history import History, JobRecord, Leftover, Written


async def collect(swarm: Swarm, *, handed_in: Sequence[str] = ()) -> History:
    """Read the whole log, and the names of what stands in the work queue and in the inbox."""
    log: list[Written] = []
    foreign = 0
    for followed in await snapshot(swarm.wire, swarm.names.log, swarm.names.log_filter(), deliver="all"):
        entry = decode(followed)
        if entry is None:
            foreign += 1
            continue
        request, step = split_log_subject(followed.subject)
        log.append(Written(request, step, entry, followed.seq, followed.at))
    plans = {
        written.request: await _plan(swarm.artifacts, written.entry)
        for written in log
        if isinstance(written.entry, Planned) and written.entry.ref is not None
    }
    return History(
        log=tuple(log),
        plans=plans,
        foreign=foreign,
        handed_in=tuple(handed_in),
        leftovers=(*await _tasks(swarm), *await _inbox(swarm)),
    )


async def _plan(artifacts: ArtifactStore, planned: Planned) -> Plan:
    assert planned.ref is not None
    return Plan.from_bytes(await artifacts.get(planned.ref))


async def _subjects(swarm: Swarm, stream: str, filter_: str) -> list[str]:
    found: list[str] = []
    while True:  # the server gives 100,000 names at a time
        asked = {"subjects_filter": filter_, "offset": len(found)}
        info: dict[str, Any] = await swarm.wire.api(f"STREAM.INFO.{stream}", asked)
        names = info["state"].get("subjects") or {}
        found += names
        if not names or len(found) >= int(info.get("total", 0)):
            return found


async def _tasks(swarm: Swarm) -> list[Leftover]:
    names = swarm.names
    found = await _subjects(swarm, names.tasks, ">")
    return [Leftover("TASKS", *split_log_subject(subject)) for subject in found]


async def _inbox(swarm: Swarm) -> list[Leftover]:
    found = await _subjects(swarm, swarm.names.requests, swarm.names.wildcard("request"))
    return [Leftover("REQUESTS", subject.rsplit(".", 1)[1]) for subject in found]


def read_jobs(path: Path) -> tuple[JobRecord, ...]:
    """Read what the jobs of `support.job_records` wrote; a start without an end has `ended` None."""
    begun: dict[tuple[str, int, int], JobRecord] = {}
    if not path.exists():
        return ()
    for line in path.read_text(encoding="utf-8").splitlines():
        said = json.loads(line)
        key = said["task"], said["attempt"], said["pid"]
        if said["event"] == "began":
            begun[key] = JobRecord(
                node=said["node"],
                task=said["task"],
                attempt=said["attempt"],
                began=said["at"],
                capability=said["capability"],
                beside=said["beside"],
                everywhere=said["everywhere"],
            )
        elif (job := begun.get(key)) is not None:
            begun[key] = JobRecord(
                job.node,
                job.task,
                job.attempt,
                job.began,
                said["at"],
                job.capability,
                job.beside,
                job.everywhere,
            )
    return tuple(begun.values())
