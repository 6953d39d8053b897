"""What a run says it cost: a part of unknown price is said, and never taken for nothing."""

import pytest

from picoclaw.capabilities.agent.budget.account import Spent
from picoclaw.capabilities.agent.executor import in_figures
from picoclaw.capabilities.agent.loop.run import Ended
from picoclaw.capabilities.agent.loop.state import State
from picoclaw.capabilities.agent.models.conversation import Usage, User

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("usd", "spent", "words"),
    [
        (0.25, Spent(turns=2, usd=0.25), "for 0.2500 USD"),
        (
            None,
            Spent(turns=2, usd=0.25, unpriced=1),
            "for at least 0.2500 USD (1 of them at an unknown price)",
        ),
        (None, Spent(turns=2, unpriced=2), "at an unknown price"),
        (
            None,
            Spent(turns=2, usd=0.25, unpriced=1, maybe_billed=1),
            "at an unknown price, 1 more maybe billed",
        ),
    ],
)
def test_what_a_run_cost_in_words(usd: float | None, spent: Spent, words: str) -> None:
    usage = Usage(input=10, output=5, usd=usd)
    state = State(messages=(User(text="go"),), turns=2, model="ollama/x", usage=usage, spent=spent)
    said = in_figures(Ended(text="done", state=state))
    assert said == f"2 turns of ollama/x, 10 tokens read and 5 written, {words}"
