"""Identity: which swarm this process belongs to, and under which name.

The H-id groups; the security boundary is the NATS account (DESIGN.md section 5).
"""

import secrets
from datetime import timedelta

from ..config.names import check_name
from ..errors import AppendRefused, NameRefused, NodeNameTaken, RecordRefused, SwarmTimeout
from .kv import Bucket, as_json, last_message
from .membership.heartbeat import Heartbeat
from .records import read_json
from .subjects import DEFAULT_HID_KEY, SHARED_BUCKET, Names
from .wire import PATIENCE, NobodyListens, Wire

PROBE = timedelta(seconds=2)


async def find_hid(wire: Wire, wanted: str | None) -> str | None:
    """Return the wanted H-id, else the one that this account's first node recorded, if any."""
    if wanted is not None:
        return check_name(wanted, "H-id")
    stored = await Bucket(wire, SHARED_BUCKET).get(DEFAULT_HID_KEY)
    return _read(stored.data) if stored else None


async def adopt_hid(wire: Wire, wanted: str | None) -> str:
    """Return the wanted H-id, else the account's; the first node without one records it.

    One winner; nobody ever changes it.
    """
    if wanted is not None:
        return check_name(wanted, "H-id")
    bucket = Bucket(wire, SHARED_BUCKET)
    while True:
        stored, revision = await bucket.read(DEFAULT_HID_KEY, patient=PATIENCE)
        if stored is not None:
            return _read(stored.data)
        fresh = f"hid-{secrets.token_hex(4)}"
        try:
            await bucket.put(DEFAULT_HID_KEY, as_json({"hid": fresh}), expected=revision)
        except AppendRefused:
            continue
        return fresh


async def keep_hid(wire: Wire, hid: str) -> str:
    """Record an adopted H-id again where its record is gone with the store; return what stands there.

    Without it the next node would adopt a fresh one, and sit in a swarm of its own.
    """
    bucket = Bucket(wire, SHARED_BUCKET)
    while True:
        stored, revision = await bucket.read(DEFAULT_HID_KEY)
        if stored is not None:
            return _read(stored.data)
        try:
            await bucket.put(DEFAULT_HID_KEY, as_json({"hid": hid}), expected=revision)
        except AppendRefused:
            continue
        return hid


def _read(data: bytes) -> str:
    try:
        return check_name(str(read_json(data, "the default H-id")["hid"]), "H-id")
    except (RecordRefused, NameRefused, KeyError, TypeError):
        raise RecordRefused(
            f"the bucket {SHARED_BUCKET} holds no readable H-id: set --swarm.hid, or delete its key "
            f"{DEFAULT_HID_KEY}"
        ) from None


async def name_revision(wire: Wire, names: Names, node: str, run: str) -> int:
    """Return the revision of a node name that is free to take.

    The first heartbeat expects it, so that of two nodes that start at once under one name one wins.
    Raises NodeNameTaken when a live node answers to the name.
    """
    stored = await last_message(wire, names.members, names.member(node), patient=PATIENCE)
    try:
        reply = await wire.request(names.probe(node), timeout=PROBE)
    except (NobodyListens, SwarmTimeout):
        # A silent holder is fenced: our first heartbeat is the death of its run.
        return stored.seq if stored else 0
    if reply.data.decode(errors="replace") == run:
        return stored.seq if stored else 0
    where = ""
    if stored is not None:
        try:
            beat = Heartbeat.from_bytes(stored.data)
            where = f" (pid {beat.pid} on {beat.host})"
        except RecordRefused:
            where = ""
    raise NodeNameTaken(
        f"a live node is called {node!r} already{where}: choose another --swarm.name, or stop that node"
    )
