"""Commands and functions of the user's, from YAML to the report: what the document shows, and what goes wrong."""

import json
import re
import secrets
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, run
from picoclaw.tests.support.docs import blocks, document
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.processes import alive, describe, processes_of
from picoclaw.tests.support.repositories import make_repository, run_git
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

DOCUMENT = "capabilities.md"
SECRET = "hunter2-hunter2"
NODES_OWN = {"NODE_PASSWORD": "of-the-node-alone", "GIVEN_TOKEN": SECRET}

HOSTILE = """
capabilities:
  hangs:
    shell: |
      trap '' TERM
      setsid sh -c 'trap "" TERM; sleep 600 & sleep 601' >/dev/null 2>&1 &
      sleep 602 & sleep 603
    timeout: 1s
    grace: 200ms
  leaves: {shell: "setsid sleep 604 >/dev/null 2>&1 & echo gone"}
  lasts: {shell: "trap '' TERM; setsid sleep 605 & sleep 606", grace: 100ms}
  floods: {shell: "yes", output_cap: 1MB}
  binary: {shell: 'printf "\\\\377\\\\376 ok\\\\n"'}
  long: {shell: "seq 100000"}
  fails: {shell: "echo because >&2; exit 3"}
  environment: {shell: "env; echo $GIVEN_TOKEN", env: [GIVEN_TOKEN]}
  keyless: {shell: "true", env: [NO_SUCH_KEY]}
  f-blocks: {function: "hostile:block", timeout: 1s}
  f-exits: {function: "hostile:leave"}
  f-raises: {function: "hostile:fail"}
  f-refuses: {function: "hostile:refuse"}
  f-returns: {function: "hostile:unserialisable"}
"""
MODULE = """
import os, sys, time


def block(text):
    time.sleep(600)


def leave(text):
    os._exit(0)


def fail(text):
    raise ConnectionError(f"cannot reach {text}")


def refuse(text):
    raise ValueError("no such thing")


def unserialisable(text):
    return {"of": {1, 2}}
"""


@dataclass(frozen=True)
class Here:
    """The swarm that all tests of this file share."""

    home: Path
    told: tuple[str, ...]
    repository: Path

    def dispatch(self, text: str, capability: str, *args: str) -> subprocess.CompletedProcess[str]:
        return run(
            self.home,
            "dispatch",
            text,
            "-c",
            capability,
            "--max-attempts",
            "1",
            *args,
            *self.told,
            timeout=40,
        )

    def task(self, text: str, capability: str, *args: str) -> dict[str, Any]:
        """The one task of a request, as its report has it."""
        ran = self.dispatch(text, capability, *args, "--json")
        report = json.loads(ran.stdout)["report"]
        return dict(report["tasks"][0])


@pytest.fixture(scope="module")
def here(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    home = tmp_path_factory.mktemp("capabilities")
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    for number, block in enumerate(blocks(document(DOCUMENT))):
        if block.language == "yaml":
            (folder / f"example-{number}.yaml").write_text(block.text)
        elif block.language == "python":
            (folder / re.findall(r"# (\w+\.py),", block.text)[0]).write_text(block.text)
    (folder / "hostile.yaml").write_text(HOSTILE)
    (folder / "hostile.py").write_text(MODULE)
    repository = make_repository(home / "demo", {"a.txt": "FIXME one \ntwo\n", "b.py": "# TODO\n"}, git=True)
    told = ("--swarm.hid", f"capabilities {secrets.token_hex(4)}", "--swarm.nats.urls", nats_server.url)
    nodes = [
        Spawned(home, ("--swarm.role", "coordinator", "--swarm.name", "lead", *told)),
        Spawned(home, ("--swarm.role", "worker", "--swarm.name", "hand", *told), env=NODES_OWN),
    ]
    try:
        for node in nodes:
            serving(node)
        before = set(processes_of(home))
        yield Here(home, told, repository)
        wait_for(lambda: not alive(set(processes_of(home)) - before), 10, "no process of a job is left")
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.close()


def test_each_request_of_the_document_is_done(here: Here) -> None:
    commands = [
        line
        for block in blocks(document(DOCUMENT))
        if block.language == "bash"
        for line in block.text.splitlines()
        if line.startswith("picoclaw dispatch")
    ]
    assert len(commands) == 5

    def done(line: str) -> subprocess.CompletedProcess[str]:
        _, *words = shlex.split(line)
        return run(here.home, *words, *here.told, cwd=here.repository, timeout=40)

    with ThreadPoolExecutor(2) as pool:
        ran = dict(zip([shlex.split(line)[4] for line in commands], pool.map(done, commands), strict=True))
    assert {name: each.stderr for name, each in ran.items() if each.returncode} == {}
    assert "> 6" in ran["word-count"].stdout
    assert "> FIXME looked for in " in ran["find-word"].stdout
    assert "./a.txt:1:FIXME one" in ran["find-word"].stdout
    assert "> good evening, said Bob" in ran["greet"].stdout
    assert "thinking" in ran["greet"].stderr
    assert "1 file changed; changes.patch is for" in ran["trim"].stdout
    assert '"words": 1,' in ran["count-words"].stdout
    assert "counting" in ran["count-words"].stderr


def test_json_that_a_program_prints_is_the_data(here: Here) -> None:
    assert re.fullmatch(r"3\.\d+\.\d+\S*", here.task("which", "versions")["data"])


def test_no_process_is_left_whatever_a_child_does(here: Here) -> None:
    standing = {process.pid for process in processes_of(here.home)}

    def failed(capability: str) -> tuple[str, str]:
        ran = here.dispatch("do it", capability)
        assert ran.returncode == 1, ran.stdout
        return capability, ran.stderr.splitlines()[-1].partition("failed: ")[2]

    with ThreadPoolExecutor(3) as pool:
        why = dict(
            pool.map(
                failed,
                ["hangs", "f-blocks", "floods", "fails", "f-exits", "f-raises", "f-refuses", "f-returns"],
            )
        )
    expected = {
        "hangs": "hangs: ended after 1s",
        "floods": "floods: ended, as it printed more than 1 MB",
        "fails": "fails: exit code 3: because",
        "f-blocks": "f-blocks: ended after 1s",
        "f-exits": "f-exits: it ended its process (exit code 0) instead of returning",
        "f-raises": "f-raises raised ConnectionError: cannot reach do it (hostile.py:14 in fail)",
        "f-refuses": "f-refuses raised ValueError: no such thing",
        "f-returns": "f-returns: what it returned (dict) has no JSON form",
    }
    assert {name: words for name, words in expected.items() if words not in why[name]} == {}, why
    assert here.task("do it", "leaves")["data"] == "gone"
    assert describe([one for one in alive(processes_of(here.home)) if one.pid not in standing]) == []


def test_output_that_is_no_text_or_long_is_kept_as_an_artifact(here: Here) -> None:
    binary, long = here.task("do it", "binary"), here.task("do it", "long")

    assert (binary["data"], [ref["filename"] for ref in binary["artifacts"]]) == (
        "\ufffd\ufffd ok",
        ["stdout.bin"],
    )
    assert [(ref["filename"], ref["size"]) for ref in long["artifacts"]] == [("stdout.txt", 588_895)]
    assert long["data"].startswith("1\n2\n")
    assert long["data"].endswith("\n100000")
    assert len(long["data"]) < 300_000
    assert "KB left out" in long["data"]


def test_a_child_sees_only_what_it_was_given_and_cannot_print_a_secret(here: Here) -> None:
    said = here.task("do it", "environment")["data"]

    names = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
    assert "GIVEN_TOKEN" in names
    assert "NODE_PASSWORD" not in names
    assert not [name for name in names if name.startswith("PICOCLAW")]
    assert SECRET not in said
    assert said.endswith("***")
    home = re.findall(r"^HOME=(.+)$", said, re.MULTILINE)[0]
    assert Path(home) != here.home


def test_a_key_that_the_node_was_not_given_is_named(here: Here) -> None:
    listed = json.loads(run(here.home, "get", "nodes", "--json", *here.told).stdout)
    worker = next(node for node in listed if node["name"] == "hand")
    assert "keyless" not in worker["capabilities"]
    told = run(here.home, "capabilities", "--check", "keyless")
    assert told.returncode == 1
    assert "needs NO_SUCH_KEY: set it in the environment of the node" in told.stdout


def test_the_patch_is_fetched_and_applies_to_what_was_sent(here: Here, tmp_path: Path) -> None:
    ran = here.dispatch("Trim it", "trim", "--repo", str(here.repository), "--detach")
    request = ran.stdout.strip()

    def fetched() -> subprocess.CompletedProcess[str] | None:
        told = run(here.home, "result", request, "--artifacts", str(tmp_path / "out"), *here.told)
        return told if told.returncode != 4 else None

    told = wait_for(fetched, 20)
    patch = tmp_path / "out" / "task" / "changes.patch"
    assert (told.returncode, f"saved {patch}" in told.stderr) == (0, True), told.stderr
    run_git(here.repository, "apply", "--check", str(patch))
    run_git(here.repository, "apply", str(patch))
    try:
        assert run_git(here.repository, "status", "--porcelain") == "M a.txt"
        assert (here.repository / "a.txt").read_text() == "FIXME one\ntwo\n"
    finally:
        run_git(here.repository, "checkout", "--quiet", "--", ".")


def test_capabilities_tells_what_is_ready_and_what_it_needs(here: Here) -> None:
    listed = run(here.home, "capabilities", "--json", env=NODES_OWN)

    assert (listed.returncode, listed.stderr) == (0, "")
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert rows["word-count"]["ready"]
    assert rows["word-count"]["by"] == "command"
    assert rows["word-count"]["place"].endswith(".yaml:2")
    assert rows["count-words"]["by"] == "function"
    assert rows["code"]["by"] == "analyzers"
    assert rows["research"]["needs"].startswith("needs claude on the PATH")
    assert rows["writing"]["needs"].startswith("needs a model: set llm.model")
    assert rows["environment"]["ready"]
    assert rows["general"]["ready"]
    for name, code in (("audit", 0), ("nothing-like-it", 1), ("a b", 2)):
        assert run(here.home, "capabilities", "--check", name).returncode == code, name
    table = run(here.home, "capabilities").stdout.splitlines()
    assert table[0].split() == ["CAPABILITY", "STATUS", "BY", "DETAIL"]
    assert any(line.startswith("word-count") and "~/.picoclaw/capabilities/" in line for line in table)


def test_a_task_that_is_cancelled_takes_its_processes_along(here: Here) -> None:
    standing = {process.pid for process in processes_of(here.home)}

    def of_the_job() -> list[str]:
        return describe([one for one in alive(processes_of(here.home)) if one.pid not in standing])

    request = here.dispatch("do it", "lasts", "--detach").stdout.strip()
    wait_for(lambda: any("sleep 606" in line for line in of_the_job()), 15)
    assert run(here.home, "cancel", request, *here.told).returncode == 0
    wait_for(lambda: not of_the_job(), 15, "its processes are gone")


def test_a_wrong_definition_keeps_a_node_from_starting(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("capabilities:\n  mine:\n    comand: [true]\n")

    for verb in (("--swarm.role", "worker"), ("capabilities",)):
        ran = run_picoclaw(*verb, "--capabilities.path", str(file))
        assert ran.returncode == 2
        assert f"{file}:3: mine: unknown key 'comand'; did you mean 'command'?" in ran.stderr
        assert len(ran.stderr.splitlines()) == 1
    assert "code " in ran.stdout, "the verb lists the rest all the same"


def test_the_folder_in_the_home_need_not_be_there(run_picoclaw: RunPicoclaw, home: Path) -> None:
    ran = run_picoclaw("capabilities", "--json")

    assert ran.returncode == 0
    assert {"code", "research", "general"} <= {row["name"] for row in json.loads(ran.stdout)}
    assert not (home / ".picoclaw").exists()


def test_a_definition_that_is_added_is_served_at_once(here: Here) -> None:
    late = here.home / ".picoclaw" / "capabilities" / "late.yaml"
    late.write_text(
        textwrap.dedent("""\
        name: late
        shell: echo never too
        """)
    )
    try:
        assert here.task("do it", "late")["data"] == "never too"
    finally:
        late.unlink()
