"""Bad input ends in one clear line and leaves the swarm unharmed."""

import json
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from picoclaw.tests.support.command import PICOCLAW, RunPicoclaw, Spawned, run
from picoclaw.tests.support.nats import NatsServer
from picoclaw.tests.support.nodes import serving
from picoclaw.tests.support.repositories import make_repository, run_git
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

UNPRIVILEGED = (
    "import ctypes, os, sys\n"
    "libc = ctypes.CDLL(None)\n"
    "for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH\n"
    "    libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)
"""Becomes a program for which the modes of files hold, also when root runs it."""


@pytest.fixture(scope="module")
def swarm(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPicoclaw]:
    """A coordinator and a worker that all tests of this file share, as a command that reaches them."""
    home = tmp_path_factory.mktemp("bad-input")
    connection = {
        "PICOCLAW_SWARM_HID": f"bad input {secrets.token_hex(4)}",
        "PICOCLAW_SWARM_NATS_URLS": nats_server.url,
    }
    nodes = [Spawned(home, ("--swarm.role", role), env=connection) for role in ("coordinator", "worker")]
    try:
        for node in nodes:
            serving(node)
        yield partial(run, home, env=connection)
        for node in nodes:
            assert node.running, node.output
            assert "Traceback" not in node.output, node.output
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.close()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "good", {"good.py": '"""Good."""\n'})


def refused(ran: subprocess.CompletedProcess[str], *says: str, code: int = 2) -> None:
    """It ended with this code and, but for progress, one line that says all this."""
    lines = [line for line in ran.stderr.splitlines() if line.startswith("picoclaw: ")]
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("picoclaw: error: "), ran.stderr
    for words in says:
        assert words in lines[0]


def unharmed(swarm: RunPicoclaw, good: Path) -> None:
    """A good request still works."""
    ran = swarm("dispatch", "Review", "--capability", "docs", "--repo", str(good))
    assert ran.returncode == 0, ran.stderr


# --- repositories ---


@pytest.mark.parametrize("verb", ["dispatch", "run"])
def test_a_repository_path_that_is_missing(swarm: RunPicoclaw, tmp_path: Path, verb: str) -> None:
    missing = tmp_path / "no such folder"

    refused(swarm(verb, "Review", "--repo", str(missing)), f"{missing} does not exist", "git URL")


def test_a_repository_path_that_is_empty(swarm: RunPicoclaw, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(swarm("dispatch", "Review", "--repo", str(empty)), f"{empty} is empty", "nothing to review")

    run_git(empty, "init", "--quiet")
    refused(swarm("dispatch", "Review", "--repo", str(empty)), "no file that could be reviewed")


def test_a_repository_path_that_is_a_file(swarm: RunPicoclaw, good: Path) -> None:
    refused(swarm("dispatch", "Review", "--repo", str(good / "good.py")), "good.py", "folder")


def test_a_repository_path_that_is_no_text_at_all(swarm: RunPicoclaw, good: Path) -> None:
    refused(swarm("dispatch", "Review", "--repo", ""), "--repo is empty")


def test_a_repository_that_is_not_readable(swarm: RunPicoclaw, good: Path, tmp_path: Path) -> None:
    secret = make_repository(tmp_path / "secret", {"a.py": "x = 1\n"})
    secret.chmod(0)
    try:
        if (
            subprocess.run(unprivileged("/bin/ls", str(secret)), capture_output=True, check=False).returncode
            == 0
        ):
            pytest.skip("root reads everything here and cannot give that up")
        ran = subprocess.run(
            unprivileged(str(PICOCLAW), "dispatch", "Review", "--repo", str(secret)),
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    finally:
        secret.chmod(0o700)

    refused(ran, f"{secret} is not readable")


def test_a_file_that_is_not_readable_is_named_and_the_rest_is_reviewed(
    swarm: RunPicoclaw, good: Path
) -> None:
    (good / "secret.py").write_text("x = 1\n")
    (good / "secret.py").chmod(0)
    if (
        subprocess.run(
            unprivileged("/bin/cat", str(good / "secret.py")), capture_output=True, check=False
        ).returncode
        == 0
    ):
        pytest.skip("root reads everything here and cannot give that up")
    connection = swarm.keywords["env"]  # type: ignore[attr-defined]

    ran = subprocess.run(
        unprivileged(str(PICOCLAW), "dispatch", "Review", "-c", "docs", "--repo", str(good)),
        capture_output=True, text=True, timeout=20, check=False, env={**os.environ, **connection},
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert "picoclaw: warning: not readable: secret.py" in ran.stderr
    assert "Traceback" not in ran.stderr


def unprivileged(*argv: str) -> Sequence[str]:
    return (
        [sys.executable, "-ISc", UNPRIVILEGED, *argv]
        if os.geteuid() == 0 and sys.platform == "linux"
        else argv
    )


def test_a_repository_of_nothing_but_binary_files(swarm: RunPicoclaw, tmp_path: Path) -> None:
    binary = make_repository(tmp_path / "binary", {"a.bin": bytes(range(256)) * 8, "b.png": b"\x89PNG\0\0"})

    refused(swarm("dispatch", "Review", "--repo", str(binary)), "only empty or binary files")


def test_a_huge_repository(swarm: RunPicoclaw, tmp_path: Path, good: Path) -> None:
    huge = tmp_path / "huge"
    huge.mkdir()
    with (huge / "huge.txt").open("wb") as file:
        file.truncate(3 << 30)  # sparse: it takes no room

    refused(swarm("dispatch", "Review", "--repo", str(huge)), "huge holds more than 200 MB", ".gitignore")
    unharmed(swarm, good)


def test_a_repository_with_broken_encodings_and_syntax_errors_is_reviewed(
    swarm: RunPicoclaw, tmp_path: Path
) -> None:
    broken = make_repository(
        tmp_path / "broken",
        {
            "syntax.py": "def f(:\n",
            "latin.py": b'x = "\xe9"\n',
            "utf16.py": "x = 1\n".encode("utf-16"),
            "cookie.py": "# -*- coding: klingon -*-\nx = 1\n",
            "null.py": b"x = 1\0\n",
            "deep.py": "x = " + "(" * 5000 + ")" * 5000 + "\n",
            "good.py": "import os\n",
        },
    )

    ran = swarm("dispatch", "Review this repository", "--repo", str(broken), "--json")

    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)["report"]
    found = {(finding["path"], finding["kind"]) for finding in report["findings"]}
    assert ("syntax.py", "syntax") in found
    assert ("latin.py", "syntax") in found
    assert "good.py" in {path for path, _ in found}
    assert all(area["reviewed"] for area in report["areas"])


def test_a_folder_and_files_whose_names_are_no_text(swarm: RunPicoclaw, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd \xff\x1b[31m"))
    make_repository(odd, {os.fsdecode(b"a\xfe\n.py"): '"""A."""\n', "b.py": '"""B."""\n'})

    ran = swarm("dispatch", "Review", "-c", "docs", "--repo", str(odd))

    assert ran.returncode == 0, ran.stderr
    assert "\x1b" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/x.git", "ftp:// is not fetched"),
        ("http://127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git cannot be read"),
        ("https://", "https://"),
        ("git@:x", "git@:x"),
        ("--upload-pack=touch", "--upload-pack=touch"),
    ],
)
def test_a_repository_url_that_leads_nowhere(swarm: RunPicoclaw, url: str, says: str) -> None:
    refused(swarm("dispatch", "Review", f"--repo={url}"), says)


# --- requests ---


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_a_request_without_words(swarm: RunPicoclaw, text: str) -> None:
    refused(swarm("dispatch", text), "the request is empty")


def test_a_request_that_is_no_text(swarm: RunPicoclaw) -> None:
    refused(swarm("dispatch", "Review \udcff"), "not valid UTF-8")
    refused(swarm("dispatch", "Review", "--template", "\udcff"), "--template is not valid UTF-8")


def test_a_request_as_long_as_a_command_line_can_carry_works(swarm: RunPicoclaw, good: Path) -> None:
    text = "Review " + "é" * 60_000

    ran = swarm("dispatch", text, "-c", "docs", "--repo", str(good))

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    "capability",
    [
        "code.review",
        "code review",
        "co*de",
        ">",
        "co\nde",
        "",
        "x" * 49,
        "a+",
        "@a=b",
        "gpu@region",
        "node:",
        "node:a\nb",
        "agent:",
    ],
)
def test_a_capability_that_no_node_can_have(swarm: RunPicoclaw, capability: str) -> None:
    ran = swarm("dispatch", "Review", "--capability", capability)

    refused(ran)
    assert "\n" not in ran.stderr.strip()


def test_a_role_mark_as_capability(swarm: RunPicoclaw) -> None:
    refused(swarm("dispatch", "Review", "--capability", "coordination"), "marks a role")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--timeout", "soon"), "--timeout: 'soon' is not a duration"),
        (("--timeout", "0s"), "--timeout"),
        (("--timeout=-5s",), "--timeout"),
        (("--priority", "urgent"), "--priority 'urgent'"),
        (("--priority", "4"), "--priority '4'"),
        (("--unroutable", "perhaps"), "--unroutable"),
        (("--key", ""), "--key"),
        (("--capability", "docs", "--template", "code-review"), "do not go together"),
        (("--frobnicate",), "--frobnicate"),
        (("another", "word"), "another"),
    ],
)
def test_a_flag_of_dispatch_that_makes_no_sense(
    swarm: RunPicoclaw, good: Path, args: Sequence[str], says: str
) -> None:
    refused(swarm("dispatch", "Review", *args, cwd=good), says)


def test_a_template_that_does_not_exist_and_a_request_that_fits_none(swarm: RunPicoclaw, good: Path) -> None:
    unknown = swarm("dispatch", "Review", "--template", "no-such", "--repo", str(good))
    assert unknown.returncode in (1, 2)
    assert "no template is called 'no-such'" in unknown.stderr
    assert "code-review" in unknown.stderr

    poem = swarm("dispatch", "Write a poem")
    assert poem.returncode == 1
    assert "no template matches it" in poem.stderr
    assert "--capability" in poem.stderr


def test_an_idempotency_key_of_another_request(swarm: RunPicoclaw, good: Path) -> None:
    key = secrets.token_hex(8)
    args = ("-c", "docs", "--repo", str(good), "--key", key)
    assert swarm("dispatch", "Review", *args).returncode == 0
    assert swarm("dispatch", "Review", *args).returncode == 0

    refused(swarm("dispatch", "Something else", *args), "key", "used before")


@pytest.mark.parametrize(
    "args",
    [
        ("describe", "request", "r-aaaaaaaaaaaaaaaa"),
        ("describe", "request", "nonsense *.>"),
        ("describe", "task", "r-aaaaaaaaaaaaaaaa.code"),
        ("result", "r-aaaaaaaaaaaaaaaa"),
        ("result", "\udcff\x1b[31m"),
        ("cancel", "r-aaaaaaaaaaaaaaaa"),
        ("get", "tasks", "--request", "r-aaaaaaaaaaaaaaaa"),
    ],
)
def test_an_id_that_matches_nothing(swarm: RunPicoclaw, args: Sequence[str]) -> None:
    ran = swarm(*args)

    refused(ran)
    assert "\x1b" not in ran.stderr


def test_a_verb_and_a_noun_that_do_not_exist(swarm: RunPicoclaw) -> None:
    refused(swarm("frobnicate"), "unknown verb 'frobnicate'")
    refused(swarm("describe", "planet", "x"), "planet")
    refused(swarm("get", "nodse"), "nodse")


@pytest.mark.parametrize("output", ["no such folder/report.md", "."])
def test_a_place_for_the_report_that_cannot_be_written(
    swarm: RunPicoclaw, good: Path, tmp_path: Path, output: str
) -> None:
    refused(swarm("run", "Review", "--repo", str(good), "--output", str(tmp_path / output)), "--output")


# --- what stands at the other ends ---


@pytest.fixture
def shell(swarm: RunPicoclaw, good: Path) -> "Shell":
    return Shell(swarm.keywords["env"], good)  # type: ignore[attr-defined]


class Shell:
    """Lines as a person types them, `picoclaw` among them."""

    def __init__(self, connection: dict[str, str], folder: Path) -> None:
        self.environment = {**os.environ, **connection}
        self.folder = folder

    def __call__(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail; {line}".replace("picoclaw", shlex.quote(str(PICOCLAW)))],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


def test_a_pipe_whose_reader_has_gone(shell: "Shell") -> None:
    ran = shell("picoclaw run 'Review this repository' | head -1")
    assert ran.stdout == "# Code review: good\n"
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr

    for line in ("get nodes | true", "get requests --json | head -c 1", "--help | true"):
        assert "rror" not in shell(f"picoclaw {line}").stderr


def test_no_terminal_and_no_streams_at_all(shell: "Shell") -> None:
    assert shell("env -u TERM picoclaw get nodes </dev/null").returncode == 0
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        ran = shell(f"picoclaw get nodes {closed}")
        assert ran.returncode == 0, (closed, ran.stderr)
        assert ran.stderr == ""
    assert shell("picoclaw dispatch Review -c docs --repo . <&- >&- 2>&-").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_no_room_for_the_output(shell: "Shell") -> None:
    ran = shell("picoclaw get nodes >/dev/full")

    refused(ran, "No space left on device", code=1)


def test_after_all_that_the_swarm_still_works(swarm: RunPicoclaw, good: Path) -> None:
    unharmed(swarm, good)

    def idle() -> bool:
        rows = json.loads(swarm("get", "nodes", "--json").stdout)
        return {row["status"] for row in rows} == {"online"}

    # A node that has just done its task is busy until its next heartbeat.
    wait_for(idle, 30, "both nodes are online, and at rest")
