"""Questions of agents: asked once, answered once, from any process, whoever dies meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from picoclaw.capabilities.agent.approvals.asking import Answer, Asking
from picoclaw.capabilities.executor import Context
from picoclaw.cli.approvals.questions import Questions
from picoclaw.cli.printing.live import LiveLines
from picoclaw.errors import NotFound, UsageError
from picoclaw.swarm.approvals.listing import Asked, list_asked
from picoclaw.swarm.approvals.store import decide, list_open
from picoclaw.swarm.prune import remove_request
from picoclaw.swarm.records import Parent, QueuedTask, Result
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

PUSH = Asking(
    about="tool",
    number=3,
    digest="ab" * 32,
    tool="bash",
    call="toolu_1",
    text="bash command=git push",
    rules=("ask bash: git push*",),
)


def asks(*several: Asking) -> Callable[[QueuedTask, Context], Any]:
    """What an executor does that asks one question after the other, and returns what it was answered."""

    async def do(task: QueuedTask, context: Context) -> Result:
        answers: list[Answer] = [await cast(Any, context).approvals.ask(one) for one in several]
        said = [{"verdict": one.verdict, "by": one.by, "why": one.why} for one in answers]
        return Result(summary=answers[-1].verdict, data=cast(Any, said))

    return do


async def the_question(door: Swarm, request: str) -> Asked:
    found: list[Asked] = []

    async def there() -> bool:
        found[:] = await list_open(door, request)
        return bool(found)

    await wait_for_async(there, 15, "the question")
    return found[0]


async def test_a_task_waits_without_its_slot_until_somebody_answers_once(lab: Lab) -> None:
    agent = Runs("agent", do=asks(PUSH))
    await lab.coordinator()
    await lab.worker(executors(agent, Runs("other")), slots=1)
    door = await lab.door()
    request = await ask(door, demand="agent")
    asked = await the_question(door, request)

    assert (await end_of(door, await ask(door, demand="other"))).head.state == "done", "the slot is free"
    assert asked.record.text == PUSH.text
    with pytest.raises(UsageError, match="only a step that is uncertain can be skipped"):
        await decide(door, asked.record.id, "skip", by="ann")
    both = await asyncio.gather(
        decide(door, asked.record.id, "allow", by="ann", why="mine"),
        decide(door, asked.record.id[:8], "deny", by="bob"),
        return_exceptions=True,
    )
    refused = [one for one in both if isinstance(one, UsageError)]
    assert len(refused) == 1, both
    assert "answered" in str(refused[0])
    ended = await end_of(door, request)
    assert ended.head.state == "done"
    won = both[0] if not isinstance(both[0], BaseException) else both[1]
    assert not isinstance(won, BaseException)
    assert won.verdict is not None
    assert won.verdict in str(ended.result), "what the agent was told is what was written"
    with pytest.raises(UsageError, match="was answered already"):
        await decide(door, asked.record.id, "deny", by="eve")
    with pytest.raises(NotFound, match="approvals list"):
        await decide(door, "zzz", "deny", by="eve")
    assert await list_open(door) == []
    await remove_request(door, request)
    assert await list_asked(door, request) == []


async def test_an_answer_that_came_while_nobody_ran_the_task_is_met_by_who_takes_it_over(lab: Lab) -> None:
    first, second = Runs("agent", do=asks(PUSH)), Runs("agent", do=asks(PUSH))
    await lab.coordinator()
    node = await lab.worker(executors(first))
    door = await lab.door()
    request = await ask(door, demand="agent")
    asked = await the_question(door, request)
    await node.crash()
    await decide(door, asked.record.id, "deny", by="ann", why="not on a Friday")
    await lab.worker(executors(second))

    ended = await end_of(door, request, timeout=30)
    assert "not on a Friday" in str(ended.result)
    assert len(await list_asked(door, request)) == 1, "it was asked once"


async def test_always_answers_what_the_same_rules_ask_of_the_same_task_and_nothing_else(lab: Lab) -> None:
    again = Asking(about="tool", number=5, digest="cd" * 32, text="git push two", rules=PUSH.rules)
    other = Asking(about="tool", number=7, digest="ef" * 32, text="rm", rules=("ask bash: rm *", *PUSH.rules))
    await lab.coordinator()
    await lab.worker(executors(Runs("agent", do=asks(PUSH, again, other))))
    door = await lab.door()
    request = await ask(door, demand="agent")
    await decide(door, (await the_question(door, request)).record.id, "allow", by="ann", always=True)

    left = await the_question(door, request)
    assert left.record.text == "rm", (
        "the second was answered by the first; the third is asked by a rule of its own"
    )
    await decide(door, left.record.id, "deny", by="ann")
    assert "ann (always for this run)" in str((await end_of(door, request)).result)


async def test_where_nobody_can_ever_answer_it_is_denied_at_once_and_only_what_is_ones_own(lab: Lab) -> None:
    await lab.coordinator()
    await lab.worker(executors(Runs("agent", do=asks(PUSH))), slots=2)
    door = await lab.door()
    other = await ask(door, demand="agent")
    await the_question(door, other)
    request = await ask(door, demand="agent")
    questions = Questions(door, request, LiveLines(quiet=True), stays=False)
    following = asyncio.create_task(questions.run())
    try:
        assert "nobody could be asked" in str((await end_of(door, request)).result)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert (await the_question(door, other)).record.verdict is None


async def test_what_was_handed_on_below_a_request_is_asked_with_it(lab: Lab) -> None:
    ends = asyncio.Event()

    async def holds(task: QueuedTask, context: Context) -> Result:
        await ends.wait()
        return Result(summary="held")

    await lab.coordinator()
    await lab.worker(executors(Runs("agent", do=asks(PUSH)), Runs("hold", do=holds)), slots=2)
    door = await lab.door()
    root = await ask(door, demand="hold")
    below = await ask(door, demand="agent", parent=Parent(task=f"{root}.task", root=root, depth=1))
    questions = Questions(door, root, LiveLines(quiet=True), stays=False)
    following = asyncio.create_task(questions.run())
    try:
        assert "nobody could be asked" in str((await end_of(door, below)).result)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    ends.set()
    assert (await end_of(door, root)).head.state == "done"


async def test_a_question_that_nobody_answers_is_denied_and_cannot_be_answered_later(lab: Lab) -> None:
    soon = Asking(about="budget", number=0, digest="ab", text="more?", expires=timedelta(seconds=1))
    await lab.coordinator()
    await lab.worker(executors(Runs("agent", do=asks(soon))))
    door = await lab.door()
    request = await ask(door, demand="agent")

    assert "nobody answered in time" in str((await end_of(door, request)).result)
    (asked,) = await list_asked(door, request)
    with pytest.raises(UsageError, match=r"answered already: deny by expiry"):
        await decide(door, asked.record.id, "allow", by="ann")


async def test_a_cancelled_request_leaves_no_question_that_could_be_answered(lab: Lab) -> None:
    from picoclaw.swarm.cancel import cancel_request

    await lab.coordinator()
    await lab.worker(executors(Runs("agent", do=asks(PUSH))))
    door = await lab.door()
    request = await ask(door, demand="agent")
    asked = await the_question(door, request)
    await cancel_request(door, request, why="not needed")
    await end_of(door, request)

    assert await list_open(door) == []
    with pytest.raises(UsageError, match="has ended"):
        await decide(door, asked.record.id, "allow", by="ann")
