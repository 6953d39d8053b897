"""Accounts: the records of spending as they stand in the swarm, changed by compare-and-set."""

import asyncio
import itertools
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ...errors import AppendRefused, NotFound, RecordRefused, SwarmTimeout
from ..foreign import warn_foreign
from ..kv import Bucket
from ..records import Limited
from ..subjects import REQUEST_ID, Names
from ..wire import NOT_FOUND, UNDER_WAY, ApiError, Wire
from .spending import Spending, day_key

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=2)
"""How long the server may be away before a turn that would have to be paid for is given up."""
AGAIN = timedelta(milliseconds=20)
"""Longest pause after the first write that somebody else came before; it doubles up to `MOST_PAUSE`."""
MOST_PAUSE = timedelta(milliseconds=640)


class Accounts:
    """The accounts of one H-id."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._bucket = Bucket(wire, names.spending)

    async def read(self, key: str) -> tuple[Spending, int]:
        """Return an account and the revision to write over; raises SwarmTimeout."""
        stored, revision = await self._bucket.read(key, patient=PATIENCE)
        if stored is None:
            return Spending(), revision
        try:
            return Spending.from_bytes(stored.data), revision
        except RecordRefused as error:
            warn_foreign(log, self._bucket.subject(key), error)
            return Spending(), revision

    async def write(self, key: str, spending: Spending, *, expected: int) -> bool:
        """Write an account over a revision; False: somebody was first, or nobody knows: read it again."""
        try:
            await self._bucket.put(key, spending.to_bytes(), expected=expected)
            return True
        except (AppendRefused, SwarmTimeout):
            return False
        except ApiError as error:
            if error.code in UNDER_WAY:
                return False
            raise

    async def change(self, key: str, change: Callable[[Spending], Spending | None]) -> Spending | None:
        """Change an account, whatever others write meanwhile; None: `change` would not have it."""
        for tries in itertools.count():
            before, revision = await self.read(key)
            after = change(before)
            if after is None or after == before:
                return after
            if await self.write(key, after, expected=revision):
                return after
            await asyncio.sleep(pause(tries))
        raise AssertionError("it counts for ever")


def pause(tries: int) -> float:
    """Return how many seconds to wait after so many failures: by chance, so that many do not come at once again."""
    longest = min(MOST_PAUSE, AGAIN * (1 << min(tries, 10)))
    return random.uniform(0, longest.total_seconds())  # noqa: S311 - no secret


def today(now: float) -> str:
    """Return the key of the whole H-id's spending on the day of a server time, in seconds."""
    return day_key(datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"))


def is_limited(limits: Limited | None) -> bool:
    """Return whether a budget limits anything."""
    return limits is not None and any(
        value is not None for value in (limits.usd, limits.tokens, limits.turns)
    )


async def remove_accounts(wire: Wire, names: Names, request: str) -> None:
    """Remove what a request and its tasks have spent; the days keep their sums."""
    if not REQUEST_ID.fullmatch(request):  # it becomes a filter: anything else could mean all of them
        raise NotFound(f"{request[:60]!r} is no request")
    bucket = Bucket(wire, names.spending)
    for place in (f"tree.{request}", f"task.{request}.>"):
        try:
            await wire.api(f"STREAM.PURGE.{bucket.stream}", {"filter": bucket.subject(place)})
        except ApiError as error:
            if error.code not in NOT_FOUND:
                raise
