"""Asking: a coordinator's questions to a model, each answered once however often its coordinator is killed.

The journal of a request's own step holds them by number. Who owns the request fences the journal by the
sequence of the request's log that it goes by: a later owner's is always higher.
"""

import hashlib
import logging
from dataclasses import replace

from pydantic_core import to_json

from ...capabilities.agent.budget.account import Breach, Granted, Holder
from ...capabilities.agent.budget.limits import Budget
from ...capabilities.agent.budget.of_journal import spent_in
from ...capabilities.agent.loop.clean import clean, plain
from ...capabilities.agent.models.client import Question
from ...capabilities.agent.models.conversation import TURN, Turn
from ...errors import ContextTooLong, JobCancelled, ModelRefused, ModelUnavailable
from ...swarm.journal import TaskJournal, take_over
from ...swarm.steps import Intent, Outcome
from ...swarm.subjects import task_id
from ..agents.purse import Payee, Purse
from ..ledger import Fenced, Ledger
from .mind import Mind

log = logging.getLogger(__name__)

TOO_LONG = "too long: "
"""Begins the journal's error of a question that was longer than the model reads."""
LONGEST_ERROR = 4000


class Asker:
    """Asks in one order, the same after a crash; `begin_asking` makes it."""

    def __init__(self, mind: Mind, journal: TaskJournal, purse: Purse) -> None:
        self._mind = mind
        self._journal = journal
        self._purse = purse
        self._number = 0
        self.turns = 0
        """Questions that have an answer, recorded ones included."""
        self.tokens = 0
        self.usd: float | None = 0.0
        """None: of one of them no price is known."""
        self.model = mind.model
        """Who answered last."""
        self.cut = False
        """The last answer ends at its length limit."""

    async def ask(self, question: Question, *, exactly: bool = False) -> Turn:
        """Return the answer to the next question, from the journal where it stands there.

        `exactly`: only the answer to a question in these very words will do. Without it the next answer is
        taken however the words have changed, as those of a plan do with the nodes that live.

        Raises ModelRefused and ModelUnavailable, those of the journal and of a spent budget included, and
        Fenced.
        """
        digest = _digest(question)
        self._number = self._number_of(digest) if exactly else self._number + 1
        recorded = next(
            (s for s in self._journal.steps if isinstance(s, Outcome) and s.number == self._number), None
        )
        if recorded is None:
            recorded = await self._ask(question, digest)
        if recorded.state != "ok":
            kind = ContextTooLong if recorded.error.startswith(TOO_LONG) else ModelRefused
            raise kind(recorded.error.removeprefix(TOO_LONG), maybe_billed=recorded.maybe_billed)
        turn = TURN.validate_python(recorded.body)
        self.turns += 1
        self.tokens += turn.usage.input + turn.usage.output
        self.usd = None if self.usd is None or turn.usage.usd is None else self.usd + turn.usage.usd
        self.model, self.cut = turn.model, turn.stop == "length"
        return turn

    def _number_of(self, digest: str) -> int:
        """Return the number of a question in the journal, or the next one that is free."""
        begun = [step for step in self._journal.steps if isinstance(step, Intent)]
        same = (step.number for step in begun if step.digest == digest)
        return next(same, 1 + max((step.number for step in begun), default=0))

    async def _ask(self, question: Question, digest: str) -> Outcome:
        begun = sum(isinstance(s, Intent) and s.number == self._number for s in self._journal.steps)
        if begun:
            log.warning("a question to %s was under way at a crash: it is asked again", question.model)
        granted = await self._reserve(question)
        intent = Intent(
            number=self._number,
            what="turn",
            name=question.model,
            repeatable=True,
            digest=digest,
            reserved_usd=None if granted.worst.unpriced else granted.worst.usd,
            reserved_tokens=granted.worst.tokens,
        )
        await self._append(intent)
        question = replace(question, max_tokens=granted.max_tokens)
        try:
            turn = await self._mind.client.ask(question)
        except (ModelRefused, ModelUnavailable) as error:
            mark = TOO_LONG if isinstance(error, ContextTooLong) else ""
            outcome = Outcome(
                number=self._number,
                state="error",
                error=plain(f"{mark}{error}")[:LONGEST_ERROR],
                maybe_billed=error.maybe_billed,
            )
        else:
            outcome = Outcome(
                number=self._number,
                body=clean(TURN.dump_python(turn, mode="json")),
                maybe_billed=turn.maybe_billed,
            )
        await self._append(outcome)
        # No question may follow: what is settled now is as good as ended, and the next one begins from it.
        await self._settle()
        return outcome

    async def _reserve(self, question: Question) -> Granted:
        """Take a question's worst case from the request's budget; raises ModelRefused where it is spent."""
        mine = Holder(name="the coordinator", budget=Budget(), spent=spent_in(self._journal.steps))
        try:
            # A coordinator asks nobody for more: it plans and reports without a model then.
            granted = await self._purse.reserve(self._mind.estimate(question), mine, asking=False)
        except JobCancelled:
            raise Fenced from None
        if isinstance(granted, Breach):
            raise ModelRefused(f"no money is left to ask {question.model}: {granted.words}")
        return granted

    async def settle_what_was_left(self) -> None:
        """Settle what an owner that was killed had reserved: its answers may stand in the journal. Raises Fenced."""
        if any(isinstance(step, Intent) for step in self._journal.steps):
            await self._settle()

    async def _settle(self) -> None:
        try:
            await self._purse.settle(spent_in(self._journal.steps), ended=True)
        except JobCancelled:
            raise Fenced from None

    async def _append(self, step: Intent | Outcome) -> None:
        try:
            await self._journal.append(step)
        except JobCancelled:
            raise Fenced from None


def _digest(question: Question) -> str:
    """Return what makes two questions one, whichever coordinator, with whichever model, asks them."""
    words = (question.system, question.messages, question.schema)
    return hashlib.sha256(to_json(words)).hexdigest()


async def begin_asking(ledger: Ledger, mind: Mind, step: str) -> Asker:
    """Take over the journal of one of the request's own steps. Raises Fenced, SwarmError."""
    ledger.check_ownership()
    try:
        journal = await take_over(ledger.swarm, ledger.request_id, step, attempt=ledger.head.seq)
    except JobCancelled:
        raise Fenced from None
    request = ledger.request
    payee = Payee(
        task_id(ledger.request_id, step), ledger.head.seq, ledger.request_id, request.budget, request.parent
    )
    asker = Asker(mind, journal, Purse(ledger.swarm, payee))
    await asker.settle_what_was_left()
    return asker
