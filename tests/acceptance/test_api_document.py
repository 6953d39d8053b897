"""docs/API.md: its programs run as they stand, and its tables name the fields that there are."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import picoclaw.errors
import picoclaw.gateway
from picoclaw.gateway.schedules import Schedules
from picoclaw.tests.support.command import RunPicoclaw, Spawned, command_environment
from picoclaw.tests.support.docs import Block, blocks, document
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

API = document("API.md")
PROGRAMS = [block for block in blocks(API) if block.language == "python"]


@pytest.fixture(scope="module")
def way(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that lead to a swarm of a coordinator and a worker that this file shares."""
    home = tmp_path_factory.mktemp("api")
    way = {
        "PICOCLAW_SWARM_HID": f"api {secrets.token_hex(4)}",
        "PICOCLAW_SWARM_NATS_URLS": nats_server.url,
    }
    nodes = [
        Spawned(home, ("--swarm.role", role, "--swarm.name", name), env=way)
        for role, name in (("coordinator", "lead"), ("worker", "hand"))
    ]
    try:
        for node in nodes:
            serving(node)
        yield way
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.close()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "small", {"a.py": '"""A."""\n\n\ndef f():\n    pass\n'})


def fields(heading: str, nth: int = 0) -> list[str]:
    """The first column of the nth table below a heading."""
    lines = iter(API.splitlines())
    assert any(line == heading for line in lines), heading
    tables: list[list[str]] = []
    inside = False
    for line in lines:
        if line.startswith("#"):
            break
        if line.startswith("|"):
            if not inside:
                tables.append([])
            tables[-1].append(line.split("|")[1].strip())
        inside = line.startswith("|")
    return [cell.strip("`") for cell in tables[nth][2:]]


EXPECTED = (
    ("request planned", "request done", "findings"),
    ("# Code review: small",),
    ("hand worker online", " done ", ".task done hand"),
    ("done", "accepted", "running task hand"),
)


@pytest.mark.parametrize(
    ("program", "expected"), list(zip(PROGRAMS, EXPECTED, strict=True)), ids=range(len(EXPECTED))
)
def test_each_program_runs_as_it_stands(
    program: Block, expected: tuple[str, ...], way: dict[str, str], home: Path, small: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program.text],
        env=command_environment(home, way),
        cwd=small,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    for part in expected:
        assert part in ran.stdout


def test_the_tables_name_the_fields_of_each_form(
    run_picoclaw: RunPicoclaw, way: dict[str, str], small: Path
) -> None:
    def told(*args: str) -> object:
        ran = run_picoclaw(*args, "--json", env=way, cwd=small)
        assert (ran.returncode, ran.stderr) == (0, ""), args
        return json.loads(ran.stdout)

    def keys(value: object) -> list[str]:
        one = value[0] if isinstance(value, list) else value
        assert isinstance(one, dict)
        return list(one)

    brought = told("dispatch", "Look", "-c", "docs", "--repo", ".")
    assert isinstance(brought, dict)
    request = brought["request"]
    described = told("describe", "request", request)
    assert isinstance(described, dict)
    assert keys(brought) == keys(told("result", request)) == fields("### A result")
    assert keys(told("result", f"{request}.task")) == fields("### A result", 1)
    detached = told("dispatch", "Look", "-c", "docs", "--repo", ".", "--detach")
    assert keys(detached) == fields("### A result", 2)
    assert keys(told("get", "requests")) == keys(described["request"]) == fields("### A request")
    assert keys(told("get", "tasks")) == keys(described["tasks"]) == fields("### A task")
    assert keys(told("get", "nodes")) == fields("### A node")
    assert keys(described["history"]) == fields("### An entry of a history")
    watched = run_picoclaw("watch", request, "--json", env=way)
    first = json.loads(watched.stdout.splitlines()[0])
    assert first.pop("event") == "log"
    assert list(first) == fields("### An entry of a history")


def test_every_call_and_error_that_it_names_is_there() -> None:
    for call in fields("### What a client can do"):
        names = [part.split("(")[0] for part in call.replace("`", "").split("swarm.")[1:]] or ["run_request"]
        for name in names:
            *room, last = name.split(".")
            where = picoclaw.gateway if name == "run_request" else picoclaw.gateway.SwarmClient
            assert callable(getattr(Schedules if room == ["schedules"] else where, last)), name
    for error in fields("### Errors"):
        assert issubclass(getattr(picoclaw.errors, error), picoclaw.errors.PicoclawError)


def test_the_tables_of_agents_name_the_fields_of_each_form() -> None:
    from picoclaw.cli.agents.rows import agent_json
    from picoclaw.cli.approvals.rows import approval_json
    from picoclaw.gateway.spending import spent_json
    from picoclaw.swarm.approvals.record import ApprovalRecord
    from picoclaw.swarm.sharing.spending import Sum
    from picoclaw.swarm.views.agents import AgentRow

    question = ApprovalRecord(
        id="a-1", request="r-1", step="task", about="tool", number=1, digest="ab", text="bash", node="n",
        asked_at=1.0, expires_at=2.0,
    )  # fmt: skip
    for heading, form in (
        ("### An agent", agent_json(AgentRow(name="coder"))),
        ("### A question of an agent", approval_json(question, 1.0)),
        ("### What models took", spent_json(Sum(turns=1))),
    ):
        assert fields(heading) == list(form or ()), heading
