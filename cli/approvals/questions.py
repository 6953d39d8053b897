"""What the agents of a request ask, told to whoever follows it; at a terminal it is answered right there."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import NotFound, PicoclawError, RecordRefused, SwarmError, UsageError
from ...gateway.asked import sender
from ...swarm.approvals.record import ApprovalRecord
from ..errors import echo_warning
from ..printing.output import safe
from .typed_answer import Typed, choices, read_answer
from .typing_here import Typing, can_type

if TYPE_CHECKING:
    from ...swarm.follow import Followed
    from ...swarm.swarm import Swarm
    from ..printing.live import LiveLines

ALONE = "nobody could be asked: this swarm was the command's own, and had no terminal"
AGAIN = 1.0
"""Seconds until a server that did not answer is asked again."""
TEXT = 4000
"""Characters: all that a question holds, as nobody should allow what he does not see."""
YELLOW = "33"


@dataclass(slots=True)
class Questions:
    """The questions of one request's tree, in the order in which they came."""

    swarm: "Swarm"
    request: str
    lines: "LiveLines"
    stays: bool = True
    """Others may answer from elsewhere; False: the swarm is this command's own."""
    here: bool = True
    """An answer may be typed here, where there is a terminal; False: what is typed means something else."""
    _waiting: "OrderedDict[str, ApprovalRecord]" = field(default_factory=OrderedDict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _told: set[str] = field(default_factory=set)
    _ours: dict[str, bool] = field(default_factory=dict)
    """Whether a request belongs to the tree of this one."""

    async def run(self) -> None:
        """Tell of each question, and have it answered where somebody can; until it is cancelled."""
        bucket = self.swarm.names.approvals
        await self._learn_time()
        async with self.swarm.following(f"KV_{bucket}", f"$KV.{bucket}.>", self._heard):
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    record = next(iter(self._waiting.values()))
                    if self._is_open(record) and await self._is_ours(record.request):
                        await self._one(record)
                    self._waiting.pop(record.id, None)

    async def _learn_time(self) -> None:
        from ...swarm.server_time import server_time

        while True:
            try:
                await server_time(self.swarm)
                return
            except SwarmError:  # it is away; whoever follows the request says so
                await asyncio.sleep(AGAIN)

    def _heard(self, followed: "Followed") -> None:
        try:
            record = ApprovalRecord.from_bytes(followed.data) if followed.data else None
        except RecordRefused:
            return  # a stranger's: whoever keeps the questions says so
        if record is None:
            return
        if record.verdict is None:
            self._waiting.setdefault(record.id, record)
        elif record.id in self._waiting:
            self._waiting[record.id] = record
        self._news.set()

    def _is_open(self, record: ApprovalRecord) -> bool:
        return record.open(self.swarm.members.server.now())

    async def _is_ours(self, request: str) -> bool:
        """Return whether a request is the one that is followed, or was handed on below it."""
        from ...swarm.look import read_request

        if request == self.request:
            return True
        if request not in self._ours:
            try:
                state = await read_request(self.swarm, request)
            except PicoclawError:
                return False
            parent = state.request.parent if state is not None and state.request is not None else None
            self._ours[request] = parent is not None and parent.root == self.request
        return self._ours[request]

    async def _one(self, record: ApprovalRecord) -> None:
        """See one question to its end, or to where nothing more can be done about it here."""
        if self.here and not self.lines.quiet and can_type():
            self._say_what(record)
            await self._ask_here(record)
        elif self.stays:
            self._say_how(record)
        else:
            await self._deny_alone(record)

    # --- where nobody can type ---

    def _say_how(self, record: ApprovalRecord) -> None:
        """Tell once how it is answered from another terminal."""
        if record.id in self._told:
            return
        self._told.add(record.id)
        how = f'picoclaw approve {record.id}, or: picoclaw deny {record.id} --why "..."'
        if self.lines.quiet:
            what = safe(record.text, TEXT)
            echo_warning(f"{record.task} waits for approval {record.id}: {what}; answer it: {how}")
            return
        self._say_what(record)
        self.lines.say(f"{'':<10} answer it: {how}", YELLOW)

    def _say_what(self, record: ApprovalRecord) -> None:
        step = record.step if record.request == self.request else record.task
        self.lines.say(f"{safe(step):<10} asks ({record.id}): {safe(record.text, TEXT)}", YELLOW)
        if record.rules:
            self.lines.say(f"{'':<10} because of: {safe('; '.join(record.rules), TEXT)}")

    async def _deny_alone(self, record: ApprovalRecord) -> None:
        """Deny what nobody can ever answer, rather than wait for a day."""
        while True:
            if await self._write(record, Typed("deny", ALONE)):
                break
            await asyncio.sleep(AGAIN)
        said = f"{safe(record.text, TEXT)}: denied, as nobody can be asked here; run it at a terminal, or on a swarm"
        if self.lines.quiet:
            echo_warning(said)
        else:
            self.lines.say(f"{safe(record.step):<10} {said}", YELLOW)

    # --- at a terminal ---

    async def _ask_here(self, record: ApprovalRecord) -> None:
        with Typing() as typing:
            try:
                while True:
                    self.lines.draw_prompt(f"  {choices(record)} > ")
                    line = await self._line_or_news(typing, record)
                    self.lines.draw_prompt("")
                    if line is None:
                        return
                    answer = read_answer(line, record)
                    if isinstance(answer, str):
                        self.lines.say(answer)
                        continue
                    if await self._write(record, answer):
                        return
            except EOFError:
                # The terminal has gone, or Ctrl-D was typed: it can be answered elsewhere.
                await self._leave(record)
            finally:
                self.lines.draw_prompt("")

    async def _leave(self, record: ApprovalRecord) -> None:
        self.lines.draw_prompt("")
        if self.stays:
            self._say_how(record)
        else:
            await self._deny_alone(record)

    async def _line_or_news(self, typing: Typing, record: ApprovalRecord) -> str | None:
        """Return what is typed; None once the question was answered elsewhere or is over. Raises EOFError."""
        while True:
            typed = asyncio.ensure_future(typing.line())
            news = asyncio.ensure_future(self._news.wait())
            left = max(0.1, record.expires_at - self.swarm.members.server.now())
            try:
                await asyncio.wait({typed, news}, timeout=left, return_when="FIRST_COMPLETED")
            finally:
                news.cancel()
                if not typed.done():
                    typed.cancel()
            if typed.done() and not typed.cancelled():
                return typed.result()
            self._news.clear()
            now = self._waiting.get(record.id, record)
            if now.verdict is not None:
                said = {"allow": "allowed", "deny": "denied", "skip": "skipped"}[now.verdict]
                self.lines.draw_prompt("")
                self.lines.say(f"{'':<10} {said} by {safe(now.by)}")
                return None
            if not self._is_open(now):
                self.lines.draw_prompt("")
                self.lines.say(f"{'':<10} nobody answered in time: denied", YELLOW)
                return None

    async def _write(self, record: ApprovalRecord, typed: Typed) -> bool:
        """Write an answer; False, with a word, where nobody knows whether it was written."""
        from ...swarm.approvals.store import decide

        try:
            await decide(
                self.swarm, record.id, typed.verdict, by=sender(), why=typed.why, always=typed.always
            )
        except (UsageError, NotFound) as error:
            # It came too late: nothing waits for it any more.
            self.lines.say(f"{'':<10} {safe(str(error), TEXT)}")
        except SwarmError as error:
            self.lines.say(f"{'':<10} not answered yet: {safe(str(error), TEXT)}")
            return False
        return True
