"""Limits that all processes of one home keep together, whoever is killed and whatever lies in the files."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.capabilities.agent.models.pacing import Limits
from picoclaw.capabilities.agent.models.rates import Rates
from picoclaw.errors import ModelUnavailable
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

HOLDER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from picoclaw.capabilities.agent.models.pacing import Limits
from picoclaw.capabilities.agent.models.rates import Rates

async def hold():
    rates = Rates(folder=Path(sys.argv[1]), at_once=1, limits=Limits(tokens=1000))
    async with rates.place("p", "p/m", 800, timedelta(seconds=5)):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""
SOON = timedelta(seconds=0.2)
PATIENT = timedelta(seconds=20)


@contextmanager
def holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


async def test_a_killed_holder_frees_its_place_and_what_it_took_stays_counted(tmp_path: Path) -> None:
    places = Rates(folder=tmp_path / "llm", at_once=1)
    with holder(tmp_path / "llm") as process:
        with pytest.raises(ModelUnavailable, match=r"llm\.at_once"):
            async with places.place("p", "p/m", 1, SOON):
                pass
        async with places.place("other", "other/m", 1, SOON):
            pass

        process.send_signal(signal.SIGKILL)
        async with places.place("p", "p/m", 1, PATIENT):
            pass

    paced = Rates(folder=tmp_path / "llm", limits=Limits(tokens=1000))
    with pytest.raises(ModelUnavailable, match=r"llm\.tokens_per_minute") as raised:
        async with paced.place("p", "p/m", 300, SOON):
            pass
    assert raised.value.delay is not None
    assert timedelta(seconds=20) < raised.value.delay < timedelta(seconds=61)


async def test_no_more_at_once_than_may_be(tmp_path: Path) -> None:
    rates = Rates(folder=tmp_path / "llm", at_once=2)
    now = most = 0

    async def work() -> None:
        nonlocal now, most
        async with rates.place("p", "p/m", 1, PATIENT):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.02)
            now -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(work())
    assert most == 2


async def test_what_was_taken_replaces_the_estimate(tmp_path: Path) -> None:
    rates = Rates(folder=tmp_path, limits=Limits(tokens=1000))
    async with rates.place("p", "p/m", 900, SOON) as place:
        place.tokens = 100
    async with rates.place("p", "p/m", 900, SOON):
        pass


async def test_a_model_that_asks_for_rest_is_left_alone_by_all(tmp_path: Path) -> None:
    one, other = (Rates(folder=tmp_path, limits=Limits(requests=100)) for _ in range(2))
    async with one.place("p", "p/m", 1, SOON) as place:
        place.rest = timedelta(seconds=30)
    with pytest.raises(ModelUnavailable, match="asked this machine to wait") as raised:
        async with other.place("p", "p/m", 1, PATIENT):
            pass
    assert raised.value.delay is not None
    assert raised.value.delay > timedelta(seconds=25)
    async with other.place("p", "p/n", 1, SOON):
        pass


async def test_who_gives_up_waiting_leaves_no_trace(tmp_path: Path) -> None:
    rates = Rates(folder=tmp_path, limits=Limits(requests=1))
    path = tmp_path / "p.json"
    async with rates.place("p", "p/m", 1, SOON):
        pass

    def grants() -> list[object]:
        text = path.read_text(encoding="utf-8")  # empty while it is written
        return list(json.loads(text)["grants"]) if text.endswith("}") else []

    before = grants()

    async def wait() -> None:
        async with rates.place("p", "p/m", 1, timedelta(minutes=2)):
            pytest.fail("it went")

    waiting = asyncio.create_task(wait())
    await wait_for_async(lambda: len(grants()) == 2, what="the waiter has its time")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert grants() == before


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"boot": "another", "grants": [["a", 1, 1]], "held": []}', "\x00\xff", '{"boot": 1}'],
)
async def test_a_damaged_file_or_one_of_another_boot_is_begun_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text, encoding="latin-1")
    async with Rates(folder=tmp_path, limits=Limits(requests=1)).place("p", "p/m", 1, SOON):
        pass


@pytest.mark.parametrize(
    "change", [{"grants": [["a", time.monotonic() + 10**9, 1]]}, {"boot": "another"}], ids=["ahead", "boot"]
)
async def test_times_of_another_clock_count_for_nothing(tmp_path: Path, change: dict[str, object]) -> None:
    rates = Rates(folder=tmp_path, limits=Limits(requests=1))
    async with rates.place("p", "p/m", 1, SOON):
        pass
    path = tmp_path / "p.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data | change), encoding="utf-8")
    async with rates.place("p", "p/m", 1, SOON):
        pass


async def test_without_limits_nothing_is_written(tmp_path: Path) -> None:
    async with Rates(folder=tmp_path / "llm").place("p", "p/m", 10**9, SOON):
        pass
    assert not (tmp_path / "llm").exists()
