"""Each symptom of the guide and of docs/troubleshooting.md is brought about, and its remedy tried."""

import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.swarm.embedded.probe import free_port
from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.docs import block
from picoclaw.tests.support.guide import nodes_of, review
from picoclaw.tests.support.nats import NatsServer, StartNats
from picoclaw.tests.support.nodes import Nodes, serving
from picoclaw.tests.support.quoted import pattern, quoted, says
from picoclaw.tests.support.terminals import Terminals
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

QUOTED = quoted("troubleshooting.md")
LEAD = ("coordinator", "lead")
DOCS = ("--swarm.capabilities", "docs")
CHECK = ["picoclaw", "--swarm.check-nats"]
"""As the guide spells it."""


LONG_AND_SHORT = """
capabilities:
  long:
    description: Takes a slot for as long as it is let.
    command: [sleep, "60"]
  short:
    description: Takes no time.
    command: ["true"]
"""


@pytest.fixture
def nodes(nats_server: NatsServer, spawn_picoclaw: SpawnPicoclaw) -> Nodes:
    hid = f"trouble {secrets.token_hex(4)}"
    return Nodes(spawn_picoclaw, "--swarm.hid", hid, "--swarm.nats.urls", nats_server.url)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing, as behind a firewall that drops packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_server_a_closed_port_and_one_without_jetstream(
    terminals: Terminals,
    spawn_picoclaw: SpawnPicoclaw,
    run_picoclaw: RunPicoclaw,
    start_nats: StartNats,
    silent_port: int,
) -> None:
    def check() -> tuple[int, str]:
        ran = run_picoclaw(*CHECK[1:])
        return ran.returncode, ran.stdout

    def node(*args: str) -> Spawned:
        return spawn_picoclaw("--swarm.role", "worker", *args)

    def at(port: int) -> tuple[str, ...]:
        return ("--swarm.nats.urls", f"nats://127.0.0.1:{port}", "--swarm.nats.connect_timeout", "300ms")

    waiting, closed, silent = node(), node(*at(free_port())), node(*at(silent_port))
    no_account = start_nats(
        config="accounts { A { users: [{user: a, password: a}] }, B { jetstream: enabled } }\n"
    )
    without = node("--swarm.nats.urls", no_account.url_as("a", "a"))
    in_clear = node("--swarm.nats.urls", no_account.url_as("a", "a").replace("nats:", "tls:"))

    assert closed.finish() == 3
    assert says(closed.output, "Nobody answers", 1)
    assert without.finish() == 3
    assert says(without.output, "The server has no JetStream", 1)
    assert in_clear.finish() == 3
    assert says(in_clear.output, "TLS", 2)
    waiting.expect(pattern(QUOTED["Nobody answers"][0]))
    code, said = check()
    assert (code, "nobody listens on port 4222" in said) == (3, True), said
    # `-js` was forgotten: a node says so at once, and joins the server that has it.
    terminals.nats_server(["nats-server"])
    code, said = check()
    assert code == 1
    assert "runs without JetStream; fix: start it with `nats-server -js`" in said
    assert waiting.finish() == 3
    assert says(waiting.output, "The server has no JetStream")
    terminals.end_server()
    terminals.nats_server(["nats-server", "-js"])
    serving(terminals.picoclaw(["picoclaw", "--swarm.role", "worker"]))
    code, said = check()
    assert (code, "failed" in said) == (0, False), said
    assert silent.finish(20) == 3
    assert says(silent.output, "It takes connections and says nothing")


def test_where_to_look_first(terminals: Terminals, run_picoclaw: RunPicoclaw) -> None:
    terminals.nats_server(["nats-server", "-js"])
    serving(terminals.picoclaw(["picoclaw", "--swarm.role", "coordinator", "--swarm.name", "lead"]))
    request = run_picoclaw("dispatch", "Look", "--capability", "docs", "--detach").stdout.strip()
    lines = block("troubleshooting.md", "Troubleshooting", "sh").commands({"ID": f"{request}.task"})
    assert CHECK in lines

    told = {words[1]: run_picoclaw(*words[1:]) for words in lines}

    assert {name: ran.returncode for name, ran in told.items()} == dict.fromkeys(told, 0), told
    assert "lead" in told["get"].stdout
    assert "unroutable" in told["describe"].stdout
    assert re.search(r"^swarm\.nats\.urls .*default", told["config"].stdout, re.MULTILINE)


def test_nodes_of_different_h_ids_do_not_see_each_other_and_of_the_same_do(
    nodes: Nodes, spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, nats_server: NatsServer
) -> None:
    astray = Nodes(spawn_picoclaw, "--swarm.hid", "astray", "--swarm.nats.urls", nats_server.url)
    nodes.start(LEAD)
    astray.start(("worker", "hand", *DOCS))
    assert [*nodes_of(run_picoclaw, *nodes.connection)] == ["lead"]
    checked = run_picoclaw(*CHECK[1:], *astray.connection)
    assert re.search("^ok +H-id +'astray'", checked.stdout, re.MULTILINE), checked.stdout
    nobody = run_picoclaw("get", "nodes", "--swarm.hid", "nobody's", "--swarm.nats.urls", nats_server.url)
    assert says(nobody.stderr, "Different H-ids")

    nodes.start(("worker", "hand", *DOCS))
    twin = nodes.begin("worker", "hand", *DOCS)

    assert sorted(nodes_of(run_picoclaw, *nodes.connection)) == ["hand", "lead"]
    assert twin.finish() == 2
    assert says(twin.output, "The name is taken")


def test_a_task_that_nobody_can_serve_says_what_is_missing_and_runs_once_somebody_can(
    nodes: Nodes, run_picoclaw: RunPicoclaw, repository: Path
) -> None:
    unable = ("--swarm.capabilities", "docs,research", "--swarm.promotable=false")
    (hand,) = nodes.start(("worker", "hand", *unable))
    assert says(hand.output, "Declared, not ready")
    door, request = nodes.dispatch("Review", "--capability", "testing", "--repo", str(repository))
    described = run_picoclaw("describe", "request", request, *nodes.connection)
    assert described.returncode == 0, described.stderr
    assert says(described.stdout, "No coordinator")

    nodes.start(LEAD)
    door.expect("no node offers testing")
    described = run_picoclaw("describe", "task", f"{request}.task", *nodes.connection)
    assert described.returncode == 0, described.stderr
    assert says(described.stdout, "Unroutable: nobody offers it")
    assert "hand (lacks capability testing)" in described.stdout

    nodes.start(("worker", "tester", "--swarm.capabilities", "testing"))
    assert door.finish(30) == 0, door.output


def test_a_task_waits_while_all_slots_are_busy_and_another_worker_takes_it(
    nodes: Nodes, run_picoclaw: RunPicoclaw, home: Path
) -> None:
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    (folder / "both.yaml").write_text(LONG_AND_SHORT, encoding="utf-8")
    able = ("--swarm.capabilities", "long,short")
    nodes.start(LEAD, ("worker", "hand", *able, "--swarm.max_concurrent", "1"))
    first, request = nodes.dispatch("Take your time", "--capability", "long")
    first.expect("task +running on hand")
    second, waiting = nodes.dispatch("Be quick", "--capability", "short")
    second.expect("planned")

    def described() -> str:
        ran = run_picoclaw("describe", "task", f"{waiting}.task", *nodes.connection)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    # Its node says with its next heartbeat that the slot is taken.
    wait_for(lambda: "slots free" not in described(), 15, "the slot to be seen as taken")
    assert says(described(), "All slots are busy", 1)
    nodes.start(("worker", "other", *able))

    second.expect("task +running on other")
    assert second.finish() == 0, second.output
    assert run_picoclaw("cancel", request, *nodes.connection).returncode == 0
    assert first.finish() == 1


def test_memory_limits_of_subscriptions_and_a_silenced_temporal_do_not_stop_a_node(
    nodes: Nodes, run_picoclaw: RunPicoclaw, repository: Path, home: Path
) -> None:
    config = home / ".picoclaw" / "config.yaml"
    config.parent.mkdir()
    config.write_text("swarm:\n  temporal:\n    address: localhost:7233\n", encoding="utf-8")
    less = ("--swarm.nats.pending_msgs_limit", "1000", "--swarm.nats.pending_bytes_limit", "4194304")
    lead, hand = nodes.start(LEAD, ("worker", "hand", *DOCS, *less, "--swarm.temporal.address="))

    review(run_picoclaw, repository, "--capability", "docs", *nodes.connection)

    assert says(lead.output, "Temporal")
    assert "Temporal" not in hand.output
    none = run_picoclaw("--swarm.nats.pending_msgs_limit", "0")
    assert none.returncode == 2
    assert "swarm.nats.pending_msgs_limit (flag --swarm.nats.pending_msgs_limit)" in none.stderr


def test_mistakes_of_the_settings_are_told_as_the_document_quotes_them(
    run_picoclaw: RunPicoclaw, home: Path
) -> None:
    config = home / "mistaken.yaml"
    config.write_text("swarm:\n  rolle: worker\n", encoding="utf-8")
    told = [
        run_picoclaw("--config", str(config), "--swarm.enabled"),
        run_picoclaw("--swarm.nats.heartbeat_interval", "10s", "--swarm.nats.node_timeout", "12s"),
        run_picoclaw("--swarm.nats.token", "a", "--swarm.nats.credentials", "b"),
        run_picoclaw(
            "--swarm.nats.urls", "nats://127.0.0.1:1", "get", "nodes", env={"PICOCLAW_SWARM_ROL": "worker"}
        ),
    ]

    for nth, ran in enumerate(told):
        assert says(ran.stderr, "Settings", nth)
    assert [ran.returncode for ran in told] == [2, 2, 2, 3]
