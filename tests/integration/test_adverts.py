"""Adverts that change while a node runs: tools, definition files and workflows come and go."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from picoclaw.capabilities.executor import Executors
from picoclaw.config.settings import SwarmSettings
from picoclaw.errors import ConfigError
from picoclaw.roles.adverts import Adverts, Catalogue, Definitions, fixed
from picoclaw.roles.offering import Offering, make_offering
from picoclaw.roles.planning.template import read_template
from picoclaw.swarm.swarm import Swarm
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.swarm import Lab, ask, end_of
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.integration, pytest.mark.timeout(40)]


async def state_of(door: Swarm, *args: Any, **options: Any) -> str:
    """How a request of these words ends."""
    return (await end_of(door, await ask(door, *args, **options))).head.state


async def test_a_tool_that_appears_is_advertised_and_the_tasks_that_waited_for_it_run(lab: Lab) -> None:
    tool = Runs("tool", ready=False)
    await lab.coordinator()
    worker = await lab.worker(executors(tool))
    door = await lab.door()
    request = await ask(door, demand="tool")

    async def advertises(*capabilities: str) -> bool:
        await door.read_members()
        return door.members.table[worker.name].beat.capabilities == capabilities

    await door.read_members()
    assert door.members.table[worker.name].beat.not_ready == {"tool": "a test that makes it ready"}
    assert tool.tasks == []
    tool.ready = True
    assert (await end_of(door, request)).head.state == "done"
    await wait_for_async(lambda: advertises("tool"), 10, "the advert of the tool")
    tool.ready = False
    await wait_for_async(lambda: advertises(), 10, "the advert without the tool")
    assert (await state_of(door, demand="tool", unroutable="fail")) == "failed"


async def test_definition_files_are_read_anew_and_a_mistake_in_one_changes_nothing(
    lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "served"
    file.write_text("one")
    served = {"one": Runs("one"), "two": Runs("two")}

    def load() -> Catalogue:
        names = file.read_text().split()
        if unknown := [name for name in names if name not in served]:
            raise ConfigError(f"{file}: {unknown[0]} is no capability")
        workflow = "name: {0}\nmatch: {{asks: [go {0}]}}\ntasks: [{{step: s, demand: {0}}}]"
        return Catalogue(
            executors=executors(*(served[name] for name in names)),
            templates=tuple(read_template(workflow.format(name), "test") for name in names),
        )

    files = (tmp_path,)
    await lab.node("coordinator", definitions=Definitions(paths=files, load=load))
    await lab.node("worker", definitions=Definitions(paths=files, load=load), capabilities=["general"])
    door = await lab.door()

    assert await state_of(door, "go one") == "done"
    assert await state_of(door, "go two") == "failed"
    file.write_text("one two three")
    await wait_for_async(lambda: "three is no capability" in caplog.text, 10, "the warning")
    assert await state_of(door, "go one") == "done"
    file.write_text("two")

    async def planned() -> bool:
        return await state_of(door, "go two") == "done"

    await wait_for_async(planned, 15, "a plan by the new workflow")
    assert await state_of(door, "go one") == "failed"


def offering(ready: bool) -> Offering:
    tool = Runs("tool", ready=ready)
    settings = SwarmSettings(capabilities=("tool",))
    return make_offering(settings, "here", executors(tool), capabilities_given=True)


class Machine:
    """Looks that hang or fail when told; ready from the look after a failure on."""

    def __init__(self, *looks: str) -> None:
        self.looks = list(looks)
        self.hangs = threading.Event()
        self.let_go = threading.Event()

    def adverts(self) -> Adverts:
        return Adverts(definitions=fixed({}), make=self._look, every=timedelta(milliseconds=10))

    def _look(self, _: Executors) -> Offering:
        look = self.looks.pop(0) if self.looks else "ready"
        if look == "hang":
            self.hangs.set()
            self.let_go.wait(20)
        if look == "fail":
            raise RuntimeError("the folder is on fire")
        return offering(look == "ready")


async def test_a_look_that_fails_is_said_once_and_ends_neither_the_looking_nor_the_node(
    caplog: pytest.LogCaptureFixture,
) -> None:
    adverts = Machine("nothing", "fail", "fail", "fail").adverts()
    await adverts.begin()
    changed: asyncio.Queue[Offering] = asyncio.Queue()
    running = asyncio.create_task(adverts.run(changed.put_nowait, lambda _: None))
    after = await changed.get()
    running.cancel()
    assert after.offer.capabilities == {"tool"}
    assert caplog.text.count("stays: RuntimeError: the folder is on fire") == 1


def test_a_disk_that_hangs_keeps_no_node_from_ending() -> None:
    machine = Machine("nothing", "hang")

    async def node() -> None:
        adverts = machine.adverts()
        await adverts.begin()
        running = asyncio.create_task(adverts.run(lambda _: None, lambda _: None))
        await wait_for_async(hanging, 10, "a look that hangs")
        running.cancel()

    async def hanging() -> bool:
        return machine.hangs.is_set()

    late = threading.Timer(8, machine.let_go.set)
    late.start()
    try:
        asyncio.run(node())
        assert not machine.let_go.is_set(), "it waited for the disk"
    finally:
        late.cancel()
        machine.let_go.set()
