"""Budgets: what one more turn needs, who can pay it, and that no history of crashes ever overspends."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picoclaw.capabilities.agent.budget.account import (
    LEAST_OUTPUT,
    Breach,
    Estimate,
    Granted,
    Holder,
    Spent,
    grant,
    narrower,
    of_lost,
    of_usage,
    once_more,
    still_granted,
    wider,
)
from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.capabilities.agent.models.conversation import Usage
from picoclaw.swarm.sharing.spending import MOST_OPEN, Spending, Sum, closed, handed_on, spent, written

pytestmark = [pytest.mark.unit, pytest.mark.timeout(60)]

TURN = Estimate(input=1000, output=1000, usd_input=0.5, usd_per_output=0.0625, model="anthropic/x")


def holder(budget: Budget, **spent_: float) -> Holder:
    return Holder(name="this task", budget=budget, spent=Spent(**spent_))  # type: ignore[arg-type]


def refused(granted: Granted | Breach) -> Breach:
    assert isinstance(granted, Breach)
    return granted


def allowed(granted: Granted | Breach) -> Granted:
    assert isinstance(granted, Granted)
    return granted


def test_without_a_limit_every_turn_is_granted_whole() -> None:
    assert grant(TURN, [holder(Budget())]) == Granted(worst=TURN.worst(), max_tokens=1000)
    assert TURN.worst() == Spent(turns=1, tokens=2000, usd=63.0)


def test_the_last_turn_of_a_number_is_said_to_be_the_last() -> None:
    budget = Budget(turns=3)
    assert not allowed(grant(TURN, [holder(budget, turns=1)])).last
    last = allowed(grant(TURN, [holder(budget, turns=2)]))
    assert last.last
    assert last.why == "this task may ask 3 turns"
    assert refused(grant(TURN, [holder(budget, turns=3)])).what == "turns"
    assert allowed(grant(TURN, [holder(Budget(turns=1))])).why == "this task may ask 1 turn"


def test_what_cannot_be_paid_whole_is_a_shorter_last_turn() -> None:
    last = allowed(grant(TURN, [holder(Budget(tokens=10_000), tokens=8_500)]))
    assert last.last
    assert last.max_tokens == 500
    assert last.worst == Spent(turns=1, tokens=1500, usd=31.75)
    assert "may use 10000 tokens, has used 8500" in last.why


def test_a_last_turn_has_room_for_an_answer_or_is_none() -> None:
    left = 1000 + LEAST_OUTPUT
    assert allowed(grant(TURN, [holder(Budget(tokens=left))])).max_tokens == LEAST_OUTPUT
    assert refused(grant(TURN, [holder(Budget(tokens=left - 1))])).what == "tokens"


def test_of_several_holders_the_poorest_decides() -> None:
    rich = Holder(name="request r-1", budget=Budget(usd=1000.0))
    poor = Holder(name="this task", budget=Budget(usd=38.0))
    assert allowed(grant(TURN, [rich, poor])).max_tokens == 600
    broke = Holder(name="this task", budget=Budget(usd=0.25, on_breach="ask"))
    breach = refused(grant(TURN, [rich, broke]))
    assert (breach.holder, breach.what, breach.on_breach) == ("this task", "usd", "ask")


def test_who_is_to_be_asked_is_asked_before_a_last_turn_unless_another_limit_ends_it_anyway() -> None:
    poor = Holder(name="this task", budget=Budget(usd=38.0, on_breach="ask"))
    assert refused(grant(TURN, [poor])).on_breach == "ask"
    assert allowed(grant(TURN, [poor], asking=False)).max_tokens == 600
    poorer = Holder(name="request r-1", budget=Budget(usd=20.0))
    assert allowed(grant(TURN, [poor, poorer])).last
    late = holder(Budget(turns=3, on_breach="ask"), turns=2)
    assert refused(grant(TURN, [late])).what == "turns"
    assert allowed(grant(TURN, [late], asking=False)).last
    assert allowed(grant(TURN, [late, holder(Budget(turns=3), turns=2)])).last
    assert allowed(grant(TURN, [holder(Budget(turns=1, on_breach="ask"))])).last, "one turn is what is wanted"


def test_what_was_granted_is_granted_still_unless_somebody_took_it_meanwhile() -> None:
    granted = allowed(grant(TURN, [holder(Budget(turns=3, tokens=8000))]))
    assert still_granted(granted, TURN, holder(Budget(tokens=8000), tokens=6000))
    assert not still_granted(granted, TURN, holder(Budget(tokens=8000), tokens=6001))
    assert not still_granted(granted, TURN, holder(Budget(turns=3), turns=2)), "it would be the last now"
    last = allowed(grant(TURN, [holder(Budget(turns=3), turns=2)]))
    assert still_granted(last, TURN, holder(Budget(turns=3), turns=2))
    assert not still_granted(last, TURN, holder(Budget(turns=3), turns=3))


def test_a_limit_in_money_and_an_unknown_price_do_not_go_together() -> None:
    unknown = Estimate(input=10, output=10, model="ollama/qwen3")
    breach = refused(grant(unknown, [holder(Budget(usd=1.0))]))
    assert breach.what == "price"
    assert "ollama/qwen3" in breach.words
    assert allowed(grant(unknown, [holder(Budget(tokens=10_000))])).worst.unpriced == 1


def test_a_limit_in_time_lets_no_turn_begin_after_it() -> None:
    late = Holder(name="this task", budget=Budget(wall=timedelta(minutes=1)), wall=timedelta(seconds=60))
    assert refused(grant(TURN, [late])).what == "wall"


def test_what_a_turn_took_counts_as_its_provider_counted_it() -> None:
    assert of_usage(Usage(input=10, output=5, usd=0.5)) == Spent(turns=1, tokens=15, usd=0.5)
    assert of_usage(Usage(input=10, output=5)) == Spent(turns=1, tokens=15, unpriced=1)
    assert of_lost(0.25, 100, 2) == Spent(turns=2, tokens=200, usd=0.5, maybe_billed=2)


def test_budgets_narrow_and_grow() -> None:
    one, two = Budget(usd=2.0, turns=5), Budget(usd=1.0, tokens=100, on_breach="ask")
    assert narrower(one, two) == Budget(usd=1.0, tokens=100, turns=5, on_breach="ask")
    assert once_more(one, Spent(turns=5, usd=1.5), timedelta()) == Budget(usd=3.5, turns=10)
    assert wider(one, two) == Budget(usd=2.0)
    assert wider(one, Budget(usd=3.0, tokens=1, turns=4)) == Budget(usd=3.0, turns=5)
    more = once_more(Budget(turns=1, on_breach="ask"), Spent(turns=1), timedelta())
    assert allowed(grant(TURN, [holder(more, turns=1)])), "what was allowed can be used before it asks again"


# --- one account, many tasks, any crash ---

TASKS = ("a", "b")
BUDGET = Budget(tokens=20_000)


class Agents:
    """Two tasks at one account. Each turn may break off anywhere; an attempt that was lost may write late."""

    def __init__(self) -> None:
        self.account = Spending()
        self.journal = dict.fromkeys(TASKS, Spent())
        self.attempt = dict.fromkeys(TASKS, 1)
        self.in_flight: dict[str, Spent] = {}
        self.billed = 0
        self.overshoot = 0

    def turn(self, task: str, took: int, breaks: str) -> None:
        if task in self.in_flight:
            # It goes on after a crash: the turn in flight counts at its worst case, and is asked again.
            self.journal[task] += of_lost(None, self.in_flight.pop(task).tokens)
            self.attempt[task] += 1
        total = Sum(**vars_of(self.journal[task]))
        settled = written(self.account, task, self.attempt[task], total, None)
        assert settled is not None
        mine = Holder(name=task, budget=BUDGET, spent=Spent(**vars_of(spent(settled))))
        granted = grant(TURN, [mine])
        if isinstance(granted, Breach):
            self.account = settled
            return
        worst = Sum(**vars_of(granted.worst))
        reserved = written(self.account, task, self.attempt[task], total, worst)
        assert reserved is not None
        self.account = reserved
        self.in_flight[task] = granted.worst
        if breaks == "reserved":
            return
        used = min(took, granted.worst.tokens)
        self.billed += used
        if breaks == "asked":
            return
        self.journal[task] += Spent(turns=1, tokens=used)
        del self.in_flight[task]
        if breaks == "ended":
            ended = closed(self.account, task, self.attempt[task], Sum(**vars_of(self.journal[task])))
            assert ended is not None
            self.account = ended

    def late(self, task: str) -> None:
        """An attempt that was fenced writes what it knew."""
        if self.attempt[task] > 1 and task in self.account.running:
            assert written(self.account, task, self.attempt[task] - 1, Sum(), None) is None or (
                self.account.running[task].attempt < self.attempt[task]
            )


def vars_of(total: Spent | Sum) -> dict[str, Any]:
    names = ("turns", "tokens", "usd", "unpriced", "maybe_billed")
    return {name: getattr(total, name) for name in names}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(TASKS),
            st.integers(1, 3000),
            st.sampled_from(["", "", "reserved", "asked", "ended", "late"]),
        ),
        max_size=60,
    )
)
def test_no_history_of_crashes_overspends(history: list[tuple[str, int, str]]) -> None:
    agents = Agents()
    for task, took, breaks in history:
        if breaks == "late":
            agents.late(task)
        else:
            agents.turn(task, took, breaks)
        assert agents.billed <= spent(agents.account).tokens + sum(
            one.tokens for one in agents.in_flight.values()
        )
        assert agents.billed <= 20_000
        assert spent(agents.account).tokens <= 20_000


# --- the record ---


def test_a_later_attempt_shuts_the_earlier_out() -> None:
    account = written(Spending(), "a", 2, Sum(), Sum(tokens=5))
    assert account is not None
    assert written(account, "a", 1, Sum(), None) is None
    assert closed(account, "a", 1, Sum()) is None


def test_what_a_task_had_spent_before_counts_once() -> None:
    account = closed(Spending(), "a", 1, Sum())
    assert account is not None
    account = written(account, "a", 1, Sum(), None)
    assert account is not None
    account = closed(account, "a", 1, Sum(tokens=7))
    assert account is not None
    again = written(account, "a", 2, Sum(tokens=7), Sum(tokens=3))
    assert again is not None
    assert spent(again).tokens == 10
    assert spent(again, without="a").tokens == 7


def test_an_account_of_very_many_tasks_stays_small_and_keeps_their_sum() -> None:
    account: Spending | None = Spending()
    for number in range(MOST_OPEN + 10):
        assert account is not None
        account = written(account, f"t{number}", 1, Sum(), Sum(tokens=1))
    assert account is not None
    assert len(account.running) == MOST_OPEN
    assert spent(account).tokens == MOST_OPEN + 10


def test_a_tree_has_so_many_requests_and_counts_each_once() -> None:
    tree = handed_on(Spending(), "r-1", most=1)
    assert tree is not None
    assert handed_on(tree, "r-1", most=1) == tree
    assert handed_on(tree, "r-2", most=1) is None
