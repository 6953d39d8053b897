"""What JetStream says of this account and of the swarm's streams. Pure, given its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..streams import STORE_VERSION, Limits, stream_configs
from ..subjects import Names, token
from .row import Row, failed, listed, ok, warning

FULL = 0.95
"""Share of a limit that leaves nothing to work with."""
NEARLY_FULL = 0.75
_DECIDES = ("subjects", "retention", "storage")
"""Without these as we make them a stream does not do its work."""
_MATTERS = ("discard", "max_msgs_per_subject", "allow_msg_schedules", "allow_direct")
_VERSION = "picoclaw-store-version"


@dataclass(frozen=True, slots=True)
class Store:
    """The account's streams by name, as STREAM.LIST gives them."""

    streams: Mapping[str, Mapping[str, Any]]

    def slugs(self) -> list[str]:
        """Return the wire names of all H-ids that have ever been used on this account."""
        prefix = "PICOCLAW_LOG_"
        return sorted(name.removeprefix(prefix) for name in self.streams if name.startswith(prefix))


def account_row(info: Mapping[str, Any]) -> Row:
    """Return how much of its limits the account uses."""
    limits = info.get("limits") or {}
    used = [
        ("disk", int(info.get("storage", 0)), int(limits.get("max_storage", -1)), True),
        ("memory", int(info.get("memory", 0)), int(limits.get("max_memory", -1)), True),
        ("streams", int(info.get("streams", 0)), int(limits.get("max_streams", -1)), False),
        ("consumers", int(info.get("consumers", 0)), int(limits.get("max_consumers", -1)), False),
    ]
    said = ", ".join(f"{what} {_amount(now, size)} of {_limit(most, size)}" for what, now, most, size in used)
    worst = max(((now / most, what) for what, now, most, _ in used if most > 0), default=(0.0, ""))
    detail = f"enabled: {said}"
    fix = f"raise the account's limit of {worst[1]} on the server, or purge what is not needed"
    if worst[0] >= FULL:
        return failed("jetstream", detail, fix)
    return warning("jetstream", detail, fix) if worst[0] >= NEARLY_FULL else ok("jetstream", detail)


def hid_rows(store: Store, hid: str | None, *, given: str) -> list[Row]:
    """Return which H-id is used and which others there are; `given`: where it came from, "" if adopted."""
    every = store.slugs()
    start = "picoclaw --swarm.role coordinator"
    if hid is None:
        if every:
            named = listed(map(readable, every))
            return [failed("H-id", f"none is recorded; there are {named}", "choose one with --swarm.hid")]
        return [warning("H-id", "no swarm has ever run on this account", f"start one: {start}")]
    others = [readable(slug) for slug in every if slug != token(hid)]
    whence = f"from {given}" if given else "the account's, as its first node recorded it"
    if token(hid) in every:
        rows = [ok("H-id", f"{hid!r} ({whence})")]
        if others:
            rows.append(ok("other H-ids", f"{listed(others)}: nodes there are in other swarms than {hid!r}"))
        return rows
    if others:
        return [
            failed(
                "H-id",
                f"no swarm {hid!r} ({whence}) on this account; there are {listed(others)}",
                f"leave --swarm.hid out or give one of those, or start the first node of this one: {start}",
            )
        ]
    return [
        warning("H-id", f"{hid!r} ({whence}): no swarm has ever run on this account", f"start one: {start}")
    ]


def readable(slug: str) -> str:
    """Return the H-id of a wire name where that can be told, else the wire name with a word on it."""
    name = slug.rpartition("-")[0]
    return name if name and token(name) == slug else f"{slug} (its name on the wire)"


def store_rows(store: Store, names: Names) -> list[Row]:
    """Return the state of the swarm's streams: there, as they should be, room in the log, version."""
    wanted = stream_configs(names, replicas=1, limits=Limits())
    found = [(config, store.streams.get(config["name"])) for config in wanted]
    rows = [*_presence(found, names), *_shapes(found), *_leaders(store, names)]
    problems = [row for row in rows if row.status != "ok"]
    total = sum(int(info["state"]["bytes"]) for _, info in found if info is not None)
    sizes = ok("streams", f"{len(found)} there, as they should be, {_bytes(total)}")
    log = store.streams.get(names.log)
    return [*(problems or [sizes]), *([_fill(log), _version(log)] if log is not None else [])]


_Found = Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]]


def _presence(found: _Found, names: Names) -> list[Row]:
    missing = {config["name"] for config, info in found if info is None}
    volatile = missing & {names.members, names.events}
    rows = []
    if missing - volatile:
        rows.append(
            failed(
                "streams",
                f"missing: {listed(sorted(missing - volatile))}",
                "start a node, which makes them: picoclaw --swarm.role coordinator",
            )
        )
    if volatile:
        rows.append(
            warning(
                "streams",
                f"{listed(sorted(volatile))} not there: they live in the server's memory, and no node has "
                "connected since it started",
                "start a node: picoclaw --swarm.role coordinator",
            )
        )
    return rows


def _shapes(found: _Found) -> list[Row]:
    rows = []
    for config, info in found:
        if info is None:
            continue
        has = info["config"]
        name = config["name"]
        differ = [key for key in (*_DECIDES, *_MATTERS) if key in config and has.get(key) != config[key]]
        said = ", ".join(f"{key} is {has.get(key)!r}, not {config[key]!r}" for key in differ)
        fix = f"nats stream edit {name}, or remove it while nothing runs (its content goes) and start a node"
        if set(differ) & set(_DECIDES):
            rows.append(failed("streams", f"{name} is not as it should be: {said}", fix))
        elif differ:
            rows.append(warning("streams", f"{name} differs: {said}", fix))
    return rows


def _leaders(store: Store, names: Names) -> list[Row]:
    """Return what is amiss in a cluster."""
    ours = {name: info for name, info in store.streams.items() if name.endswith(names.slug)}
    headless = [
        name
        for name, info in ours.items()
        if (info.get("cluster") or {"leader": "x"}).get("leader") in (None, "")
    ]
    behind = {
        str(replica.get("name"))
        for info in ours.values()
        for replica in (info.get("cluster") or {}).get("replicas") or ()
        if replica.get("offline")
    }
    few = {
        name: f"{1 + len(info['cluster'].get('replicas') or ())} of {info['config'].get('num_replicas')}"
        for name, info in ours.items()
        if (info.get("cluster") or {}).get("leader")
        and 1 + len(info["cluster"].get("replicas") or ()) < int(info["config"].get("num_replicas", 1))
    }
    rows = []
    if headless:
        rows.append(
            failed(
                "streams",
                f"no leader for {listed(sorted(headless))}",
                "start the cluster's servers: most must run",
            )
        )
    if behind:
        rows.append(
            warning("streams", f"copies are away: server {listed(sorted(behind))}", "start that server")
        )
    if few:
        said = listed([f"{name} ({copies})" for name, copies in sorted(few.items())], 3)
        rows.append(
            warning(
                "streams",
                f"fewer copies than asked for: {said}; the cluster has no other server for them",
                "add a server to the cluster: the copies are then made by themselves",
            )
        )
    return rows


def _fill(log: Mapping[str, Any]) -> Row:
    used, most = int(log["state"]["bytes"]), int(log["config"].get("max_bytes", -1))
    if most <= 0:
        return ok("log", f"{_bytes(used)}, without a limit")
    share = used / most
    detail = f"{share:.0%} full: {_bytes(used)} of {_bytes(most)}"
    fix = f"picoclaw prune --older-than 1d, or picoclaw limits set size.log={most * 2}B"
    if share >= Limits().admission:
        return failed("log", f"{detail}; new requests are refused", fix)
    return warning("log", detail, fix) if share >= NEARLY_FULL else ok("log", detail)


def _version(log: Mapping[str, Any]) -> Row:
    version = int((log["config"].get("metadata") or {}).get(_VERSION, 0))
    if version > STORE_VERSION:
        return failed(
            "store",
            f"version {version}; this program understands {STORE_VERSION}",
            "upgrade picoclaw on this machine",
        )
    return ok("store", f"version {version}")


def _amount(number: int, size: bool) -> str:
    return _bytes(number) if size else str(number)


def _limit(number: int, size: bool) -> str:
    return "unlimited" if number < 0 else _amount(number, size)


def _bytes(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
