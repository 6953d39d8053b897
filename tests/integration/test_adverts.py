"""Adverts that change while a node runs: tools, definition files and workflows come and go."""

from pathlib import Path
from typing import Any

import pytest

from picoclaw.errors import ConfigError
from picoclaw.roles.adverts import Catalogue, Definitions
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
