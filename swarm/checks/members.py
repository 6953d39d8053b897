"""What there is to say of the nodes that can be seen. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ..demand import Demand, parse_demand
from ..views.lanes import LaneRow
from ..views.nodes import Around
from .row import Row, listed, ok, warning

CLOCK = 2.0
"""Seconds by which this machine's clock may differ from the server's."""


def member_rows(around: Around, runs: Mapping[str, int]) -> list[Row]:
    """Return the rows of all nodes; `runs`: how many processes answered to each name."""
    if not around.nodes:
        fix = "picoclaw --swarm.role coordinator, and picoclaw --swarm.role worker"
        return [warning("nodes", "none has been heard of for 10 minutes", fix)]
    rows = [_nodes(around), *_twice(runs), *_silent(around), *_versions(around), _coordinators(around)]
    return rows + _not_ready(around)


def _nodes(around: Around) -> Row:
    counted = Counter(row.status for row in around.nodes)
    said = ", ".join(f"{counted[status]} {status}" for status in sorted(counted))
    detail = f"{len(around.nodes)} seen: {said}"
    if all(row.status == "offline" for row in around.nodes):
        return warning("nodes", detail, "picoclaw --swarm.role worker")
    oldest = max(row.heard_s for row in around.nodes if row.status != "offline")
    return ok("nodes", f"{detail}; the oldest heartbeat came {oldest:.0f} s ago")


def _twice(runs: Mapping[str, int]) -> list[Row]:
    names = sorted(name for name, count in runs.items() if count > 1)
    if not names:
        return []
    return [
        warning(
            "names",
            f"several processes answer as {listed(names)}",
            "give each node a --swarm.name of its own, and restart all but one",
        )
    ]


def _silent(around: Around) -> list[Row]:
    silent = [row for row in around.nodes if row.status == "suspicious"]
    if not silent:
        return []
    said = listed(f"{row.name} ({row.why})" for row in silent)
    return [warning("heartbeats", f"late from {said}", f"picoclaw describe node {silent[0].name}")]


def _versions(around: Around) -> list[Row]:
    versions = sorted({row.version for row in around.nodes if row.lives and row.version})
    if len(versions) < 2:
        return []
    return [warning("versions", f"nodes of several: {listed(versions)}", "upgrade the older nodes")]


def _coordinators(around: Around) -> Row:
    names = [
        f"{row.name} (promoted)" if row.promoted else row.name
        for row in around.nodes
        if row.lives and row.coordinates
    ]
    if names:
        return ok("coordinators", f"{len(names)} alive: {listed(names)}")
    return warning(
        "coordinators", "none alive: requests wait in the inbox", "picoclaw --swarm.role coordinator"
    )


def _not_ready(around: Around) -> list[Row]:
    return [
        warning(
            "capabilities",
            f"{row.name} offers {listed(f'{name} ({why})' for name, why in sorted(row.not_ready.items()))} in vain",
            "install what is missing there; `picoclaw doctor` on that machine tells",
        )
        for row in around.nodes
        if row.lives and row.not_ready
    ]


def lane_rows(lanes: Sequence[LaneRow]) -> list[Row]:
    """Return which lanes hold tasks that no living node serves."""
    rows = []
    for lane in lanes:
        waiting = lane.queued + (lane.planned or 0)
        if waiting and not lane.nodes:
            detail = (
                f"{waiting} task{'s' if waiting > 1 else ''} waiting for {lane.lane}, and no node serves it"
            )
            rows.append(warning("lanes", detail, _server_of(parse_demand(lane.lane))))
    if rows:
        return rows
    waiting = sum(lane.queued + (lane.planned or 0) for lane in lanes)
    return [ok("lanes", f"{waiting} tasks waiting, and a node serves each" if waiting else "nothing waits")]


def _server_of(demand: Demand) -> str:
    if demand.node is not None:
        return f"picoclaw --swarm.role worker --swarm.name {demand.node}"
    labels = ",".join(f"{key}={value}" for key, value in demand.labels)
    parts = [
        "picoclaw --swarm.role worker",
        *([f"--swarm.capabilities {','.join(demand.capabilities)}"] if demand.capabilities else []),
        *([f"--swarm.labels {labels}"] if labels else []),
    ]
    return " ".join(parts)


def clock_row(server: float, here: float) -> Row:
    """Compare the server's clock with this machine's, both in seconds since the epoch."""
    apart = abs(here - server)
    if apart <= CLOCK:
        return ok("clock", f"within {max(apart, 0.1):.1f} s of the server's")
    way = "ahead of" if here > server else "behind"
    detail = f"{apart:.0f} s {way} the server's; only what is displayed goes by it"
    return warning("clock", detail, "switch time synchronisation on: timedatectl set-ntp true")
