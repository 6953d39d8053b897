"""Streams: what stands in JetStream for one H-id, made on first use and checked on each start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import JetStreamDisabled, StoreTooNew, SwarmError
from .subjects import SHARED_BUCKET, Names
from .wire import NOT_FOUND, ApiError, Wire

STORE_VERSION = 1
_VERSION_KEY = "picoclaw-store-version"
_NANOS = 1_000_000_000
_NAME_IN_USE = 10058
_NO_STORAGE = frozenset({10047, 10023, 10028})

MAX_CONSUMERS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes of the streams, in bytes, and ages."""

    log: int = 1 << 30
    journal: int = 1 << 30
    inbox: int = 256 << 20
    admission: float = 0.9
    """Share of the log above which submissions are refused, so that what runs can still end."""
    dead_letters: int = 128 << 20
    dead_letters_age: timedelta = timedelta(days=30)
    events: int = 64 << 20
    events_age: timedelta = timedelta(minutes=10)
    mail: int = 64 << 20
    mail_kept: timedelta = timedelta(days=1)
    """How long a message that no agent has read is kept."""
    members_age: timedelta = timedelta(minutes=10)
    requests_kept: timedelta = timedelta(days=7)
    """How long an ended request's log is kept."""
    lane_kept: timedelta = timedelta(hours=1)
    """How long an empty lane is kept."""
    artifacts: int | None = None
    """None: what the server's store holds."""
    artifacts_kept: timedelta = timedelta(days=14)
    """How long an artifact that no request refers to is kept at most."""


def _nanos(age: timedelta) -> int:
    return int(age.total_seconds() * _NANOS)


def stream_configs(names: Names, *, replicas: int, limits: Limits) -> tuple[dict[str, Any], ...]:
    """Return the configuration of every stream, as JetStream's API takes it."""
    kept = {"storage": "file", "num_replicas": replicas, "max_consumers": MAX_CONSUMERS}
    # In as many copies too: a cluster does not make a stream anew whose only server is away.
    volatile = {**kept, "storage": "memory", "discard": "old"}
    return (
        {
            "name": names.tasks,
            "description": "what can run now",
            "subjects": [names.wildcard("task"), names.wildcard("delay")],
            "retention": "workqueue",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "allow_msg_schedules": True,
            **kept,
        },
        {
            "name": names.requests,
            "description": "what users asked and no coordinator has yet written down",
            "subjects": [names.wildcard("request"), names.wildcard("later"), names.wildcard("cron")],
            "retention": "workqueue",
            # The server refuses `new` with schedules (10052), so that no size may stand here: a full stream
            # would drop what was handed in first, or a schedule. The door looks before it hands in.
            "discard": "old",
            "max_msgs_per_subject": 1,
            "allow_msg_schedules": True,
            **kept,
        },
        {
            "name": names.log,
            "description": "the truth: state transitions",
            "subjects": [names.wildcard("log")],
            "retention": "limits",
            "discard": "new",
            "max_bytes": limits.log,
            "allow_direct": True,
            **kept,
        },
        {
            "name": names.journal,
            "description": "the steps of agents",
            "subjects": [names.wildcard("journal")],
            "retention": "limits",
            "discard": "new",
            "max_bytes": limits.journal,
            "allow_direct": True,
            **kept,
        },
        {
            "name": names.dead_letters,
            "description": "tasks whose attempts are used up",
            "subjects": [names.wildcard("dead")],
            "retention": "limits",
            "discard": "old",
            "max_msgs_per_subject": 1,
            "max_bytes": limits.dead_letters,
            "max_age": _nanos(limits.dead_letters_age),
            "allow_direct": True,
            **kept,
        },
        {
            "name": names.mail,
            "description": "messages to agents",
            "subjects": [names.wildcard("mail")],
            "retention": "limits",
            # Not `old`: whoever floods one mailbox would empty the others.
            "discard": "new",
            "max_msgs_per_subject": 1,
            "max_bytes": limits.mail,
            "max_age": _nanos(limits.mail_kept),
            "allow_direct": True,
            **kept,
        },
        bucket_config(names.blackboard, replicas=replicas),
        bucket_config(names.approvals, replicas=replicas),
        bucket_config(names.spending, replicas=replicas),
        bucket_config(names.lanes, replicas=replicas),
        bucket_config(names.leases, replicas=replicas),
        bucket_config(names.registry, replicas=replicas),
        *volatile_configs(names, limits=limits, base=volatile),
    )


def volatile_configs(names: Names, *, limits: Limits, base: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the memory streams, which die with their server and are made anew on each reconnect."""
    return (
        {
            "name": names.members,
            "description": "heartbeats and adverts",
            "subjects": [names.wildcard("node")],
            "max_msgs_per_subject": 1,
            "max_age": _nanos(limits.members_age),
            **base,
        },
        {
            "name": names.events,
            "description": "progress; may be lost, never decides anything",
            "subjects": [names.wildcard("event")],
            "max_bytes": limits.events,
            "max_age": _nanos(limits.events_age),
            **base,
        },
    )


def bucket_config(bucket: str, *, replicas: int) -> dict[str, Any]:
    """Return the stream behind a key-value bucket, as every NATS client makes it."""
    return {
        "name": f"KV_{bucket}",
        "subjects": [f"$KV.{bucket}.>"],
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
        "allow_direct": True,
        "storage": "file",
        "num_replicas": replicas,
        "max_consumers": MAX_CONSUMERS,
    }


async def ensure_shared(wire: Wire, *, replicas: int) -> None:
    """Make the bucket that all H-ids of an account share."""
    await _ensure(wire, bucket_config(SHARED_BUCKET, replicas=replicas))


async def ensure_streams(wire: Wire, names: Names, *, replicas: int, limits: Limits) -> None:
    """Make whatever is missing, and adapt what an older version made.

    Raises StoreTooNew when a newer version made it, JetStreamDisabled, or SwarmError when the
    server has no room.
    """
    for config in stream_configs(names, replicas=replicas, limits=limits):
        await _ensure(wire, config)


async def _ensure(wire: Wire, config: dict[str, Any]) -> None:
    name = config["name"]
    wanted = config | {"metadata": {_VERSION_KEY: str(STORE_VERSION)}}
    try:
        await wire.ensure(f"STREAM.CREATE.{name}", wanted)
        return
    except ApiError as error:
        if error.code != _NAME_IN_USE:
            raise _in_words(error, name) from None
    try:
        info = await wire.ensure(f"STREAM.INFO.{name}")
        found = info["config"]
        version = int(found.get("metadata", {}).get(_VERSION_KEY, 0))
        if version > STORE_VERSION:
            raise StoreTooNew(
                f"the store's stream {name} was written by a newer PicoClaw (store version {version}, "
                f"this one understands {STORE_VERSION}): upgrade this node"
            )
        if version == STORE_VERSION:
            # What differs is an operator's wish or a neighbouring version's: nobody turns it back.
            added = _added(found, wanted)
            if added:
                await wire.ensure(f"STREAM.UPDATE.{name}", found | added)
            return
        # An operator may have changed sizes and replicas on purpose.
        kept = {key: found[key] for key in ("num_replicas", "max_bytes", "max_age") if key in found}
        await wire.ensure(f"STREAM.UPDATE.{name}", wanted | kept)
    except ApiError as error:
        raise _in_words(error, name) from None


def _added(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a later release of this store version added to a stream, and this one lacks.

    Older releases go on beside it: they use neither.
    """
    added: dict[str, Any] = {}
    if wanted.get("allow_msg_schedules") and not found.get("allow_msg_schedules"):
        added["allow_msg_schedules"] = True
    subjects = list(found.get("subjects", ()))
    if missing := [subject for subject in wanted["subjects"] if subject not in subjects]:
        added["subjects"] = subjects + missing
    return added


def _in_words(error: ApiError, name: str) -> SwarmError | JetStreamDisabled:
    if error.code in (10039, 10076):
        return JetStreamDisabled(
            "the NATS server has no JetStream for this account: start it with `nats-server -js`"
        )
    if error.code in _NO_STORAGE:
        return SwarmError(
            f"the NATS server has no room for stream {name}: {error.description}; "
            "free disk space or raise its max_file_store"
        )
    return SwarmError(f"the NATS server refused stream {name}: {error.description} ({error.code})")


async def version_of_store(wire: Wire, names: Names) -> int | None:
    """Return the version that the store was written by; None when there is none yet."""
    try:
        info = await wire.api(f"STREAM.INFO.{names.log}")
    except ApiError as error:
        if error.code in NOT_FOUND:
            return None
        raise
    return int(info["config"].get("metadata", {}).get(_VERSION_KEY, 0))
