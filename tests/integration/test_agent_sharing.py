"""What agents share and tell each other: once each, whatever is repeated, and nobody else's."""

import asyncio
import time

import pytest

from picoclaw.capabilities.executor import Context
from picoclaw.errors import NameRefused, UsageError
from picoclaw.roles.agents.sharing import deliver
from picoclaw.roles.context import JobContext
from picoclaw.swarm.prune import remove_request
from picoclaw.swarm.records import QueuedTask, Result
from picoclaw.swarm.sharing.accounts import Accounts
from picoclaw.swarm.sharing.blackboard import INLINE, LARGEST, MOST_KEYS, Board
from picoclaw.swarm.sharing.post import AT_ONCE, MOST_WAITING, Address, Post, PostOffice, letter_id
from picoclaw.swarm.sharing.spending import Spending, Sum, tree_key, written
from picoclaw.swarm.subjects import request_id
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Gate, Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

REQUEST = request_id("one")[0]
OTHER = request_id("two")[0]


def board(swarm: Swarm, request: str = REQUEST) -> Board:
    return Board(swarm.wire, swarm.names, swarm.artifacts, request)


# --- the blackboard ---


async def test_what_one_task_shares_the_others_of_its_request_recall(lab: Lab) -> None:
    swarm = await lab.door()
    await board(swarm).share("findings/ä b", {"n": [1, None]}, by="r.a", call="a/1")
    await board(swarm).share("large", "x" * (INLINE + 1), by="r.a", call="a/2")
    assert await board(swarm).recall("findings/ä b") == {"findings/ä b": {"n": [1, None]}}
    assert await board(swarm).recall() == {"findings/ä b": {"n": [1, None]}, "large": "x" * (INLINE + 1)}
    assert await board(swarm).recall("nothing") == {}
    assert await board(swarm, OTHER).recall() == {}
    lab.hid = f"another {lab.hid}"
    assert await board(await lab.door()).recall() == {}


async def test_a_call_that_is_repeated_undoes_nothing(lab: Lab) -> None:
    swarm = await lab.door()
    await board(swarm).share("key", 1, by="r.a", call="a/1")
    await board(swarm).share("key", 2, by="r.b", call="b/1")
    await board(swarm).share("key", 1, by="r.a", call="a/1")
    assert await board(swarm).recall("key") == {"key": 2}


async def test_many_write_one_key_at_once(lab: Lab) -> None:
    swarm = await lab.door()
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(board(swarm).share("key", number, by="r.a", call=f"a/{number}"))
    (shared,) = await board(swarm).shared()
    assert len(shared.calls) == 20


async def test_what_does_not_fit_is_refused_in_words(lab: Lab) -> None:
    swarm = await lab.door()
    mine = board(swarm)
    for key in ("", "x" * 201, "two\nlines"):
        with pytest.raises(UsageError, match="is no key"):
            await mine.share(key, 1, by="r.a", call="a/1")
    with pytest.raises(UsageError, match="the limit is"):
        await mine.share("key", "x" * LARGEST, by="r.a", call="a/1")
    async with asyncio.TaskGroup() as group:
        for number in range(MOST_KEYS):
            group.create_task(mine.share(str(number), 1, by="r.a", call="a/1"))
    with pytest.raises(UsageError, match="under one key"):
        await mine.share("one more", 1, by="r.a", call="a/1")
    await mine.share("7", 2, by="r.a", call="a/2")  # one that is there may change


async def test_it_goes_with_its_request(lab: Lab) -> None:
    swarm = await lab.door()
    await lab.coordinator()
    await lab.worker(executors(Runs()))
    request = await ask(swarm, demand="noop")
    await end_of(swarm, request)
    accounts = Accounts(swarm.wire, swarm.names)
    await board(swarm, request).share("key", 1, by="r.a", call="a/1")
    await board(swarm).share("key", 1, by="r.a", call="a/1")
    await accounts.change(tree_key(request), lambda one: written(one, "t", 1, Sum(), Sum(tokens=1)))
    assert await remove_request(swarm, request)
    assert await board(swarm, request).recall() == {}
    assert (await accounts.read(tree_key(request)))[0] == Spending()
    assert await board(swarm).recall() == {"key": 1}


# --- mail ---


def post(to: str, text: str = "hello", key: str = "1", sender: str = "somebody") -> Post:
    return Post(id=letter_id(f"{sender}/{key}"), to=to, sender=sender, text=text, at=time.time())


def texts(posts: tuple[Post, ...]) -> list[str]:
    return [one.text for one in posts]


async def test_a_letter_is_there_once_and_read_by_one(lab: Lab) -> None:
    swarm = await lab.door()
    office, coder = PostOffice(swarm.wire, swarm.names), Address("agent", "coder")
    assert await office.send(post("agent:coder"), coder)
    assert not await office.send(post("agent:coder"), coder)
    first = await office.receive("r-1.a", [coder], told=())
    assert texts(first) == ["hello"]
    assert await office.receive("r-1.b", [coder], told=()) == ()
    # After a crash before it was written down the same task is told again, another one never.
    assert await office.receive("r-1.a", [coder], told=()) == first
    assert await office.receive("r-1.a", [coder], told=[first[0].id]) == ()
    assert await office.waiting(coder) == 0


async def test_nobody_reads_its_own_words(lab: Lab) -> None:
    swarm = await lab.door()
    office, node = PostOffice(swarm.wire, swarm.names), Address("node", "claw-1")
    await office.send(post("node:claw-1", sender="r-1.a"), node)
    assert await office.receive("r-1.a", [node], told=()) == ()
    assert len(await office.receive("r-1.b", [node], told=())) == 1


async def test_a_flood_is_refused_and_comes_in_pieces(lab: Lab) -> None:
    swarm = await lab.door()
    office, coder = PostOffice(swarm.wire, swarm.names), Address("agent", "coder")
    async with asyncio.TaskGroup() as group:
        for number in range(MOST_WAITING):
            group.create_task(office.send(post("agent:coder", key=str(number)), coder))
    with pytest.raises(UsageError, match="nobody reads them"):
        await office.send(post("agent:coder", key="more"), coder)
    await office.send(post("agent:other"), Address("agent", "other"))
    assert len(await office.receive("r-1.a", [coder], told=())) == AT_ONCE
    for text in ("", "x" * 16_001):
        with pytest.raises(UsageError):
            await office.send(post("agent:other", text, key="2"), Address("agent", "other"))


async def test_a_task_is_told_while_it_runs_and_not_after(lab: Lab) -> None:
    gate, said = Gate(), list[str]()

    async def listen(task: QueuedTask, context: Context) -> Result:
        assert isinstance(context, JobContext)
        await gate(task, context)
        letters = await context.mail.receive(())
        said.extend(letter.text for letter in letters)
        assert await context.mail.receive([letter.id for letter in letters]) == ()
        return Result()

    swarm = await lab.door()
    await lab.coordinator()
    runs = Runs(do=listen)
    worker = await lab.worker(executors(runs))
    request = await ask(swarm, demand="noop")
    task = (await runs.next()).id
    await swarm.read_members()
    assert "is told" in await deliver(swarm, post(task, "to the task"))
    assert "is told" in await deliver(swarm, post(f"node:{worker.name}", "to the node", key="2"))
    gate.open()
    await end_of(swarm, request)
    assert sorted(said) == ["to the node", "to the task"]
    with pytest.raises(UsageError, match="has ended"):
        await deliver(swarm, post(task, key="3"))


async def test_addresses_that_nobody_can_have(lab: Lab) -> None:
    swarm = await lab.door()
    for wrong in ("", "coder", "r-1.a", f"{REQUEST}", f"{REQUEST}.*", f"{REQUEST}.a b"):
        with pytest.raises(UsageError, match="is no address"):
            await deliver(swarm, post(wrong))
    with pytest.raises(NameRefused):
        await deliver(swarm, post("agent:"))
    with pytest.raises(UsageError, match="there is no task"):
        await deliver(swarm, post(f"{REQUEST}.a"))
    assert "kept for a day" in await deliver(swarm, post("agent:nobody"))
    assert "kept for a day" in await deliver(swarm, post("node:nobody"))

    async def kept() -> bool:
        return await PostOffice(swarm.wire, swarm.names).waiting(Address("agent", "nobody")) == 1

    await wait_for_async(kept, 5, "it waits for whoever comes")
