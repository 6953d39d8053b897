"""The guide's deployment scenarios as typed, in real processes."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nats
import pytest

from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.guide import guide, nodes_of, review
from picoclaw.tests.support.network import machines, why_no_namespace
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.terminals import Terminals

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(150)]

DOCS_ONLY = ("--capability", "docs")
"""The quickest task that there is."""


def roles(nodes: dict[str, dict[str, Any]]) -> Counter[str]:
    """How many nodes of each role are online."""
    return Counter(node["role"] for node in nodes.values() if node["status"] in ("online", "busy"))


def test_local_development_three_terminals(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path
) -> None:
    coordinator, worker = guide("1. Local development").commands()
    # "Terminal 2-3: Workers": the same line in both.
    nodes = [terminals.picoclaw(line) for line in (coordinator, worker, worker)]
    for node in nodes:
        serving(node)

    report = review(run_picoclaw, repository, "--capability", "code")

    assert "`app.py:1`" in report
    assert roles(nodes_of(run_picoclaw)) == {"coordinator": 1, "worker": 2}


def pattern_of(sample: str) -> str:
    """The sample's line as a pattern: ids, counts, bars and durations may be others."""
    parts = {
        r"claw-[a-z0-9-]+": r"claw-[a-z0-9-]+",
        r"\[[█░]{9}\]": r"\[[█░]{9}\]",
        r"\d+h\d+m": r"(\d+s|\d+m|\d+h\d+m)",
        r"nats://localhost:4222": "nats://localhost:4222",
        r"✓ Yes$": r"(✓ Yes|✗ No \(not configured\))",
        r"\b(online|busy)\b": "(online|busy)",
        r"⚙️ worker|📋 coordinator": "(⚙️ worker|📋 coordinator)",
        r" [CW] ": " [CW] ",
        r"\d+": r"\d+",
    }
    whole = re.compile("|".join(f"({part})" for part in parts))
    pattern, end = "", 0
    for found in whole.finditer(sample):
        pattern += re.escape(sample[end : found.start()])
        pattern += next(to for part, to in parts.items() if re.fullmatch(part, found.group()))
        end = found.end()
    return pattern + re.escape(sample[end:])


def test_one_machine_with_a_server_of_its_own_its_dashboard_and_its_log(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path
) -> None:
    server, coordinator, worker = guide("2. One machine, a server of your own").commands()
    (logging,) = guide("Logs").commands()
    terminals.nats_server(server)
    lead, hand, logged = (terminals.picoclaw(line) for line in (coordinator, worker, logging))
    for node in (lead, hand, logged):
        serving(node)
    hand.expect("research is declared, not ready: needs a model")

    assert "app.py" in review(run_picoclaw, repository, "--capability", "code")

    # Line by line as the guide's sample, whose further nodes are of the same form.
    (command,) = guide("Dashboard").commands()
    panel = run_picoclaw(*command[1:], "--once").stdout.splitlines()
    sample = guide("Dashboard", "").text.splitlines()
    unlike = [
        (line, like)
        for line, like in zip(panel, sample, strict=False)
        if not re.fullmatch(pattern_of(like), line)
    ]
    assert unlike == []
    assert len(panel) == len(sample) - 2
    assert "  Nodes:      3 total, 3 online, 0 offline" in panel

    # The node of the guide's log line is the only one that serves docs: it meets each pattern.
    review(run_picoclaw, repository, *DOCS_ONLY)
    hand.terminate()
    assert hand.finish() == 0
    promised = re.findall(r'^# - "(.+?)"', guide("Logs").text, re.MULTILINE)
    assert len(promised) == 4
    for phrase in promised:
        logged.expect(phrase)


def test_several_machines_with_a_cluster_of_three_servers(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path, tmp_path: Path
) -> None:
    if why_not := why_no_namespace():
        pytest.skip(f"three machines need network namespaces: {why_not}")
    section = "3. Several machines"
    with machines(3) as wire:

        def hosts(first: int) -> dict[str, str]:
            """Machine 1 of a line is that one, and the others follow."""
            return {f"machine{m}": wire.address((first + m - 2) % 3 + 1) for m in (1, 2, 3)}

        def elsewhere(number: int) -> dict[str, str]:
            home = tmp_path / f"home{number}"
            home.mkdir(exist_ok=True)
            return {"HOME": str(home)}

        refused, coordinator, worker = guide(section).commands(hosts(1))
        assert "missing port in address" in terminals.refused(refused)
        for n in (1, 2, 3):
            with wire.on(n):
                terminals.nats_server(*guide(section, "sh").commands(hosts(n)))

        # As it stands: one copy of each stream, and the workers on the coordinator's server.
        started = []
        for n, line in ((1, coordinator), (2, worker), (3, worker)):
            with wire.on(n):
                started.append(terminals.picoclaw(line, env=elsewhere(n)))
        # With three copies, each node on its own server.
        (spread,) = guide(section, "sh", 1).commands(hosts(1))
        other = ("--swarm.hid", "three copies")
        for n in (1, 2, 3):
            own = (*other, "--swarm.nats.urls", f"nats://{wire.address(n)}:4222")
            line = [*coordinator, "--swarm.nats.replicas", "3"] if n == 1 else spread
            with wire.on(n):
                started.append(terminals.picoclaw(line, *own, env=elsewhere(n)))
        for node in started:
            serving(node, 40)

        with wire.on(1):
            for swarm in ((), other):
                assert "app.py" in review(run_picoclaw, repository, *DOCS_ONLY, *swarm)
                assert roles(nodes_of(run_picoclaw, *swarm)) == {"coordinator": 1, "worker": 2}
            assert asyncio.run(copies("nats://localhost:4222")) == {1, 3}


async def copies(url: str) -> set[int]:
    """How many copies the streams of a server's account have."""
    client = await nats.connect(url)
    streams = await client.jetstream().streams_info()
    await client.close()
    return {stream.config.num_replicas or 1 for stream in streams}


def test_each_role_waits_for_a_server_that_nobody_named_and_joins_it_when_it_comes(
    terminals: Terminals, run_picoclaw: RunPicoclaw
) -> None:
    lines = [line for role in ("Coordinator", "Worker", "Specialist") for line in guide(role).commands()]
    nodes = [terminals.picoclaw(line) for line in lines]
    for node in nodes:
        node.expect(r"waiting for a NATS server at nats://localhost:4222 .*--swarm\.nats\.embedded", 20)

    terminals.nats_server(*guide("2. One machine, a server of your own", "sh").commands())

    for node in nodes:
        serving(node)
    seen = {node["role"]: node for node in nodes_of(run_picoclaw).values()}
    assert (seen["coordinator"]["marks"], seen["coordinator"]["capabilities"]) == (
        ["coordination", "scheduling"],
        [],
    )
    assert "code" in seen["worker"]["capabilities"]
    assert "research" in seen["worker"]["not_ready"]
    assert seen["worker"]["slots"] == 5
    assert {*seen["specialist"]["capabilities"], *seen["specialist"]["not_ready"]} >= {"rust", "embedded"}


def test_a_code_review_by_specialists(
    terminals: Terminals, run_picoclaw: RunPicoclaw, repository: Path
) -> None:
    lines = guide("Example: a code review by specialists").commands()
    assert len(lines) == 5
    alone = terminals.picoclaw(lines[0], env={"PICOCLAW_SWARM_NATS_CONNECT_TIMEOUT": "1s"})
    nodes = [terminals.picoclaw(line, "--swarm.name", line[-1].replace(",", "-")) for line in lines]
    for node in nodes:
        node.expect(r"waiting for a NATS server at nats://localhost:4222", 20)
    assert alone.finish(20) == 3
    assert "--swarm.nats.embedded" in alone.lines[-1]
    assert "no NATS server answers at nats://localhost:4222" in alone.lines[-1]

    terminals.nats_server(["nats-server", "-js"])
    for node in nodes:
        serving(node)
    report = review(run_picoclaw, repository)

    # Which node took which area: "rust,go,python" the code, the others their names'.
    took = dict(re.findall(r"^\| (\w+) +\| (\S+) ", report, re.MULTILINE))
    assert took == {
        "area": "node",
        "code": "rust-go-python",
        "security": "security-audit",
        "docs": "docs-writing",
        "testing": "testing-qa",
    }
    assert report.startswith("# Code review: project")
