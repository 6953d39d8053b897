"""`picoclaw dispatch`: hand in, watch, leave, come back, cancel."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import Nodes, serving, slow_to_review
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Connection = tuple[str, ...]


@pytest.fixture(scope="module")
def connection(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A swarm that all tests of this file share: a coordinator and a worker named `hand` for docs."""
    home = tmp_path_factory.mktemp("dispatch")
    told = ("--swarm.hid", f"dispatch {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    nodes = [
        Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "lead", *told)),
        Spawned(
            home, ("--swarm.role", "worker", "--swarm.name", "hand", "--swarm.capabilities", "docs", *told)
        ),
    ]
    try:
        for node in nodes:
            serving(node)
        yield told
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.close()


@pytest.fixture
def nodes(connection: Connection, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(spawn_picoclaw, *connection)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "small", {"a.py": '"""A."""\n\n\ndef f():\n    pass\n'})


def test_it_waits_and_streams_and_stdout_is_the_report_alone(
    connection: Connection, run_picoclaw: RunPicoclaw, small: Path
) -> None:
    ran = run_picoclaw("dispatch", "Review", "-c", "docs", "--repo", str(small), *connection)

    assert ran.returncode == 0, ran.stderr
    told = [line.split("s  ", 1)[1] for line in ran.stderr.splitlines()]
    steps = (
        "sending",
        "request r-",
        "accepted by lead",
        "planned",
        "task       running on hand",
        "task       done: docs",
    )
    places = [next(n for n, line in enumerate(told) if line.startswith(step)) for step in steps]
    assert places == sorted(places)
    assert any("ruff: " in line for line in told)
    assert ran.stdout.startswith("# ")
    assert "a.py" in ran.stdout


def test_json_is_all_that_is_printed(connection: Connection, run_picoclaw: RunPicoclaw, small: Path) -> None:
    ran = run_picoclaw("dispatch", "Review", "-c", "docs", "--repo", str(small), "--json", *connection)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["state"] == "done"


def test_detach_prints_the_id_alone_and_result_comes_back_to_it(
    connection: Connection, run_picoclaw: RunPicoclaw, small: Path
) -> None:
    sent = run_picoclaw("dispatch", "Review", "-c", "docs", "--repo", str(small), "--detach", *connection)
    assert (sent.returncode, sent.stderr) == (0, "")
    request = sent.stdout.strip()
    assert request.startswith("r-")

    def ended() -> str | None:
        ran = run_picoclaw("result", request, *connection)
        assert ran.returncode in (0, 4), ran.stderr
        return ran.stdout if ran.returncode == 0 else None

    assert "a.py" in wait_for(ended, 20)


def test_ctrl_c_leaves_the_request_running_and_says_how_to_come_back(
    nodes: Nodes, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    slow = slow_to_review(tmp_path / "slow", files=500)
    door, request = nodes.dispatch("Review", "-c", "docs", "--repo", str(slow))
    door.expect("running on hand")

    door.interrupt()

    assert door.finish() == 130
    assert f"{request} goes on; come back with `picoclaw watch {request}`" in door.output
    assert "Traceback" not in door.output
    assert run_picoclaw("result", request, *nodes.connection).returncode in (0, 4)
    wait_for(lambda: run_picoclaw("result", request, *nodes.connection).returncode == 0, 40)


def test_cancelled_from_another_terminal_it_ends_with_1_and_says_why(
    nodes: Nodes, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    slow = slow_to_review(tmp_path / "slow", files=1500)
    door, request = nodes.dispatch("Review", "-c", "docs", "--repo", str(slow))
    door.expect("running on hand")

    cancelled = run_picoclaw("cancel", request, *nodes.connection)

    assert cancelled.returncode == 0, cancelled.stderr
    assert door.finish() == 1
    assert f"{request} cancelled: person: " in door.output


def test_a_capability_that_nobody_offers_is_said_at_once_and_waits_until_somebody_does(
    nodes: Nodes, small: Path
) -> None:
    door, _ = nodes.dispatch("Review", "-c", "testing", "--repo", str(small))

    door.expect("no node offers testing; nearest: hand")
    door.expect("start one: picoclaw --swarm.role worker --swarm.capabilities testing$")
    door.expect("it waits until then; `picoclaw cancel r-")
    assert door.running
    nodes.start(("worker", "tester", "--swarm.capabilities", "qa"))

    door.expect("task +running on tester")
    assert door.finish() == 0, door.output


def test_with_a_timeout_it_ends_failed_in_time(connection: Connection, run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw("dispatch", "Think", "-c", "research", "--timeout", "1s", *connection)

    assert ran.returncode == 1
    assert "failed: deadline: " in ran.stderr.splitlines()[-1]


def test_without_a_coordinator_it_waits_in_the_inbox_until_one_comes(
    nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw, small: Path
) -> None:
    nodes = Nodes(
        spawn_picoclaw, "--swarm.hid", f"inbox {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url
    )
    nodes.start(("worker", "hand", "--swarm.capabilities", "docs", "--swarm.promotable=false"))
    door, _ = nodes.dispatch("Review", "-c", "docs", "--repo", str(small))

    door.expect("no coordinator is alive: it waits in the inbox; start one with --swarm.role coordinator")
    assert door.running
    nodes.start(("coordinator", "late"))

    door.expect("accepted by late")
    assert door.finish() == 0, door.output


def test_without_a_coordinator_a_worker_takes_the_role_and_its_lists_say_so(
    nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, small: Path
) -> None:
    hid = ("--swarm.hid", f"alone {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    nodes = Nodes(spawn_picoclaw, *hid)
    (hand,) = nodes.start(("worker", "hand", "--swarm.capabilities", "docs"))
    nodes.start(("specialist", "other", "--swarm.capabilities", "code"))
    door, _ = nodes.dispatch("Review", "-c", "docs", "--repo", str(small))

    door.expect("accepted by hand", 20)
    assert door.finish() == 0, door.output
    hand.expect("Coordinator role taken")
    wide = run_picoclaw("get", "nodes", "-o", "wide", *hid).stdout
    described = run_picoclaw("describe", "node", "hand", *hid).stdout
    panel = run_picoclaw("--swarm.dashboard", *hid).stdout
    listed = {node["name"]: node for node in json.loads(run_picoclaw("get", "nodes", "--json", *hid).stdout)}

    assert "worker,leads" in wide
    assert "specialist,leads" not in wide
    assert "leads: it was promoted, as no coordinator was alive" in described
    assert "  Leads:      hand (promoted)" in panel
    assert {name: (node["leads"], node["promotable"]) for name, node in listed.items()} == {
        "hand": (True, True),
        "other": (False, False),
    }

    nodes.start(("coordinator", "late"))
    hand.expect("Coordinator role given back")
    again, _ = nodes.dispatch("Review", "-c", "docs", "--repo", str(small))
    again.expect("accepted by late")
    assert again.finish() == 0, again.output


def test_the_same_key_again_follows_the_same_request(
    connection: Connection, run_picoclaw: RunPicoclaw, small: Path
) -> None:
    args = (
        "dispatch",
        "Review",
        "-c",
        "docs",
        "--repo",
        str(small),
        "--key",
        secrets.token_hex(8),
        *connection,
    )
    first, second = run_picoclaw(*args), run_picoclaw(*args)

    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert "(sent before: following it)" in second.stderr
    assert second.stdout == first.stdout
