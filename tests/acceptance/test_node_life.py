"""The life of a node as a person sees it: how it comes, what it says, how it leaves."""

import json
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from picoclaw.swarm.embedded.probe import free_port
from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.nodes import Nodes, events, log_lines, serving, slow_to_review
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

PHRASES = ("Node joined swarm", "Task assigned", "Task completed", "Node marked offline")
"""The guide's, verbatim."""
DOCS = ("--swarm.capabilities", "docs")


@pytest.fixture
def nodes(nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    return Nodes(
        spawn_picoclaw, "--swarm.hid", f"life {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "small", {"a.py": '"""A."""\n'})


def table(run: RunPicoclaw, nodes: Nodes) -> dict[str, dict[str, Any]]:
    """What `get nodes` shows, by name."""
    ran = run("get", "nodes", "--json", *nodes.connection)
    assert ran.returncode == 0, ran.stderr
    return {node["name"]: node for node in json.loads(ran.stdout)}


def test_sigterm_drains_the_running_task_ends_and_the_node_says_goodbye(
    nodes: Nodes, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    lead, hand = nodes.start(("coordinator", "lead"), ("worker", "hand", *DOCS))
    slow = slow_to_review(tmp_path / "slow")
    door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(slow))
    door.expect("task +running on hand")

    hand.terminate()

    hand.expect("draining")
    assert door.finish() == 0, door.output
    assert "queued again" not in door.output
    assert hand.wait() == 0
    shown = table(run_picoclaw, nodes)
    assert (shown["hand"]["status"], shown["lead"]["status"]) == ("offline", "online")
    lead.expect("Node marked offline")
    (offline,) = events(log_lines(lead), "Node marked offline")
    assert (offline["member"], offline["reason"], offline["level"]) == ("hand", "goodbye", "info")


def test_what_does_not_end_within_the_drain_is_handed_back_and_costs_no_attempt(
    nodes: Nodes, run_picoclaw: RunPicoclaw, tmp_path: Path
) -> None:
    _, hand = nodes.start(
        ("coordinator", "lead"), ("worker", "hand", *DOCS, "--swarm.drain_timeout", "100ms")
    )
    slow = slow_to_review(tmp_path / "slow")
    door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(slow))
    door.expect("task +running on hand")

    hand.terminate()

    door.expect("queued again: drained: its node stopped")
    assert hand.wait() == 0
    nodes.start(("worker", "other", *DOCS))
    door.expect("task +running on other")
    assert door.finish() == 0, door.output


def test_a_capability_that_is_not_ready_is_warned_of_and_shown(
    nodes: Nodes, run_picoclaw: RunPicoclaw
) -> None:
    (worker,) = nodes.start(("worker", "scholar", "--swarm.capabilities", "research"))

    worker.expect("capability research is declared, not ready: needs a model")
    shown = table(run_picoclaw, nodes)["scholar"]
    assert (shown["capabilities"], list(shown["not_ready"])) == ([], ["research"])


def test_strict_refuses_a_capability_that_is_not_ready(
    run_picoclaw: RunPicoclaw, nats_server: NatsServer, home: Path
) -> None:
    ran = run_picoclaw(
        "--swarm.role", "worker", "--swarm.capabilities", "docs,research", "--swarm.strict",
        "--swarm.nats.urls", nats_server.url,
    )  # fmt: skip

    assert ran.returncode == 2
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("picoclaw: error: --swarm.strict: declared capabilities are not ready (research:")
    assert "needs a model" in last
    assert "docs" not in last
    assert not (home / ".picoclaw" / "run").exists()


def test_of_two_live_nodes_with_one_name_the_second_is_refused(
    nodes: Nodes, run_picoclaw: RunPicoclaw
) -> None:
    (first,) = nodes.start(("worker", "twin", *DOCS))

    second = nodes.begin("worker", "twin", *DOCS)

    assert second.finish() == 2
    last = second.lines[-1]
    assert last.startswith("picoclaw: error: a live node is called 'twin' already")
    assert f"(pid {first.pid} on {socket.gethostname()})" in last
    assert "--swarm.name" in last
    assert first.running
    assert table(run_picoclaw, nodes)["twin"]["pid"] == first.pid


def test_a_name_is_free_again_at_once_after_its_node_was_killed(
    nodes: Nodes, run_picoclaw: RunPicoclaw
) -> None:
    (first,) = nodes.start(("worker", "twin", *DOCS))
    first.kill9()

    (second,) = nodes.start(("worker", "twin", *DOCS))

    assert table(run_picoclaw, nodes)["twin"]["pid"] == second.pid


@pytest.mark.parametrize("name", ["two words", "dotted.name.", "wild * card >", "Zoë 世界 🦀", "a@b=c,d+e"])
def test_a_name_of_any_alphabet_with_dots_spaces_and_wildcards_works(
    name: str, nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, small: Path
) -> None:
    hid = f"{name} {secrets.token_hex(4)}"
    nodes = Nodes(spawn_picoclaw, "--swarm.hid", hid, "--swarm.nats.urls", nats_server.url)
    nodes.start(("coordinator", f"lead {name}"), ("worker", name, *DOCS))

    door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(small))

    assert door.finish() == 0, door.output
    assert f"running on {name}" in door.output
    assert table(run_picoclaw, nodes)[name]["status"] == "online"


@pytest.mark.parametrize("flag", ["--swarm.name", "--swarm.hid"])
def test_a_name_with_a_control_character_is_refused(run_picoclaw: RunPicoclaw, flag: str) -> None:
    ran = run_picoclaw("--swarm.role", "worker", flag, "bell\x07\x1b[31m")

    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "holds a control character" in ran.stderr
    assert "\x07" not in ran.stderr
    assert "\x1b" not in ran.stderr


def test_with_a_temporal_address_the_guides_warning_comes_once_and_work_goes_on(
    nodes: Nodes, small: Path
) -> None:
    temporal = ("--swarm.temporal.address", "localhost:7233", "--swarm.temporal.enabled")
    both = nodes.start(("coordinator", "lead", *temporal), ("worker", "hand", *DOCS, *temporal))

    door, _ = nodes.dispatch("Review", "--capability", "docs", "--repo", str(small))

    assert door.finish() == 0, door.output
    for node in both:
        assert node.output.count("Temporal connection failed (workflows disabled)") == 1


def test_a_node_waits_for_its_server_says_so_and_joins_when_it_comes(
    spawn_picoclaw: SpawnPicoclaw, start_nats: StartNats
) -> None:
    port = free_port()
    worker = spawn_picoclaw("--swarm.role", "worker", "--swarm.nats.urls", f"nats://127.0.0.1:{port}")

    worker.expect(rf"waiting for a NATS server at nats://127.0.0.1:{port} \(from flag --swarm.nats.urls\)")
    assert worker.running
    start_nats(port=port)

    serving(worker)
    worker.terminate()
    assert worker.wait() == 0


def test_a_node_that_waits_for_its_server_stops_at_the_first_word(spawn_picoclaw: SpawnPicoclaw) -> None:
    worker = spawn_picoclaw("--swarm.nats.urls", f"nats://127.0.0.1:{free_port()}")
    worker.expect("waiting for a NATS server")

    worker.interrupt()

    assert worker.wait(5) == 130
    assert "Traceback" not in worker.output


def test_a_node_whose_terminal_closes_drains_and_says_goodbye(nodes: Nodes) -> None:
    lead, hand = nodes.start(("coordinator", "lead"), ("worker", "hand", *DOCS))

    hand.signal(signal.SIGHUP)
    hand.signal(signal.SIGHUP)

    assert hand.wait() == 0
    lead.expect("Node marked offline.*goodbye")


def test_a_node_whose_server_does_not_come_gives_up_with_the_address_and_its_source(
    run_picoclaw: RunPicoclaw,
) -> None:
    url = f"nats://127.0.0.1:{free_port()}"

    ran = run_picoclaw("--swarm.nats.urls", url, "--swarm.nats.connect_timeout", "300ms")

    assert ran.returncode == 3
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("picoclaw: error: ")
    assert url in last
    assert "flag --swarm.nats.urls" in last


def test_without_a_terminal_every_line_is_json_bound_to_node_request_task_and_attempt(
    nodes: Nodes, small: Path
) -> None:
    lead, hand = nodes.start(
        ("coordinator", "lead", "--log.level", "debug"), ("worker", "hand", *DOCS, "--log.level", "debug")
    )
    door, request = nodes.dispatch("Review", "--capability", "docs", "--repo", str(small))
    assert door.finish() == 0, door.output
    hand.terminate()
    assert hand.finish() == 0
    lead.expect("Node marked offline")
    before_its_end = log_lines(lead)
    lead.terminate()
    assert lead.finish() == 0

    for node, name in ((lead, "lead"), (hand, "hand")):
        lines = log_lines(node)
        assert {line["node"] for line in lines} == {name}
        assert all(line["timestamp"] and line["level"] for line in lines)
        for word in ("Task assigned", "Task completed"):
            (told,) = events(lines, word)
            assert (told["request"], told["task"], told["attempt"]) == (request, f"{request}.task", 1)
    # The coordinator's log has all of the guide's patterns, and whom each of them is about.
    about = {phrase: {line["member"] for line in events(before_its_end, phrase)} for phrase in PHRASES}
    assert about == {
        "Node joined swarm": {"lead", "hand"},
        "Task assigned": {"hand"},
        "Task completed": {"hand"},
        "Node marked offline": {"hand"},
    }


def test_at_a_terminal_a_log_is_text(spawn_picoclaw: SpawnPicoclaw, nats_server: NatsServer) -> None:
    worker = spawn_picoclaw(
        "--swarm.role", "worker", "--swarm.hid", secrets.token_hex(4), "--swarm.nats.urls", nats_server.url,
        terminal=True,
    )  # fmt: skip

    worker.expect("Node joined swarm")
    wait_for(lambda: "is in swarm" in worker.output)

    assert "{" not in worker.output
