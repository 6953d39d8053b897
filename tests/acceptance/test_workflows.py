"""`picoclaw workflows`: users' own workflows on a real swarm, and what a wrong file or input is told."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

Connection = tuple[str, ...]

CAPABILITY = """
capabilities:
  measure:
    command: [python3, -c, "import sys; n = sys.argv[2]; print(len(n)) if n != 'bad' else sys.exit('cannot measure it')", "--", "${input.item}"]
"""
MEASURE = """
name: measure
title: How long they are
match: {asks: [measure them]}
inputs:
  items: {type: list, default: [one, three]}
tasks:
  - step: each
    title: ${item}
    for_each: items
    demand: measure
    input: {item: "${item}"}
    max_attempts: 1
join:
  as: table
  columns: {item: title, length: data}
"""


@pytest.fixture(scope="module")
def connection(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A coordinator that knows the workflow, and a worker that serves its capability."""
    home = tmp_path_factory.mktemp("workflows")
    (home / "capabilities.yaml").write_text(CAPABILITY)
    (home / ".picoclaw" / "workflows").mkdir(parents=True)
    (home / ".picoclaw" / "workflows" / "measure.yaml").write_text(MEASURE)
    told = ("--swarm.hid", f"workflows {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    path = ("--capabilities.path", str(home / "capabilities.yaml"))
    nodes = [
        Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "lead", *told)),
        Spawned(
            home,
            (
                "--swarm.role",
                "worker",
                "--swarm.name",
                "hand",
                "--swarm.capabilities",
                "measure",
                *path,
                *told,
            ),
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
def own(home: Path) -> Path:
    """The user's folder of workflows, with one in it."""
    folder = home / ".picoclaw" / "workflows"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(MEASURE.replace("name: measure", "name: own"))
    return folder


def test_a_failed_item_is_named_with_its_reason_and_the_rest_is_there(
    connection: Connection, run_picoclaw: RunPicoclaw, own: Path
) -> None:
    items = ("-i", "items=one", "-i", "items=bad", "-i", "items=three")
    ran = run_picoclaw("workflows", "run", "own", *items, *connection)

    assert ran.returncode == 0, ran.stderr
    assert "**2 rows from 2 of 3 tasks.**" in ran.stdout
    assert re.search(r"^- each-2 \(bad\): failed: .*exit code 1: cannot measure it", ran.stdout, re.MULTILINE)
    assert re.search(r"\| three +\| 5 ", ran.stdout)
    assert re.search(
        r"r-\w+ done\(partial\): 2 rows from 2 of 3 tasks; missing: each-2", ran.stderr.splitlines()[-1]
    )

    (own / "own.yaml").write_text((own / "own.yaml").read_text() + "partial: fail\n")
    ran = run_picoclaw("workflows", "run", "own", *items, "--json", *connection)

    assert ran.returncode == 1
    told = json.loads(ran.stdout)
    assert told["state"] == "failed"
    assert "missing: each-2 (bad)" in told["reason"]
    assert [row["item"] for row in told["report"]["rows"]] == ["one", "three"]


def test_what_the_coordinator_knows_is_found_by_its_words_and_by_its_name(
    connection: Connection, run_picoclaw: RunPicoclaw
) -> None:
    by_words = run_picoclaw("dispatch", "Measure them", *connection)
    assert by_words.returncode == 0, by_words.stderr
    assert "# Measure them" in by_words.stdout
    assert re.search(r"\| three +\| 5 ", by_words.stdout)

    by_name = run_picoclaw("dispatch", "Go", "--template", "measure", *connection)
    assert by_name.returncode == 0, by_name.stderr
    assert "2 rows from 2 of 2 tasks." in by_name.stdout

    unknown = run_picoclaw("dispatch", "Go", "--template", "mesure", *connection)
    assert unknown.returncode == 1
    assert "no template is called 'mesure'; did you mean 'measure'?" in unknown.stderr


def test_a_dispatch_sends_this_folder_where_a_workflow_of_ones_own_needs_one(
    connection: Connection, run_picoclaw: RunPicoclaw, own: Path, tmp_path: Path
) -> None:
    text = (own / "own.yaml").read_text().replace("[measure them]", "[measure them], repository: true")
    (own / "own.yaml").write_text(text)
    (own / "broken.yaml").write_text("name: [")
    project = make_repository(tmp_path / "project", {"a.py": "1"})

    by_words = run_picoclaw("dispatch", "Measure them", *connection, cwd=project)
    assert by_words.returncode == 0, by_words.stderr
    assert "sending this folder" in by_words.stderr
    assert f"warning: not taken as a workflow: template {own / 'broken.yaml'} is not" in by_words.stderr

    by_name = run_picoclaw("dispatch", "Go", "--template", "own", *connection, cwd=project)
    assert "sending this folder" in by_name.stderr

    neither = run_picoclaw("dispatch", "Go", "--template", "measure", *connection, cwd=project)
    assert neither.returncode == 0, neither.stderr
    assert "sending" not in neither.stderr


def test_detached_it_prints_its_id_and_twice_with_one_key_is_once(
    connection: Connection, run_picoclaw: RunPicoclaw, own: Path
) -> None:
    args = ("workflows", "run", str(own / "own.yaml"), "Tonight", "--key", secrets.token_hex(8), *connection)
    sent = run_picoclaw(*args, "--detach", "--json")
    assert (sent.returncode, sent.stderr) == (0, "")
    followed = run_picoclaw(*args)
    assert f"request {json.loads(sent.stdout)['request']} (sent before: following it)" in followed.stderr
    assert "# Tonight" in followed.stdout
    other = run_picoclaw(*args, "-i", "items=x")
    assert other.returncode == 2
    assert "was used before for another request" in other.stderr


def test_a_step_that_nobody_serves_is_named_before_and_skipped_if_told(
    connection: Connection, run_picoclaw: RunPicoclaw, own: Path
) -> None:
    (own / "own.yaml").write_text(
        MEASURE.replace("name: measure", "name: own").replace(
            "demand: measure", "grace_s: 0\n    demand: mesure"
        )
    )

    checked = run_picoclaw("workflows", "validate", "--check", *connection)
    assert checked.returncode == 1
    assert "own is right" in checked.stdout
    assert "no node offers mesure (did you mean measure?)" in checked.stderr

    skipped = run_picoclaw(
        "workflows",
        "run",
        "own",
        "--unroutable",
        "skip",
        "--timeout",
        "30s",
        "-i",
        "items=a",
        *connection,
        timeout=40,
    )
    assert skipped.returncode == 1
    assert "no node offers it" in skipped.stdout


def test_it_is_planned_and_refused_without_any_swarm(
    run_picoclaw: RunPicoclaw, own: Path, tmp_path: Path
) -> None:
    project = make_repository(tmp_path / "project", {"a.py": "1", "b.py": "1"})
    (own / "files.yaml").write_text(
        "name: files\ninputs: {files: {type: files, pattern: '*.py', required: true}}\n"
        "tasks: [{step: a, demand: code, for_each: files}]\n"
    )
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("capabilities: {measure: {comand: [ls]}}")
    planned = run_picoclaw("workflows", "run", "files", "--dry-run", cwd=project)
    assert planned.returncode == 0, planned.stderr
    assert "2 tasks, joined by plain; nothing was sent" in planned.stdout
    assert re.search(r"a-2 +code +- +project +a: b\.py", planned.stdout)
    plan = json.loads(run_picoclaw("workflows", "run", "files", "--dry-run", "--json", cwd=project).stdout)
    assert [task["step"] for task in plan["tasks"]] == ["a-1", "a-2"]

    for args, code, message in (
        (["run", "fils"], 2, "no workflow is called 'fils'; did you mean 'files'?"),
        (["run", "own", "-i", "itms=1"], 2, "has no input 'itms'; did you mean 'items'?"),
        (["run", "own", "-i", "items=["], 2, "--input items is not valid JSON"),
        (["run", "own", "-i", "items:=[]"], 2, "there is nothing to do"),
        (["run", "own", " "], 2, "the request is empty"),
        (["run", "own", "--priority", "urgent"], 2, "--priority 'urgent' is none"),
        (["run", "files", "--repo", "https://example.org/a.git"], 2, "is a URL: clone it"),
        (["run", "files", "-i", "files=*.rs"], 2, "no file of . fits '*.rs'"),
        (["run", "./none.yaml"], 2, "none.yaml is not there"),
        (["run", "own", "--swarm.nats.urls", "nats://127.0.0.1:9"], 3, "no NATS server answers"),
        (["run", "own", "--local", "--detach"], 2, "--local and --detach do not go together"),
        (["run", "own", "--local", "--capabilities.path", str(wrong)], 2, "unknown key 'comand'"),
        (["show", "nope"], 2, "no workflow is called 'nope'"),
        (["lst"], 2, "'lst' is none of: list, show, validate, run; did you mean 'list'?"),
    ):
        ran = run_picoclaw("workflows", *args, cwd=project)
        assert (ran.returncode, ran.stdout) == (code, ""), (args, ran.stderr)
        assert message in ran.stderr, args
        assert len(ran.stderr.splitlines()) == 1, ran.stderr


def test_wrong_files_are_told_one_line_each_and_stop_no_list(
    run_picoclaw: RunPicoclaw, own: Path, tmp_path: Path
) -> None:
    assert run_picoclaw("workflows", "validate").returncode == 0
    (own / "loop.yaml").write_text(
        "name: loop\ntasks:\n- {step: a, demand: code, after: b}\n- {step: b, demand: code, after: a}\n"
    )
    (own / "zz.yaml").write_text("name: zz\ntaks: []\n")
    (own / "folder.yaml").mkdir()

    validated = run_picoclaw("workflows", "validate")
    assert validated.returncode == 2
    assert validated.stdout == f"{own / 'own.yaml'}: own is right\n"
    told = validated.stderr.splitlines()
    assert len(told) == 3
    assert f"template {own / 'folder.yaml'} is a folder: name a YAML file" in told[0]
    assert f"template {own / 'loop.yaml'}, line 3: the plan has a cycle" in told[1]
    assert f"template {own / 'zz.yaml'}, line 2: unknown key taks; did you mean 'tasks'?" in told[2]
    rows = json.loads(run_picoclaw("workflows", "validate", str(own), "--json").stdout)
    assert [(Path(row["file"]).name, row["ok"]) for row in rows] == [
        ("own.yaml", True), ("folder.yaml", False), ("loop.yaml", False), ("zz.yaml", False),
    ]  # fmt: skip

    listed = run_picoclaw("workflows", "list")
    assert listed.returncode == 2
    assert re.search(r"^own +items\? +1 ", listed.stdout, re.MULTILINE)
    assert re.search(r"^code-review .* shipped ", listed.stdout, re.MULTILINE)
    assert len(listed.stderr.splitlines()) == 3

    node = run_picoclaw("--swarm.role", "coordinator", "--swarm.nats.urls", "nats://127.0.0.1:9")
    assert node.returncode == 2
    assert "folder.yaml is a folder" in node.stderr.splitlines()[-1]
    assert "Traceback" not in node.stderr


def test_of_what_it_cannot_read_it_says_so(run_picoclaw: RunPicoclaw, own: Path) -> None:
    (own / "own.yaml").write_bytes(b"x" * (10 * 2**20))
    os.mkfifo(own / "pipe.yaml")
    ran = run_picoclaw("workflows", "validate")
    assert ran.returncode == 2
    assert "own.yaml is over 1 MiB" in ran.stderr
    assert "pipe.yaml cannot be read (it is a pipe, device or the like): name a plain YAML file" in ran.stderr
