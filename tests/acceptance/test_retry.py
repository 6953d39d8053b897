"""`retry`, `dlq redrive`, the options of attempts and deadlines, and keys, as somebody types them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from picoclaw.tests.support.command import RunPicoclaw, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.nodes import Nodes

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(150)]

DEFINITIONS = """
capabilities:
  job: {shell: 'sh "$TASK_HERE/job.sh"', exit_codes: {other: retry}}
  fine: {shell: "echo fine"}
"""
WORKFLOW = """
name: two
title: Two steps
tasks:
  - {step: first, demand: fine}
  - {step: second, demand: job, after: [first]}
"""
QUICK = ("--max-attempts", "2", "--retry-delay", "0s")


@pytest.fixture
def job(home: Path) -> Path:
    folder = home / ".picoclaw" / "capabilities"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(DEFINITIONS)
    (home / "two.yaml").write_text(WORKFLOW)
    script = folder / "job.sh"
    script.write_text("echo because >&2; exit 3")
    return script


@pytest.fixture
def nodes(start_nats: StartNats, spawn_picoclaw: SpawnPicoclaw, job: Path) -> Nodes:
    nodes = Nodes(spawn_picoclaw, "--swarm.hid", "retries", "--swarm.nats.urls", start_nats().url)
    nodes.start(("coordinator", "lead"), ("worker", "hand"))
    return nodes


def test_what_failed_runs_again_once_mended_and_what_is_typed_wrong_is_refused(
    run_picoclaw: RunPicoclaw, nodes: Nodes, job: Path
) -> None:
    def typed(*args: str) -> tuple[int, str, str]:
        ran = run_picoclaw(*args, *nodes.connection, timeout=60)
        return ran.returncode, ran.stdout, ran.stderr

    def told(*args: str) -> Any:
        code, out, err = typed(*args)
        assert code == 0, out + err
        return json.loads(out)

    # A workflow of which one step is dead: what to type next stands beside how it ended.
    code, _, err = typed("workflows", "run", "two.yaml", "--key", "nightly", *QUICK)
    assert code == 0, err  # done(partial)
    old = re.findall(r"picoclaw retry (r-[a-z2-7]{16})", err)[0]
    assert told("dlq", "show", "last.second", "--json")["id"] == f"{old}.second"
    # The same key again is the same request, another workflow under it is refused.
    sent = told("workflows", "run", "two.yaml", "--key", "nightly", *QUICK, "--detach", "--json")
    assert sent == {"request": old, "new": False}
    code, _, err = typed("dispatch", "else", "-c", "fine", "--key", "nightly", "--detach")
    assert (code, "choose another key" in err) == (2, True), err

    job.write_text("echo mended")
    made = told("retry", f"{old}.second", "--detach", "--json")
    assert made == {"request": made["request"], "new": True, "retries": old, "steps": ["second"]}
    code, out, err = typed("watch", made["request"])
    assert code == 0, err
    assert f"first      done, carried from {old}" in err + out
    row = told("describe", "request", made["request"], "--json")
    assert (row["request"]["retries"], row["request"]["status"]) == (old, "done")
    assert [task["carried"] for task in row["tasks"]] == [old, None]
    code, _, err = typed("retry", old)
    assert code == 0, err  # all of it, where one step had been retried by itself
    code, _, err = typed("retry", made["request"])
    assert (code, "is done" in err) == (2, True), err

    # What is left in the dead letters is done by now.
    letters = told("dlq", "list", "--json")
    assert [letter["id"] for letter in letters] == [f"{old}.second"]
    (outcome,) = told("dlq", "redrive", "--all", "--json")
    assert (outcome["request"], outcome["letters"]) == (None, [f"{old}.second"])
    assert "is done" in outcome["why"]
    for id, meant in ((old, old), ("last", "r-")):
        code, _, err = typed("dlq", "redrive", id)
        assert (code, f"no dead letter is called '{meant}" in err) == (2, True), err
        assert "r-last" not in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--retry-delay", "5"), "--retry-delay: 5 has no unit: write 5s"),
        (("--retry-delay", "48h"), "the retry delay is out of range"),
        (("--retry-delay", "5s", "--retry-longest", "1s"), "below the first one"),
        (("--task-timeout", "0s"), "--task-timeout must be above zero"),
        (("--task-deadline", "soon"), "--task-deadline: 'soon' is not a duration"),
        (("--final", " "), "the pattern of final errors"),
        (("--key", ""), "--key is empty"),
    ],
)
def test_what_is_no_option_is_refused_before_a_connection_is_made(
    run_picoclaw: RunPicoclaw, job: Path, options: tuple[str, ...], said: str
) -> None:
    # They are declared and read in one place for all verbs.
    ran = run_picoclaw("dispatch", "x", "-c", "fine", *options)
    assert (ran.returncode, said in ran.stderr) == (2, True), ran.stderr
