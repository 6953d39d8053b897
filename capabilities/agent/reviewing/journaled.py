"""What the journal of a reviewing agent's task says of it."""

from ....swarm.steps import Outcome
from ...executor import Context
from ..budget.of_journal import spent_in
from ..context import AgentContext
from ..models.conversation import TURN


async def answered_by(context: Context) -> str:
    """Return the model that answered last: of a fallback chain not always the first; empty: none did."""
    if isinstance(context, AgentContext):
        for step in reversed((await context.journal()).steps):
            if isinstance(step, Outcome) and isinstance(step.body, dict) and "stop" in step.body:
                return TURN.validate_python(step.body).model
    return ""


async def settle(context: Context) -> None:
    """Settle what an agent spent that was ended from outside: what is reserved for it goes back."""
    if isinstance(context, AgentContext):
        await context.purse.settle(spent_in((await context.journal()).steps), ended=True)
