"""`picoclaw run`: a review here and now, by a swarm of its own or by the one that is there."""

import json
import re
import signal
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from picoclaw.tests.support.command import RunPicoclaw, Spawned, SpawnPicoclaw
from picoclaw.tests.support.nats import StartNats, nats_server_binary
from picoclaw.tests.support.nodes import serving, slow_to_review
from picoclaw.tests.support.processes import alive, processes_of
from picoclaw.tests.support.quoted import says
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

AREAS = {"code", "security", "docs", "testing"}
NODE = r"pid (\d+) +([\w-]+) +(coordinator|specialist for \w+)"

CLEAN = {
    "README.md": "# Tidy\n\nA tidy package.\n",
    "tidy.py": '"""Tidy."""\n\n\ndef add(left: int, right: int) -> int:\n    """Return the sum."""\n    return left + right\n',
    "tests/test_tidy.py": '"""Tests of tidy."""\n\nfrom tidy import add\n\n\ndef test_add() -> None:\n    """It adds."""\n    assert add(1, 2) == 3\n',
}
PLANTED = {
    "run.py": '"""Run."""\n\nimport subprocess\n\n\ndef run(line: str) -> None:\n    """Run a line."""\n    subprocess.call(line, shell=True)\n'
}
"""bandit B602: of high severity."""


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "clean", CLEAN, git=True)


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "planted", {**CLEAN, **PLANTED}, git=True)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the command's temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_a_coordinator_and_four_specialists_of_its_own_review_this_folder(
    run_picoclaw: RunPicoclaw, planted: Path, home: Path, temporary: Path
) -> None:
    ran = run_picoclaw("run", "Review this repository", cwd=planted, env={"TMPDIR": str(temporary)})

    assert ran.returncode == 0, ran.stderr
    shown = {name: (int(pid), role) for pid, name, role in _nodes(ran.stderr)}
    assert {role for _, role in shown.values()} == {"coordinator", *(f"specialist for {a}" for a in AREAS)}
    assert len({pid for pid, _ in shown.values()}) == 5
    assert "# Code review: planted" in ran.stdout
    assert "`run.py:8`" in ran.stdout
    for area in AREAS:
        assert f"needs {area}" in ran.stderr
        assert f"running on {area}-specialist" in ran.stderr
    places = [Path(place) for place in re.findall(r"^ *[\d.]+s  report: (.+)$", ran.stderr, re.MULTILINE)]
    assert [place.suffix for place in places] == [".md", ".json"]
    assert all(place.is_relative_to(home) for place in places)
    assert places[0].read_text(encoding="utf-8").strip() == ran.stdout.strip()
    report = json.loads(places[1].read_text(encoding="utf-8"))
    assert {area["area"]: area["node"] for area in report["areas"]} == {a: f"{a}-specialist" for a in AREAS}
    assert f"s  {report['summary']}\n" in ran.stderr, "the report has scrolled its first line away"
    assert "done in " in ran.stderr
    assert "next: picoclaw" in ran.stderr
    assert list(temporary.iterdir()) == []
    assert alive(processes_of(home)) == []


def test_json_is_all_of_stdout_and_a_high_finding_fails_on_high(
    run_picoclaw: RunPicoclaw, planted: Path
) -> None:
    ran = run_picoclaw("run", "Review this repository", "--json", "--fail-on", "high", "--repo", str(planted))

    assert ran.returncode == 1
    ended = json.loads(ran.stdout)
    assert (ended["state"], ended["partial"]) == ("done", False)
    assert {area["node"] for area in ended["report"]["areas"]} == {f"{area}-specialist" for area in AREAS}
    assert [(f["path"], f["line"]) for f in ended["report"]["findings"] if f["severity"] == "high"] == [
        ("run.py", 8)
    ]
    assert ran.stderr == "picoclaw: findings of severity high or worse (--fail-on)\n"


@pytest.mark.long
def test_without_a_high_finding_fail_on_high_passes_and_the_report_is_where_output_says(
    run_picoclaw: RunPicoclaw, clean: Path, tmp_path: Path, home: Path
) -> None:
    place = tmp_path / "report.md"

    ran = run_picoclaw(
        "run", "Review this repository", "--fail-on", "high", "--output", str(place), "--repo", str(clean)
    )

    assert ran.returncode == 0, ran.stderr
    assert place.read_text(encoding="utf-8").strip() == ran.stdout.strip()
    assert f"report: {place}" in ran.stderr
    assert not (home / ".picoclaw" / "reports").exists()


def begun(spawn: SpawnPicoclaw, repository: Path, temporary: Path) -> tuple[Spawned, list[psutil.Process]]:
    """A run in the middle of its work, and every process that it has started."""
    run = spawn("run", "Review this repository", cwd=repository, env={"TMPDIR": str(temporary)})
    run.expect("docs +running on docs-specialist", 20)
    ours = psutil.Process(run.pid).children(recursive=True)
    names = [process.name() for process in ours]
    assert "nats-server" in names
    assert len(_nodes(run.output)) == 5
    return run, ours


def test_ctrl_c_in_the_middle_leaves_nothing(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path, temporary: Path
) -> None:
    run, started = begun(spawn_picoclaw, slow_to_review(tmp_path / "slow"), temporary)

    run.interrupt()

    assert run.finish() == 130
    assert "the local swarm and the request with it are gone" in run.output
    assert "Traceback" not in run.output
    assert alive(started) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.long)])
def test_the_end_of_its_terminal_or_of_its_ci_job_leaves_nothing(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path, temporary: Path, number: signal.Signals
) -> None:
    run, started = begun(spawn_picoclaw, slow_to_review(tmp_path / "slow"), temporary)

    run.signal(number)

    assert run.finish() == 143
    assert alive(started) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_a_report_that_cannot_be_saved_is_printed_all_the_same(
    run_picoclaw: RunPicoclaw, clean: Path, home: Path
) -> None:
    (home / ".picoclaw").write_text("no folder", encoding="utf-8")

    ran = run_picoclaw("run", "Review this repository", "--repo", str(clean), "--local")

    assert ran.returncode == 0, ran.stderr
    assert "# Code review: clean" in ran.stdout
    assert "the report is not saved, only printed" in ran.stderr


@pytest.mark.long
def test_kill_9_in_the_middle_leaves_nothing_after_3_s(
    spawn_picoclaw: SpawnPicoclaw, tmp_path: Path, temporary: Path
) -> None:
    run, started = begun(spawn_picoclaw, slow_to_review(tmp_path / "slow"), temporary)

    run.kill9()

    wait_for(lambda: not alive(started), 3, "server, nodes and tools are gone")
    wait_for(lambda: not list(temporary.glob("picoclaw-*")), 10, "its store is removed")


def test_a_swarm_that_is_there_is_used_and_stays(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, planted: Path, home: Path
) -> None:
    coordinator = spawn_picoclaw("--swarm.role", "coordinator", "--swarm.nats.embedded")
    worker = spawn_picoclaw("--swarm.role", "worker", "--swarm.name", "hand", "--swarm.nats.embedded")
    for node in (coordinator, worker):
        serving(node)
    before = {process.pid for process in processes_of(home)}

    ran = run_picoclaw("run", "Review this repository", cwd=planted)

    assert ran.returncode == 0, ran.stderr
    assert "using the swarm at nats://127.0.0.1:" in ran.stderr
    assert "bringing up" not in ran.stderr
    assert "running on hand" in ran.stderr
    assert "# Code review: planted" in ran.stdout
    assert {process.pid for process in processes_of(home)} == before


def test_a_server_that_merely_listens_at_the_default_address_gets_nothing(
    run_picoclaw: RunPicoclaw, start_nats: StartNats, clean: Path
) -> None:
    try:
        server = start_nats(port=4222)
    except AssertionError:
        pytest.skip("another process of this machine has port 4222")

    ran = run_picoclaw("run", "Review this repository", cwd=clean)

    assert "bringing up a local swarm" in ran.stderr
    assert "accepted by coordinator" in ran.stderr
    assert streams_of(server.store) == []


def test_a_server_that_was_named_but_has_no_coordinator_gets_nothing_and_is_an_error(
    run_picoclaw: RunPicoclaw, start_nats: StartNats, clean: Path
) -> None:
    server = start_nats()

    ran = run_picoclaw("run", "Review this repository", "--swarm.nats.urls", server.url, cwd=clean)

    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert f"{server.url} (from flag --swarm.nats.urls): no swarm has ever run" in ran.stderr
    assert streams_of(server.store) == []


def test_a_swarm_whose_coordinator_has_gone_is_not_used(
    spawn_picoclaw: SpawnPicoclaw, run_picoclaw: RunPicoclaw, start_nats: StartNats, clean: Path
) -> None:
    url = start_nats().url
    serving(spawn_picoclaw("--swarm.role", "worker", "--swarm.nats.urls", url))

    ran = run_picoclaw("run", "Review this repository", "--swarm.nats.urls", url, cwd=clean)

    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "no coordinator is alive in the swarm at" in ran.stderr
    assert "--local" in ran.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("Write me a poem",),
            "nothing here serves 'Write me a poem' (it takes a request that begins with review,",
        ),
        (("Reveiw this repository",), "did you mean 'Review this repository'?"),
        (
            ("Review it", "--repo", "http://127.0.0.1:9/none.git"),
            "http://127.0.0.1:9/none.git cannot be read: ",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_started(
    run_picoclaw: RunPicoclaw, clean: Path, words: Sequence[str], told: str
) -> None:
    ran = run_picoclaw("run", *words, cwd=clean)

    assert ran.returncode in (1, 2)
    assert told in ran.stderr
    if "poem" in words[0]:
        assert says(ran.stderr, "A request in words is not taken", 0)
    assert ran.stderr.count("\n") == 1, "one line, and no word of a local swarm"


@pytest.mark.parametrize("verb", ["run", "dispatch"])
def test_a_home_folder_is_not_taken_for_a_repository(
    run_picoclaw: RunPicoclaw, home: Path, verb: str
) -> None:
    (home / "diary.txt").write_text("nobody's business\n")
    for folder in (home, home.parent):
        ran = run_picoclaw(verb, "Review this repository", cwd=folder)

        assert ran.returncode == 2
        assert f"{folder} is or holds your home folder: stand in the repository that you mean" in ran.stderr


def test_a_folder_of_several_repositories_is_called_one(run_picoclaw: RunPicoclaw, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "projects" / name / ".git").mkdir(parents=True)

    ran = run_picoclaw("run", "Write me a poem", "--repo", str(tmp_path / "projects"))

    assert "projects is no git repository; it is taken as one project" in ran.stderr
    assert "(one, two)" in ran.stderr


def test_tools_that_are_not_installed_are_named_and_never_count_as_no_findings(
    planted: Path, tmp_path: Path
) -> None:
    # Nothing of the area security is left, of the area docs some are.
    python = python_without(tmp_path / "lean", "bandit", "detect_secrets", "ruff")

    ran = subprocess.run(
        [str(python), "-m", "picoclaw", "run", "Review this repository", "--fail-on", "high"],
        cwd=planted,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert "# Code review: planted" in ran.stdout, ran.stderr
    missing = ran.stdout.partition("## What was not reviewed")[2]
    assert "security: not reviewed, no node offers it" in missing
    assert "docs: ruff is not installed" in missing
    assert "B602" not in ran.stdout
    assert "a part was not reviewed, which --fail-on does not let pass" in ran.stderr
    assert ran.returncode == 1


def python_without(folder: Path, *modules: str) -> Path:
    """A virtual environment like this one, but for some packages."""
    venv.create(folder, with_pip=False, symlinks=True)
    ours, theirs = (Path(sysconfig.get_path("purelib", vars={"base": b})) for b in (sys.prefix, str(folder)))
    for entry in ours.iterdir():
        if not entry.name.lower().startswith(modules):
            (theirs / entry.name).symlink_to(entry)
    (folder / "bin" / "nats-server").symlink_to(nats_server_binary())
    return folder / "bin" / "python"


def streams_of(store: Path) -> list[str]:
    """Names of the streams that a server has ever stored."""
    return [path.name for path in store.glob("jetstream/*/streams/*")]


def _nodes(said: str) -> list[tuple[str, str, str]]:
    return [match.groups() for line in said.splitlines() if (match := re.search(NODE, line))]  # type: ignore[misc]
