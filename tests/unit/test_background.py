"""Tasks beside a block: they end with it, and none begins once it is ending."""

import asyncio

import pytest

from picoclaw.swarm.background import Background, BlockEnded, background

pytestmark = pytest.mark.unit


async def test_what_runs_beside_a_block_is_cancelled_with_it() -> None:
    async with background() as tasks:
        task = tasks.start(asyncio.sleep(600))
    assert task.cancelled()


async def test_a_failure_beside_it_ends_the_block_as_itself() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def block() -> None:
        async with background() as tasks:
            tasks.start(fail())
            await asyncio.sleep(600)

    with pytest.raises(ValueError, match="broken"):
        await block()


async def test_a_block_that_is_ending_begins_nothing_and_leaves_no_coroutine() -> None:
    refused: list[str] = []

    async def late(tasks: Background) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            with pytest.raises(BlockEnded, match="late work was not begun"):
                tasks.start(asyncio.sleep(600), name="late work")
            refused.append("late work")

    async with asyncio.timeout(5):
        async with background() as tasks:
            tasks.start(late(tasks))
            await asyncio.sleep(0)
    assert refused == ["late work"]


async def test_nor_does_one_that_an_error_ends() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def late(tasks: Background) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            with pytest.raises(BlockEnded):
                tasks.start(asyncio.sleep(600))

    async def block() -> None:
        async with asyncio.timeout(5), background() as tasks:
            tasks.start(late(tasks))
            tasks.start(fail())
            await asyncio.sleep(600)

    with pytest.raises(ValueError, match="broken"):
        await block()
