"""`picoclaw dispatch --broadcast`: every node that can do it does it, and the answers are gathered."""

import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import QUICK, serving
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Connection = tuple[str, ...]
NODES = ("w-1", "w-2", "Büro 3")
PICKY = {"w-2": "echo not here >&2; exit 1"}
LAZY = {"w-2": "sleep 606", "Büro 3": "sleep 607"}


def capabilities(node: str, folder: Path) -> Path:
    """What a node can do: what `picky` and `lazy` do differs from node to node."""
    path = folder / f"{NODES.index(node)}.yaml"
    path.write_text(
        "capabilities:\n"
        f'  greet: {{shell: "echo {node} greets $TASK_TEXT"}}\n'
        f'  picky: {{shell: "{PICKY.get(node, "echo fine")}"}}\n'
        f'  mended: {{shell: "if [ {node} = w-2 ] && mkdir {folder}/seen; then exit 1; else echo $TASK_ATTEMPT; fi"}}\n'
        f'  lazy: {{shell: "{LAZY.get(node, "echo quick")}", grace: 100ms}}\n'
    )
    return path


@pytest.fixture(scope="module")
def connection(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A coordinator and three workers, one of them with a name that no step could have."""
    home = tmp_path_factory.mktemp("broadcast")
    told = ("--swarm.hid", f"broadcast {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    nodes = [Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "lead", *QUICK, *told))]
    for place, node in enumerate(NODES):
        path = str(capabilities(node, home))
        args = ("--swarm.role", "worker", "--swarm.name", node, "--capabilities.path", path)
        where = ("--swarm.labels", f"site={'paris' if place else 'berlin'}")
        nodes.append(Spawned(home, (*args, *where, *QUICK, *told)))
    try:
        for started in nodes:
            serving(started)
        yield told
    finally:
        for started in nodes:
            started.terminate()
        for started in nodes:
            started.close()


class Broadcast:
    """One broadcast by the command, to its end."""

    def __init__(self, run: RunPicoclaw, connection: Connection) -> None:
        self._run = run
        self._connection = connection

    def __call__(self, capability: str, *args: str) -> tuple[int, dict[str, Any], str]:
        ran = self._run(
            "dispatch", "you", "-c", capability, "--broadcast", "--max-attempts", "1", *args, "--json",
            *self._connection,
        )  # fmt: skip
        return ran.returncode, json.loads(ran.stdout or "{}"), ran.stderr


@pytest.fixture
def broadcast(run_picoclaw: RunPicoclaw, connection: Connection) -> Broadcast:
    return Broadcast(run_picoclaw, connection)


def answers(ended: dict[str, Any]) -> dict[str, Any]:
    return {node["node"]: node["data"] or node["reason"] for node in ended["report"]["nodes"]}


def test_each_node_answers_once(broadcast: Broadcast) -> None:
    code, ended, said = broadcast("greet")

    assert code == 0, said
    assert (ended["state"], ended["partial"]) == ("done", False)
    assert answers(ended) == {node: f"{node} greets you" for node in NODES}
    assert (ended["report"]["asked"], ended["report"]["quorum"]) == (3, 3)


def test_a_label_narrows_it(broadcast: Broadcast) -> None:
    code, ended, said = broadcast("greet", "-l", "site=paris")

    assert code == 0, said
    assert set(answers(ended)) == {"w-2", "Büro 3"}


def test_people_read_a_section_per_node(run_picoclaw: RunPicoclaw, connection: Connection) -> None:
    ran = run_picoclaw("dispatch", "you", "-c", "greet", "--broadcast", *connection)

    assert ran.returncode == 0, ran.stderr
    assert "3 of 3 nodes answered." in ran.stdout
    assert all(f"## {node}" in ran.stdout for node in NODES)
    request = run_picoclaw("describe", "request", "last", *connection)
    assert "w-1" in request.stdout


@pytest.mark.parametrize(("quorum", "code"), [("60%", 0), ("all", 1)])
def test_a_node_that_fails_counts_against_the_quorum(broadcast: Broadcast, quorum: str, code: int) -> None:
    found, ended, _ = broadcast("picky", "--quorum", quorum)

    assert found == code
    assert ended["state"] == ("failed" if code else "done")
    assert ended["partial"] is not bool(code)
    if code:
        # The others may have been cancelled before they answered: nothing depended on them any more.
        assert re.match(
            r"error: [012] of 3 nodes answered, 3 were needed: w-2: failed: error: ", ended["reason"]
        )
        assert "not here" in ended["reason"]


@pytest.mark.long
def test_past_the_time_limit_the_answers_that_came_are_judged(
    broadcast: Broadcast, run_picoclaw: RunPicoclaw, connection: Connection
) -> None:
    """Two at once: enough answers came for the one, and too few for the other."""
    before = time.monotonic()
    sent = run_picoclaw(
        "dispatch", "you", "-c", "lazy", "--broadcast", "--max-attempts", "1",
        "--quorum", "2", "--within", "4s", "--detach", *connection,
    )  # fmt: skip
    code, ended, said = broadcast("lazy", "--quorum", "1", "--within", "4s")

    assert code == 0, said
    assert (ended["state"], ended["partial"], ended["report"]["answered"]) == ("done", True, 1)
    # Whoever is first writes it down: the node whose attempt lasts too long, or the request's owner.
    assert answers(ended)["w-2"].startswith("deadline: it ")

    assert run_picoclaw("watch", sent.stdout.strip(), *connection).returncode == 1
    few = run_picoclaw("result", sent.stdout.strip(), "--json", *connection)
    reason = json.loads(few.stdout)["reason"]
    assert reason.startswith("error: 1 of 3 nodes answered, 2 were needed: Büro 3: failed: ")
    assert time.monotonic() - before < 60, "its jobs would take ten minutes"


@pytest.mark.long
def test_it_ends_at_once_when_the_quorum_is_out_of_reach(
    run_picoclaw: RunPicoclaw, connection: Connection
) -> None:
    """`lazy` would take ten minutes; one of the three that must answer is cancelled."""
    sent = run_picoclaw("dispatch", "x", "-c", "lazy", "--broadcast", "--detach", *connection)
    request = sent.stdout.strip()
    wait_for(lambda: _states(run_picoclaw, connection, request).get("w-2") == "running", 40)
    run_picoclaw("cancel", f"{request}.w-2", *connection)

    ended = run_picoclaw("watch", request, *connection)

    assert ended.returncode == 1
    states = _states(run_picoclaw, connection, request)
    assert sorted(states.values()) == ["cancelled", "cancelled", "done"]
    told = run_picoclaw("describe", "request", request, *connection).stdout
    assert "the quorum of 3 of 3 nodes could no longer be met" in told


def _states(run_picoclaw: RunPicoclaw, connection: Connection, request: str) -> dict[str, str]:
    ran = run_picoclaw("describe", "request", request, "--json", *connection)
    tasks = json.loads(ran.stdout)["tasks"] if ran.returncode == 0 else []
    return {task["id"].partition(".")[2]: task["state"] for task in tasks}


@pytest.mark.long
def test_a_retry_asks_those_again_who_did_not_answer(
    broadcast: Broadcast, run_picoclaw: RunPicoclaw, connection: Connection
) -> None:
    code, ended, said = broadcast("mended", "--quorum", "majority")
    assert (code, ended["partial"]) == (0, True), said

    again = run_picoclaw("retry", ended["request"], "--json", *connection)

    assert again.returncode == 0, again.stderr
    whole = json.loads(again.stdout)
    assert (whole["report"]["answered"], whole["partial"]) == (3, False)
    told = run_picoclaw("describe", "request", whole["request"], "--json", *connection)
    history = json.loads(told.stdout)["history"]
    assert {entry["step"] for entry in history if entry["what"] == "running"} == {"w-2"}


def test_a_quorum_larger_than_the_swarm_fails_at_planning(broadcast: Broadcast) -> None:
    code, ended, _ = broadcast("greet", "--quorum", "4")

    assert code == 1
    assert ended["reason"].startswith(
        "plan: 4 nodes were to answer and only 3 could be asked: start more nodes"
    )


def test_with_nobody_to_ask_it_fails_where_told_so(broadcast: Broadcast) -> None:
    code, ended, _ = broadcast("singing", "--unroutable", "fail")

    assert code == 1
    assert ended["reason"].startswith("plan: no node offers singing; nearest: ")


def test_with_nobody_to_ask_it_waits_until_its_limit(broadcast: Broadcast) -> None:
    code, ended, said = broadcast("singing", "--within", "2s")

    assert code == 1
    assert "no node offers singing" in said
    assert "the broadcast waits until one does" in said
    assert ended["reason"].startswith(
        "deadline: its time limit of 2 s passed while it waited: no node offers singing"
    )


def test_with_nobody_to_ask_it_waits_for_somebody(
    spawn_picoclaw: SpawnPicoclaw, connection: Connection, tmp_path: Path
) -> None:
    door = spawn_picoclaw("dispatch", "x", "-c", "sing", "--broadcast", *connection)
    door.expect("no node offers sing")
    file = tmp_path / "sing.yaml"
    file.write_text("capabilities:\n  sing: {shell: echo la}\n")
    spawn_picoclaw(
        "--swarm.role", "worker", "--swarm.name", "singer", "--swarm.capabilities", "sing",
        "--capabilities.path", str(file), *QUICK, *connection,
    )  # fmt: skip

    assert door.finish(60) == 0, door.output
    assert "1 of 1 node answered." in door.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--broadcast",), "a broadcast needs one capability"),
        (("--broadcast", "-c", "code", "--node", "w-1"), "leave out --node"),
        (("--broadcast", "-c", "code", "--quorum", "half"), "quorum 'half' is none"),
        (("--broadcast", "-c", "code", "--within", "0s"), "--within must be above zero"),
        (("--broadcast", "-c", "code", "--unroutable", "local"), "does not go with a broadcast"),
        (("-c", "code", "--quorum", "2"), "add --broadcast"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_sent(
    run_picoclaw: RunPicoclaw, args: tuple[str, ...], says: str
) -> None:
    ran = run_picoclaw("dispatch", "x", *args)

    assert ran.returncode == 2
    assert says in ran.stderr
