"""Symptoms of docs/troubleshooting.md in a swarm that runs: brought about, and the remedy tried."""

import secrets
import signal
from pathlib import Path

import nats
import pytest

from picoclaw.swarm.subjects import Names
from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.guide import nodes_of, review
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import Nodes, look, may_judge
from picoclaw.tests.support.quoted import pattern, quoted, says
from picoclaw.tests.support.waiting import wait_for, wait_for_async

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

QUOTED = quoted("troubleshooting.md")
LEAD = ("coordinator", "lead")
DOCS = ("--swarm.capabilities", "docs")
DOCS_ONLY = ("--capability", "docs")

FAILING = """
capabilities:
  flaky:
    description: Fails once.
    shell: mkdir "$TASK_HERE/$TASK_REQUEST"
    exit_codes: {0: retry, 1: done}
  hopeless:
    description: Fails whenever it is tried.
    shell: echo "no paper" >&2; exit 1
    exit_codes: {1: retry}
  stuck:
    description: Hangs the first time.
    shell: mkdir "$TASK_HERE/$TASK_REQUEST" && exec sleep 40; true
"""


@pytest.fixture
def hid() -> str:
    return f"trouble {secrets.token_hex(4)}"


@pytest.fixture
def nodes(hid: str, nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(spawn_picoclaw, "--swarm.hid", hid, "--swarm.nats.urls", nats_server.url)


async def test_tasks_that_fail_or_lose_their_node_are_tried_again_and_the_hopeless_is_kept(
    nodes: Nodes, run_picoclaw: RunPicoclaw, nats_server: NatsServer, hid: str, home: Path, tmp_path: Path
) -> None:
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    (folder / "failing.yaml").write_text(FAILING, encoding="utf-8")
    able = ("--swarm.capabilities", "flaky,hopeless,stuck", "--swarm.drain_timeout", "100ms")
    lead, *workers = nodes.start(LEAD, *(("worker", name, *able) for name in ("one", "two", "three")))
    by_name = dict(zip(("one", "two", "three"), workers, strict=True))

    def all_said() -> str:
        return "\n".join(node.output for node in (lead, *workers))

    flaky, _ = nodes.dispatch("Try", "--capability", "flaky")
    hopeless, dead = nodes.dispatch("Try", "--capability", "hopeless")
    drained, hanging = nodes.dispatch("Try", "--capability", "stuck")
    wait_for((folder / hanging).exists)
    by_name.pop(drained.expect(r"task +running on (\w+)").group(1)).terminate()
    drained.expect(pattern(QUOTED["A node that was stopped"][0]))
    assert drained.finish(20) == 0, drained.output
    assert flaky.finish(20) == 0, flaky.output
    assert says(all_said(), "Tried again", 0)
    assert hopeless.finish(20) == 1
    assert says(all_said(), "Dead")
    assert "no paper" in hopeless.output
    assert dead in run_picoclaw("dlq", "list", *nodes.connection).stdout

    async with look(nats_server.url, hid, tmp_path / "look") as lab:
        await may_judge(await lab.door(), "lead")
    lost, hanging = nodes.dispatch("Try", "--capability", "stuck")
    await wait_for_async((folder / hanging).exists)
    by_name.pop(lost.expect(r"task +running on (\w+)").group(1)).kill9()
    assert lost.finish(30) == 0, lost.output
    assert says(lead.output, "Tried again", 1)
    lead.expect(pattern(QUOTED["Offline, and it is not"][0]))


@pytest.mark.long
def test_a_node_that_was_away_while_another_took_its_name_ends(
    nodes: Nodes, run_picoclaw: RunPicoclaw
) -> None:
    (first,) = nodes.start(("worker", "twin", *DOCS))
    first.signal(signal.SIGSTOP)

    (second,) = nodes.start(("worker", "twin", *DOCS))
    first.signal(signal.SIGCONT)

    assert first.finish() == 2
    assert says(first.output, "The name is taken", 1)
    # The first one's last heartbeat may stand there until the second one's next.
    wait_for(lambda: nodes_of(run_picoclaw, *nodes.connection)["twin"]["pid"] == second.pid)


async def test_a_log_that_is_full_takes_no_requests_until_it_has_room(
    nodes: Nodes, run_picoclaw: RunPicoclaw, nats_server: NatsServer, hid: str, repository: Path, tmp_path: Path
) -> None:  # fmt: skip
    (lead,) = nodes.start((*LEAD, *DOCS))
    review(run_picoclaw, repository, *DOCS_ONLY, *nodes.connection)
    async with look(nats_server.url, hid, tmp_path / "look") as lab:
        swarm = await lab.door()
        info = await swarm.wire.api(f"STREAM.INFO.{swarm.names.log}")

        async def resize(size: int) -> None:
            await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.log}", info["config"] | {"max_bytes": size})

        await resize(info["state"]["bytes"] + 10)
        full = run_picoclaw("dispatch", "Review", *DOCS_ONLY, *nodes.connection)
        await lead.expect_async(pattern(QUOTED["The log is full"][0]))
        await resize(info["config"]["max_bytes"])

    assert full.returncode == 1
    assert says(full.stderr, "The log is full", 1)
    review(run_picoclaw, repository, *DOCS_ONLY, *nodes.connection)


async def test_a_flood_of_strangers_messages_is_told_and_changes_nothing(
    nodes: Nodes, run_picoclaw: RunPicoclaw, nats_server: NatsServer, hid: str, repository: Path
) -> None:
    (lead,) = nodes.start((*LEAD, *DOCS, "--swarm.nats.pending_msgs_limit", "100"))
    stranger = await nats.connect(nats_server.url)
    for number in range(20_000):
        await stranger.publish(Names(hid).member(f"nobody{number % 50}"), b"hello")
    await stranger.flush()
    await stranger.close()

    await lead.expect_async(pattern(QUOTED["In the log, and harmless"][0]))
    await lead.expect_async(pattern(QUOTED["A node needs too much memory"][0]))
    review(run_picoclaw, repository, *DOCS_ONLY, *nodes.connection)
