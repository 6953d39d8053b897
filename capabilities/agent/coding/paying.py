"""Paying: a run of a coding CLI in the accounts that pay for its task, and in its journal; it counts as one turn."""

import hashlib
import math
from dataclasses import dataclass
from typing import Self

from ....errors import BudgetSpent
from ....swarm.records import QueuedTask
from ....swarm.steps import Intent, Outcome
from ...executor import Context
from ..budget.account import Breach, Estimate, Granted, Holder
from ..budget.limits import Budget
from ..budget.of_journal import spent_in
from ..context import AgentContext, Journal
from ..loop.clean import clean
from ..models.conversation import TURN, Assistant, Turn, Usage
from .account import Account
from .known import CodingCli

LEAST_USD = 0.01
"""Below this no run is worth its beginning."""
MOST_USD = 5.0
"""Of one run under a limit: all of it is reserved, so that with more one run would hold up all others."""
_NO_LIMIT = 1e9
LONGEST_TEXT = 4000
"""Characters of its answer in the journal; the result has all of it."""


@dataclass(slots=True, kw_only=True)
class Payment:
    """What pays for one run."""

    cli: CodingCli
    context: AgentContext
    journal: Journal
    number: int
    usd: float | None = None
    """What it may cost; None: nobody limits it, or it keeps to no limit."""

    @classmethod
    async def begin(cls, cli: CodingCli, task: QueuedTask, context: Context) -> Self | None:
        """Reserve a run and write down that it begins; None: there are no accounts here.

        Raises BudgetSpent in words where it cannot be paid, JobCancelled when a later attempt has the task.
        """
        if not isinstance(context, AgentContext):
            return None
        journal = await context.journal()
        number = 1 + max((step.number for step in journal.steps if isinstance(step, Intent)), default=0)
        self = cls(cli=cli, context=context, journal=journal, number=number)
        try:
            self.usd = await self._reserve()
        except BudgetSpent:
            await context.purse.settle(spent_in(journal.steps), ended=True)
            raise
        text = str(task.task.input.get("text", task.text))
        intent = Intent(
            number=number,
            what="turn",
            name=cli.name,
            repeatable=True,
            digest=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
            reserved_usd=self.usd,
        )
        await journal.append(intent)
        return self

    async def end(self, account: Account, *, why: str = "", lost: bool = False) -> None:
        """Write down what the run took. `why`: it failed; `lost`: it may have been billed, and nobody knows what."""
        if account.billed:
            usage = Usage(input=account.read or 0, output=account.written or 0, usd=account.usd)
            said = Assistant(text=account.text[:LONGEST_TEXT])
            turn = Turn(message=said, stop="end", model=self.cli.name, usage=usage)
            outcome = Outcome(number=self.number, body=clean(TURN.dump_python(turn, mode="json")))
        else:
            outcome = Outcome(number=self.number, state="error", error=why[:2000], maybe_billed=int(lost))
        await self.journal.append(outcome)
        await self.context.purse.settle(spent_in(self.journal.steps), ended=True)

    async def _reserve(self) -> float | None:
        """Return what the run may cost at most; None: no limit holds."""
        if not self.cli.usd_option:
            # Of a program that keeps to no limit nobody knows the price before.
            self._checked(await self._ask(None))
            return None
        most = _NO_LIMIT
        while isinstance(answer := await self._ask(most), Breach) and answer.left_usd is not None:
            left = math.floor(answer.left_usd * 10_000) / 10_000  # what is added up again must not be more
            left = min(left, MOST_USD)
            if left < LEAST_USD or left >= most:
                break
            most = left
        self._checked(answer)
        if most < _NO_LIMIT:
            return most
        self._checked(await self._ask(None))
        return None

    def _checked(self, answer: Granted | Breach) -> None:
        if isinstance(answer, Breach):
            words = answer.words
            if answer.what == "price":
                words = (
                    f"{answer.holder} has a limit in USD, and {self.cli.name} keeps to none: have claude do it, "
                    "which does, or limit tokens or turns instead"
                )
            raise BudgetSpent(f"{self.cli.name}: {words}")

    async def _ask(self, usd: float | None) -> Granted | Breach:
        wanted = Estimate(
            input=0,
            output=1,
            usd_input=usd,
            usd_per_output=None if usd is None else 0.0,
            model=self.cli.name,
        )
        mine = Holder(name="this task", budget=Budget(), spent=spent_in(self.journal.steps))
        return await self.context.purse.reserve(wanted, mine, asking=False)
