"""The purse: every account above a task pays, all at once, and what a crash leaves is settled by who goes on."""

import asyncio
from datetime import timedelta

import pytest

from picoclaw.capabilities.agent.budget.account import Breach, Estimate, Granted, Holder, Spent
from picoclaw.capabilities.agent.budget.limits import Budget
from picoclaw.errors import JobCancelled
from picoclaw.roles.agents.purse import Payee, Purse
from picoclaw.swarm.records import Limited, Parent, Payer
from picoclaw.swarm.sharing.accounts import Accounts, today
from picoclaw.swarm.sharing.spending import Spending, spent, task_key, tree_key
from picoclaw.swarm.subjects import request_id
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.swarm import Lab
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

ROOT, CHILD = request_id("root")[0], request_id("child")[0]
TURN = Estimate(input=500, output=500, usd_input=0.25, usd_per_output=0.0005, model="fake/x")
"""1,000 tokens and 0.50 USD at most."""
PARENT = Parent(
    task=f"{ROOT}.task",
    root=ROOT,
    depth=1,
    payers=(Payer(task=f"{ROOT}.task", limits=Limited(tokens=2500)),),
)


def purse(
    swarm: Swarm,
    task: str = f"{ROOT}.task",
    *,
    attempt: int = 1,
    budget: Limited | None = None,
    parent: Parent | None = None,
) -> Purse:
    request = task.partition(".")[0]
    return Purse(swarm, Payee(task, attempt, request, budget, parent))


def mine(spent: Spent | None = None, budget: Budget | None = None, wall: float = 0.0) -> Holder:
    return Holder(
        name="this task",
        budget=budget or Budget(),
        spent=spent or Spent(),
        wall=timedelta(seconds=wall),
    )


async def account(swarm: Swarm, key: str) -> Spending:
    return (await Accounts(swarm.wire, swarm.names).read(key))[0]


async def reserved(swarm: Swarm, key: str) -> int:
    return spent(await account(swarm, key)).tokens


async def test_a_reservation_stands_everywhere_until_it_is_settled(lab: Lab) -> None:
    swarm = await lab.door()
    child = purse(swarm, f"{CHILD}.task", parent=PARENT)
    granted = await child.reserve(TURN, mine(budget=Budget(turns=5)))
    assert isinstance(granted, Granted)
    keys = (
        task_key(f"{CHILD}.task"),
        task_key(f"{ROOT}.task"),
        tree_key(ROOT),
        today(swarm.members.server.now()),
    )
    assert [await reserved(swarm, key) for key in keys] == [1000] * 4
    await child.settle(Spent(turns=1, tokens=300, usd=0.125))
    assert [await reserved(swarm, key) for key in keys] == [300] * 4
    await child.settle(Spent(turns=1, tokens=300, usd=0.125), ended=True)
    assert [await reserved(swarm, key) for key in keys] == [300] * 4
    assert not (await account(swarm, tree_key(ROOT))).running


async def test_tasks_of_one_tree_never_share_the_last_money(lab: Lab) -> None:
    """Twenty at once at a budget for seven turns: seven are granted."""
    swarm = await lab.door()
    budget = Limited(usd=3.5)

    async def one(number: int) -> Granted | Breach:
        return await purse(swarm, f"{ROOT}.s{number}", budget=budget).reserve(TURN, mine())

    found = await asyncio.gather(*(one(number) for number in range(20)))
    whole = [granted for granted in found if isinstance(granted, Granted) and not granted.last]
    assert len(whole) == 7
    refused = [breach for breach in found if isinstance(breach, Breach)]
    assert len(refused) == 13
    assert f"request {ROOT} may spend 3.5 USD" in refused[0].words


async def test_what_a_task_handed_on_counts_in_its_own_budget(lab: Lab) -> None:
    swarm = await lab.door()
    own = Budget(tokens=2500)
    child = purse(swarm, f"{CHILD}.task", parent=PARENT)
    assert isinstance(await child.reserve(TURN, mine()), Granted)
    await child.settle(Spent(turns=1, tokens=1000), ended=True)
    parent = purse(swarm)
    first = await parent.reserve(TURN, mine(budget=own))
    assert isinstance(first, Granted)
    assert not first.last
    second = await parent.reserve(TURN, mine(Spent(turns=1, tokens=1000), own))
    assert isinstance(second, Breach)
    assert "has used 2000" in second.words


async def test_who_goes_on_after_a_crash_settles_what_was_in_flight(lab: Lab) -> None:
    swarm = await lab.door()
    await purse(swarm).reserve(TURN, mine())
    # Its node is gone: the reservation may have been billed, and stays.
    assert await reserved(swarm, tree_key(ROOT)) == 1000
    lost = Spent(turns=1, tokens=1000, usd=0.5, maybe_billed=1)
    again = purse(swarm, attempt=2)
    await again.reserve(TURN, mine(lost))
    assert await reserved(swarm, tree_key(ROOT)) == 2000
    with pytest.raises(JobCancelled):
        await purse(swarm).reserve(TURN, mine())
    await again.settle(Spent(turns=2, tokens=1200, usd=0.6, maybe_billed=1), ended=True)
    total = spent(await account(swarm, tree_key(ROOT)))
    assert (total.turns, total.tokens, total.maybe_billed) == (2, 1200, 1)


async def test_who_comes_back_after_the_end_leaves_nothing_reserved(lab: Lab) -> None:
    """It thaws, reserves, and is refused its intent: nobody else would ever settle that."""
    swarm = await lab.door()
    await purse(swarm, attempt=2).reserve(TURN, mine())
    await purse(swarm, attempt=2).settle(Spent(turns=1, tokens=300, usd=0.1), ended=True)
    stale = purse(swarm)
    await stale.reserve(TURN, mine())
    assert await reserved(swarm, tree_key(ROOT)) == 1300
    await stale.settle(Spent(), ended=True)
    assert await reserved(swarm, tree_key(ROOT)) == 300


async def test_the_day_of_the_whole_swarm_has_a_limit(lab: Lab) -> None:
    node = await lab.worker({}, capabilities=["noop"])
    door = await lab.door()
    await door.live.change({"budget.turns": 2})
    await door.live.change({"budget.usd": 20.5})
    assert (await door.live.read()).budget_usd == 20.5

    async def seen() -> Granted | Breach:
        return await purse(node.swarm, f"{CHILD}.task").reserve(TURN, mine())

    async def heard() -> bool:
        return node.swarm.live.record.budget_turns == 2

    await wait_for_async(heard, 10, "the node follows the limits")
    first = await purse(node.swarm).reserve(TURN, mine())
    assert isinstance(first, Granted)
    assert not first.last
    second = await seen()
    assert isinstance(second, Granted)
    assert second.last
    third = await purse(node.swarm, f"{CHILD}.more").reserve(TURN, mine())
    assert isinstance(third, Breach)
    assert "the whole swarm today may ask 2 turns" in third.words


async def test_somebody_may_allow_a_request_more(lab: Lab) -> None:
    swarm = await lab.door()
    one = purse(swarm, budget=Limited(turns=1, on_breach="ask"))
    granted = await one.reserve(TURN, mine())
    assert isinstance(granted, Granted)
    assert granted.last
    after = Spent(turns=1, tokens=100)
    breach = await one.reserve(TURN, mine(after))
    assert isinstance(breach, Breach)
    assert breach.on_breach == "ask"
    await one.allow(breach)
    assert isinstance(await one.reserve(TURN, mine(after)), Granted)


async def test_what_is_allowed_a_request_pays_the_turn_that_was_asked_about(lab: Lab) -> None:
    swarm = await lab.door()
    one = purse(swarm, budget=Limited(usd=0.1, tokens=100, on_breach="ask"))
    breach = await one.reserve(TURN, mine())
    assert isinstance(breach, Breach)
    await one.allow(breach)
    granted = await one.reserve(TURN, mine())
    assert isinstance(granted, Granted)
    assert (granted.last, granted.max_tokens) == (False, 500)


async def test_what_a_person_allowed_a_task_holds_for_what_it_hands_on_and_the_other_way_round(
    lab: Lab,
) -> None:
    swarm = await lab.door()
    parent, child = purse(swarm), purse(swarm, f"{CHILD}.task", parent=PARENT)
    spent_, more = Spent(turns=2, tokens=2000), Budget(tokens=4500, on_breach="ask")
    await parent.reserve(TURN, mine(budget=Budget(tokens=2500, on_breach="ask")))
    await parent.reserve(TURN, mine(spent_, more))
    await parent.settle(spent_)
    granted = await child.reserve(TURN, mine())
    assert isinstance(granted, Granted)
    assert not granted.last, "4,500 tokens are allowed by now, not 2,500"
    after = Spent(turns=2, tokens=2000)
    await child.allow(
        Breach(
            holder=f"task {ROOT}.task, which this one is part of,", what="tokens", words="", on_breach="ask"
        )
    )
    assert isinstance(granted := await child.reserve(TURN, mine(after)), Granted)
    assert not granted.last
    await child.settle(after, ended=True)
    assert isinstance(granted := await parent.reserve(TURN, mine(spent_, more)), Granted)
    assert not granted.last, "what was allowed below holds here"


async def test_a_task_has_time_and_money(lab: Lab) -> None:
    swarm = await lab.door()
    budget = Budget(tokens=100_000, wall=timedelta(seconds=10))
    assert isinstance(await purse(swarm).reserve(TURN, mine(budget=budget, wall=9.0)), Granted)
    late = await purse(swarm).reserve(TURN, mine(budget=budget, wall=11.0))
    assert isinstance(late, Breach)
    assert late.what == "wall"
