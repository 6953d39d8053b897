"""Post: messages to agents. Each lies on a subject of its own, named by its key, and is read once.

A letter to a task is that task's alone. One to an agent or a node is for whichever of its running tasks
claims it first; the claim stays as long as a letter may, so that the same task finds it again after a crash.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from ...config.names import check_name
from ...errors import RecordRefused, SwarmError, SwarmTimeout, UsageError
from ..demand import AGENT_PREFIX, NODE_PREFIX
from ..foreign import warn_foreign
from ..kv import last_message
from ..records import Record
from ..subjects import EXPECTED_SUBJECT_SEQ, REQUEST_ID, Names, token
from ..wire import PATIENCE, STREAM_FULL, UNDER_WAY, WRONG_LAST_SEQUENCE, ApiError, Wire

log = logging.getLogger(__name__)

LONGEST = 16_000
"""Characters of a message."""
MOST_WAITING = 100
"""Messages in one mailbox that nobody has read."""
AT_ONCE = 10
"""Messages that a task is told at a time."""
_CLAIM = "claim"


class Post(Record):
    """One message to an agent."""

    kind_name: ClassVar[str] = "message"
    id: str
    to: str
    sender: str
    """A task's id, or who a person is."""
    text: str
    at: float
    """The sender's clock, for display only."""


class Claim(Record):
    """Who reads a message that several might."""

    kind_name: ClassVar[str] = "claim of a message"
    task: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message may go."""

    kind: str
    """`task`, `agent` or `node`."""
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "task" else f"{self.kind}:{self.name}"


def read_address(text: str) -> Address:
    """Read `agent:NAME`, `node:NAME` or a task's id. Raises UsageError, NameRefused."""
    text = text.strip()
    if text.startswith(AGENT_PREFIX):
        return Address("agent", check_name(text.removeprefix(AGENT_PREFIX), "agent name"))
    if text.startswith(NODE_PREFIX):
        return Address("node", check_name(text.removeprefix(NODE_PREFIX), "node name"))
    request, dot, step = text.partition(".")
    if not (REQUEST_ID.fullmatch(request) and dot and step) or any(mark in step for mark in " .*>\t\n"):
        raise UsageError(
            f"{text[:80]!r} is no address: give agent:NAME, node:NAME, or a task's id such as r-….step"
        )
    return Address("task", text)


def letter_id(key: str) -> str:
    """Return the id of the message with a sender's key."""
    return token(key)


class PostOffice:
    """The messages of one H-id."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._names = names

    async def send(self, post: Post, to: Address) -> bool:
        """Put a message into a mailbox; False: one with its id is there already.

        Raises UsageError for a text that is empty or too long and for a mailbox that is full.
        """
        if not post.text.strip():
            raise UsageError("the message is empty: say something")
        if len(post.text) > LONGEST:
            raise UsageError(
                f"the message has {len(post.text)} characters, the limit is {LONGEST}: share what is long on the "
                "blackboard, or send a summary"
            )
        if await self.waiting(to) >= MOST_WAITING:
            raise UsageError(
                f"{MOST_WAITING} messages wait for {to} already, and nobody reads them: do not send more"
            )
        subject = self._names.letter(to.kind, to.name, post.id)
        return await self._once(subject, post.to_bytes())

    async def _once(self, subject: str, data: bytes) -> bool:
        """Store the first message of a subject; False: there is one."""
        while True:
            try:
                await self._wire.store(subject, data, headers={EXPECTED_SUBJECT_SEQ: "0"})
                return True
            except SwarmTimeout:
                await self._wire.ensure(f"STREAM.INFO.{self._names.mail}")  # patient, and not for ever
            except ApiError as error:
                if error.code == WRONG_LAST_SEQUENCE:
                    return False
                if error.code in UNDER_WAY:
                    continue
                if error.code in STREAM_FULL:
                    raise SwarmError(
                        "the swarm's mail is full: messages that nobody has read go after a day"
                    ) from None
                raise

    async def waiting(self, to: Address) -> int:
        """Return how many messages wait in a mailbox."""
        info = await self._wire.ensure(
            f"STREAM.INFO.{self._names.mail}",
            {"subjects_filter": self._names.letter(to.kind, to.name, "*")},
        )
        return len(info["state"].get("subjects") or {})

    async def receive(
        self, task: str, mailboxes: Collection[Address], told: Collection[str]
    ) -> tuple[Post, ...]:
        """Return messages for a task, the oldest first, a few at most; what `told` names is removed."""
        found: list[tuple[int, Post]] = []
        for mailbox in mailboxes:
            for subject in await self._subjects(mailbox):
                stored = await last_message(self._wire, self._names.mail, subject, patient=PATIENCE)
                if stored is None:
                    continue
                try:
                    post = Post.from_bytes(stored.data)
                except RecordRefused as error:
                    warn_foreign(log, subject, error)
                    await self._remove(stored.seq)
                    continue
                if post.id in told:
                    await self._remove(stored.seq)
                elif mailbox.kind == "task" or (post.sender != task and await self._claimed(post.id, task)):
                    found.append((stored.seq, post))
        return tuple(post for _, post in sorted(found, key=lambda pair: pair[0])[:AT_ONCE])

    async def _subjects(self, mailbox: Address) -> list[str]:
        info = await self._wire.ensure(
            f"STREAM.INFO.{self._names.mail}",
            {"subjects_filter": self._names.letter(mailbox.kind, mailbox.name, "*")},
        )
        return sorted(info["state"].get("subjects") or {})

    async def _claimed(self, letter: str, task: str) -> bool:
        """Return whether a message is this task's, now or since an earlier attempt."""
        subject = self._names.letter(_CLAIM, letter, "task")
        if await self._once(subject, Claim(task=task).to_bytes()):
            return True
        stored = await last_message(self._wire, self._names.mail, subject, patient=PATIENCE)
        return stored is not None and Claim.from_bytes(stored.data).task == task

    async def _remove(self, seq: int) -> None:
        try:
            await self._wire.api(f"STREAM.MSG.DELETE.{self._names.mail}", {"seq": seq})
        except (ApiError, SwarmTimeout) as error:
            log.debug("message %d not removed: %s", seq, error)  # it goes by its age
