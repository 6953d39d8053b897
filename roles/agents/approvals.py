"""Approvals of one job: a question stands in the swarm until it is answered, and its task waits without a slot."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from ...capabilities.agent.approvals.asking import Answer, Asking, asking_id
from ...errors import SwarmError, UsageError
from ...swarm.approvals.listing import Asked, list_asked
from ...swarm.approvals.record import ApprovalRecord
from ...swarm.approvals.store import ask, expire, read, subject_of
from ...swarm.follow import Followed
from ...swarm.records import QueuedTask
from ...swarm.swarm import Swarm
from ..jobs import Slot

log = logging.getLogger(__name__)

AGAIN = timedelta(seconds=10)
"""Between two looks that nothing called for: news may be lost with a connection."""
LONGEST_TEXT = 4000


@dataclass(slots=True)
class JobApprovals:
    """Asks people on behalf of one task; satisfies `capabilities.agent.context.Approvals`."""

    swarm: Swarm
    queued: QueuedTask
    slot: Slot

    async def ask(self, asking: Asking) -> Answer:
        """Ask, and wait for the answer; the same question again is the same one, answered once."""
        granted = await self._granted(asking)
        if granted is not None:
            return granted
        asked = await ask(self.swarm, self._record(asking))
        if asked.record.verdict is not None:
            return _answer(asked.record)
        log.info("waits for approval %s", asked.record.id, extra={"task": self.queued.id})
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.slot.parked())
            except UsageError as error:
                # So many wait already that this one keeps its slot.
                log.debug("%s waits in its slot: %s", self.queued.id, error)
            return _answer(await self._wait(asked))

    def _record(self, asking: Asking) -> ApprovalRecord:
        now = self.swarm.members.server.now()
        return ApprovalRecord(
            id=asking_id(self.queued.id, asking),
            request=self.queued.request,
            step=self.queued.task.step,
            about=asking.about,
            number=asking.number,
            digest=asking.digest,
            tool=asking.tool,
            call=asking.call,
            text=asking.text[:LONGEST_TEXT].encode("utf-8", "replace").decode(),
            rules=asking.rules,
            node=self.swarm.me.node,
            asked_at=now,
            expires_at=now + asking.expires.total_seconds(),
        )

    async def _granted(self, asking: Asking) -> Answer | None:
        """Return the answer that an earlier `--always` gives: to each rule that asks, for this task."""
        if asking.about != "tool" or not asking.rules:
            return None
        records = [
            one.record for one in await list_asked(self.swarm, self.queued.request, self.queued.task.step)
        ]
        given = [record for record in records if record.verdict == "allow" and record.always]
        rules = {rule for record in given for rule in record.rules}
        if not set(asking.rules) <= rules:
            return None
        return Answer(verdict="allow", by=f"{given[-1].by} (always for this run)", id=given[-1].id)

    async def _wait(self, asked: Asked) -> ApprovalRecord:
        """Return the record once it has an answer; unanswered at its end it is denied."""
        news = asyncio.Event()

        def heard(_: Followed) -> None:
            news.set()

        swarm, record = self.swarm, asked.record
        stream = f"KV_{swarm.names.approvals}"
        async with swarm.following(stream, subject_of(swarm, record), heard):
            while True:
                news.clear()
                try:
                    now = swarm.members.server.now()
                    found = await read(swarm, record) or await ask(swarm, record)
                    if found.record.verdict is None and now >= found.record.expires_at:
                        ended = await expire(swarm, found, at=now)
                        if ended is not None:
                            return ended
                        continue
                    if found.record.verdict is not None:
                        return found.record
                    left = found.record.expires_at - now
                except SwarmError as error:
                    log.debug("%s is not looked at: %s", record.id, error)
                    left = AGAIN.total_seconds()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), max(0.05, min(left, AGAIN.total_seconds())))


def _answer(record: ApprovalRecord) -> Answer:
    assert record.verdict is not None
    return Answer(verdict=record.verdict, by=record.by, why=record.why, id=record.id)
