"""What an operator types, in real processes on one swarm: watch, logs, dispatch, completion, narrow terminals."""

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from picoclaw.tests.support.command import (
    PICOCLAW,
    RunPicoclaw,
    Spawned,
    SpawnPicoclaw,
    command_environment,
    run,
)
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving, slow_to_review
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]


class Shared:
    """A coordinator and a worker named `hand`, which both log into one home."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.small = make_repository(home / "small", {"a.py": '"""A."""\n\n\ndef f():\n    pass\n'})
        told = {"PICOCLAW_SWARM_HID": f"operator {secrets.token_hex(4)}", "PICOCLAW_SWARM_NATS_URLS": url}
        self.environment = told
        self.connection = ("--swarm.hid", told["PICOCLAW_SWARM_HID"], "--swarm.nats.urls", url)
        worker = (
            "--swarm.name",
            "hand",
            "--swarm.capabilities",
            "docs,research",
            "--swarm.labels",
            "site=berlin",
        )
        self.nodes = [
            Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "lead", *self.connection)),
            Spawned(home, ("--swarm.role", "worker", *worker, *self.connection)),
        ]

    def run(self, *args: str, **options: object) -> subprocess.CompletedProcess[str]:
        return run(self.home, *args, env=self.environment, **options)  # type: ignore[arg-type]

    def done(self) -> str:
        """The id of a request that has ended well."""
        ran = self.run("dispatch", "Review", "-c", "docs", "--repo", str(self.small), "--json")
        assert ran.returncode == 0, ran.stderr
        return str(json.loads(ran.stdout)["request"])

    def close(self) -> None:
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            node.close()


@pytest.fixture(scope="module")
def shared(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    home = tmp_path_factory.mktemp("operator")
    (home / ".gitconfig").write_text("[user]\n\tname = T\n\temail = t@example.org\n", encoding="utf-8")
    swarm = Shared(home, nats_server.url)
    try:
        for node in swarm.nodes:
            serving(node)
        yield swarm
    finally:
        swarm.close()


@pytest.fixture
def request_id(shared: Shared) -> str:
    return shared.done()


def test_watch_of_what_has_ended_shows_it_all_and_ends_with_its_code(shared: Shared, request_id: str) -> None:
    ran = shared.run("watch", request_id[:10])
    task = shared.run("watch", f"{request_id}.task")
    lines = [json.loads(line) for line in shared.run("watch", request_id, "--json").stdout.splitlines()]
    failed = shared.run(
        "dispatch", "Think", "-c", "research", "--unroutable", "fail", "--timeout", "1s", "--detach"
    )
    end = shared.run("watch", failed.stdout.strip())
    nothing = shared.run("watch", "r-zzzz")

    assert (ran.returncode, task.returncode) == (0, 0), ran.stderr + task.stderr
    told = [line.split("s  ", 1)[1] for line in ran.stderr.splitlines()]
    assert [line.split(":")[0] for line in told] == [
        f"request {request_id}",
        "accepted by lead",
        "planned (one task)",
        "task       running on hand",
        "task       done",
    ]
    assert ran.stdout == shared.run("result", request_id).stdout + "\n"
    assert task.stdout.startswith("docs: ")
    assert "accepted by" not in task.stderr
    assert [line.get("what", "") for line in lines] == [
        "accepted",
        "planned",
        "queued",
        "running",
        "done",
        "done",
        "",
    ]
    assert (lines[-1]["event"], lines[-1]["state"], lines[-1]["request"]) == ("end", "done", request_id)
    assert end.returncode == 1
    assert nothing.returncode == 2


def test_ctrl_c_of_watch_leaves_it_running_and_a_second_watch_sees_its_end(
    shared: Shared, spawn_picoclaw: SpawnPicoclaw, tmp_path: Path
) -> None:
    slow = slow_to_review(tmp_path / "slow", files=1500)
    sent = shared.run("dispatch", "Review", "-c", "docs", "--repo", str(slow), "--detach")
    request = sent.stdout.strip()
    first = spawn_picoclaw("watch", request, *shared.connection)
    second = spawn_picoclaw("watch", f"{request}.task", "--json", *shared.connection)
    first.expect("running on hand", timeout=20)

    first.interrupt()

    assert first.finish() == 130
    assert f"{request} goes on; come back with `picoclaw watch {request}`" in first.output
    assert "Traceback" not in first.output
    assert second.finish(40) == 0, second.output
    assert json.loads(second.lines[-1])["state"] == "done"


def test_dispatch_says_where_and_takes_its_text_from_a_file_or_a_pipe(shared: Shared, tmp_path: Path) -> None:
    file = tmp_path / "request.md"
    file.write_text("Look at\nthe docs", encoding="utf-8")
    here = ("--repo", str(shared.small), "--json")

    at_node = shared.run("dispatch", "--file", str(file), "-c", "docs", "--node", "hand", "-p", "high", *here)
    piped = shared.run(
        "dispatch", "--file", "-", "-c", "docs", "-l", "site=berlin", *here, stdin="From a pipe"
    )
    slip = shared.run("dispatch", "x", "--node", "hnad", "--detach")
    lacking = shared.run("dispatch", "x", "--node", "hand", "-c", "research", "--max-attempts", "1")
    given = shared.run("dispatch", "x", "-c", "nosuch", "--input", "n:=3", "--timeout", "1h", "--detach")
    tasks = {row["request"]: row for row in json.loads(shared.run("get", "tasks", "--json").stdout)}
    first = json.loads(at_node.stdout)["request"]
    described = shared.run("describe", given.stdout.strip()).stdout
    for one in (slip, given):
        assert shared.run("cancel", one.stdout.strip(), "--json").returncode == 0

    assert (at_node.returncode, piped.returncode) == (0, 0), at_node.stderr + piped.stderr
    row = tasks[first]
    assert (row["capability"], row["does"], row["node"], row["priority"]) == ("node:hand", "docs", "hand", 2)
    assert tasks[json.loads(piped.stdout)["request"]]["capability"] == "docs@site=berlin"
    assert "no node is called 'hnad' now (did you mean hand?); the request waits" in slip.stderr
    assert lacking.returncode == 1
    assert "node hand does not serve research now: needs a model" in lacking.stderr
    assert re.search(r"^Input: +n$", described, re.MULTILINE)
    assert "Deadline:        1h after it was accepted" in described


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "give TEXT, or --file FILE"),
        (("x", "--file", "-"), "given twice, as TEXT and by --file"),
        (("--file", "nosuch.md"), "--file nosuch.md cannot be read: No such file or directory"),
        (("--file", "."), "--file . is a folder"),
        (("--file", "/dev/null"), "it is a pipe, device or the like"),
        (("x", "-l", "site=berlin"), "not what they are to do: add a capability"),
        (("x", "--node", "hand", "--template", "code-review"), "--node and --template do not go together"),
        (("x", "--input", "a"), "write KEY=TEXT, KEY:=JSON or KEY=@FILE.json"),
        (("x", "--max-attempts", "0"), "0 is not in the range 1<=x<=100"),
    ],
)
def test_what_dispatch_refuses_before_anything_is_sent(
    run_picoclaw: RunPicoclaw, args: tuple[str, ...], said: str
) -> None:
    # Nobody listens there: a refusal comes before a connection is tried.
    ran = run_picoclaw("dispatch", *args, "--swarm.nats.urls", "nats://127.0.0.1:1")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_logs_of_this_machines_nodes(shared: Shared, request_id: str) -> None:
    def logged(*args: str) -> list[dict[str, object]]:
        ran = shared.run("logs", "--json", *args)
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def about_it() -> list[tuple[object, object]]:
        return [(line["node"], line["event"]) for line in logged() if line.get("request") == request_id]

    # The task's end is logged a moment after the request that it ends.
    wait_for(
        lambda: (
            {("hand", "Task assigned"), ("hand", "Task completed"), ("lead", "Request ended")}
            <= {*about_it()}
        )
    )
    everything = logged()
    assert [line["timestamp"] for line in everything] == sorted(str(line["timestamp"]) for line in everything)
    assert {line["node"] for line in logged("ha")} == {"hand"}
    assert logged("--node", "hand") == logged("hand")
    assert logged("--tail", "2") == everything[-2:]
    assert logged("--since", "1ms") == []
    assert "info" not in {line["level"] for line in logged("--level", "warning")}
    text = shared.run("logs", "hand", "--level", "warning").stdout
    assert re.search(
        r"^\S+ \S+  warning   hand  capability research is declared, not ready: needs a model: set ",
        text,
        re.MULTILINE,
    )
    files = [Path(line) for line in shared.run("logs", "--files").stdout.splitlines()]
    assert {path.parent for path in files} == {shared.home / ".picoclaw" / "logs"}
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_logs_follow_what_comes_and_what_is_wrong_is_said(
    shared: Shared, run_picoclaw: RunPicoclaw, home: Path
) -> None:
    follower = Spawned(shared.home, ("logs", "--follow", "--tail", "0"))
    try:
        # It has begun once it has the files open; until then it shows nothing, whatever comes.
        wait_for(lambda: shared.done() and "Request ended" in follower.output, 20)
        follower.interrupt()
        assert follower.finish() == 130
        assert "Traceback" not in follower.output
    finally:
        follower.close()
    nobody = shared.run("logs", "hnad")
    since = shared.run("logs", "--since", "soon")
    none = run_picoclaw("logs")

    assert (nobody.returncode, since.returncode) == (2, 2)
    assert "did you mean hand?" in nobody.stderr
    assert "--since: " in since.stderr
    assert (none.returncode, none.stdout) == (0, "")
    assert f"will lie in {home / '.picoclaw' / 'logs'}" in none.stderr


def test_a_node_that_cannot_start_leaves_the_reason_in_its_log(run_picoclaw: RunPicoclaw) -> None:
    ran = run_picoclaw(
        "--swarm.role", "worker", "--swarm.name", "early", "--swarm.nats.urls", "nats://127.0.0.1:1",
        "--swarm.nats.connect_timeout", "100ms",
    )  # fmt: skip

    assert ran.returncode == 3
    assert "error" in run_picoclaw("logs", "early").stdout
    assert "node ended: " in run_picoclaw("logs", "early", "--level", "error").stdout


def test_bash_completes_verbs_flags_ids_and_names_and_is_silent_without_a_swarm(
    shared: Shared, request_id: str, tmp_path: Path
) -> None:
    script = tmp_path / "complete.bash"
    script.write_text(
        shared.run("completion", "bash").stdout
        + 'offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _picoclaw_completion picoclaw; '
        'echo "${COMPREPLY[@]}"; }\n',
        encoding="utf-8",
    )

    def offered(*words: str, **more: str) -> list[str]:
        # A busy machine may need longer than a shell waits: then there is nothing, and the shell asks again.
        environment = command_environment(shared.home, {**shared.environment, **more})
        path = f"{PICOCLAW.parent}{os.pathsep}{environment['PATH']}"
        ran = subprocess.run(
            ["bash", "-c", f". {script}; offer picoclaw {shlex.join(words)}"],
            env={**environment, "PATH": path}, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert ran.stderr == ""
        return ran.stdout.split()

    def until(*words: str) -> list[str]:
        return wait_for(partial(offered, *words), 20)

    assert offered("wat") == ["watch"]
    assert offered("get", "cap") == ["capabilities"]
    assert offered("get", "nodes", "-o", "w") == ["wide"]
    assert offered("dispatch", "x", "--prio") == ["--priority"]
    assert request_id in until("watch", "r-")
    assert until("describe", "node", "ha") == ["hand"]
    assert until("describe", "le") == ["lead"]
    assert offered("logs", "ha") == ["hand"]
    assert offered("watch", "r-", PICOCLAW_SWARM_NATS_URLS="nats://127.0.0.1:1") == []
    assert offered("watch", "r-", PICOCLAW_SWARM_NATS_URLS="wrong") == []
    for shell in ("zsh", "fish"):
        assert "_PICOCLAW_COMPLETE" in shared.run("completion", shell).stdout


def test_help_as_a_verb_and_the_nearest_of_an_unknown_one(run_picoclaw: RunPicoclaw) -> None:
    assert run_picoclaw("help").stdout == run_picoclaw("--help").stdout
    assert run_picoclaw("help", "get", "nodes").stdout == run_picoclaw("get", "nodes", "--help").stdout
    unknown = run_picoclaw("help", "dispach")
    deeper = run_picoclaw("help", "watch", "x")

    assert (unknown.returncode, deeper.returncode) == (2, 2)
    assert "did you mean 'dispatch'?" in unknown.stderr
    assert "picoclaw watch has no verbs of its own" in deeper.stderr


@pytest.mark.parametrize(
    "args", [("get", "tasks"), ("get", "tasks", "-o", "wide"), ("get", "nodes", "-o", "wide")]
)
def test_a_table_fits_a_terminal_of_40_columns(
    shared: Shared, request_id: str, spawn_picoclaw: SpawnPicoclaw, args: tuple[str, ...]
) -> None:
    shown = spawn_picoclaw(*args, *shared.connection, terminal=True, env={"COLUMNS": "40"})
    plain = spawn_picoclaw(*args, *shared.connection, terminal=True, env={"COLUMNS": "40", "NO_COLOR": "1"})

    assert (shown.finish(), plain.finish()) == (0, 0), shown.output
    assert "\x1b[1m" in shown.stdout
    assert "\x1b" not in plain.stdout
    lines = plain.stdout.splitlines()
    assert len(lines) >= 2
    assert [line for line in lines if len(line) > 40] == []


def test_a_reader_that_has_gone_is_no_error(shared: Shared, request_id: str) -> None:
    for line in (
        "get tasks --all",
        f"watch {request_id} --json",
        "logs",
        "logs --json",
        f"describe {request_id}",
    ):
        ran = subprocess.run(
            ["bash", "-c", f"{shlex.quote(str(PICOCLAW))} {line} | head -1"],
            env=command_environment(shared.home, shared.environment),
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert ran.stdout.count("\n") == 1, line
        assert "rror" not in ran.stderr, line
        assert "Traceback" not in ran.stderr, line


def test_what_takes_longer_than_a_second_shows_that_it_goes_on(
    shared: Shared, spawn_picoclaw: SpawnPicoclaw
) -> None:
    sent = shared.run("dispatch", "x", "-c", "nosuch", "--detach")
    # Nobody can end it but the coordinator, which stands still.
    shared.nodes[0].signal(signal.SIGSTOP)
    try:
        waiting = spawn_picoclaw(
            "cancel", sent.stdout.strip(), "--timeout", "4s", *shared.connection, terminal=True
        )
        wait_for(lambda: "waiting for the swarm (" in waiting.output, 20)
    finally:
        shared.nodes[0].signal(signal.SIGCONT)
    assert waiting.finish(20) == 0, waiting.output
    assert waiting.stdout.rstrip().endswith(f"{sent.stdout.strip()} ended cancelled")
