"""`picoclaw skills` and `picoclaw mcp`, as people type them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from picoclaw.tests.support.command import RunPicoclaw
from picoclaw.tests.support.git_daemon import git_daemon
from picoclaw.tests.support.processes import alive
from picoclaw.tests.support.repositories import make_repository, run_git
from picoclaw.tests.support.waiting import wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(60)]

ROGUE = Path(__file__).parents[1] / "support" / "mcp_rogue.py"
HOLDS = """\
import asyncio, os, sys
from picoclaw.capabilities.agent.mcp.server import Server, Stdio
from picoclaw.capabilities.agent.mcp.source import opened

async def main():
    server = Server(name="s", place="", way=Stdio(argv=(sys.executable, "-S", sys.argv[1], "stays")))
    async with opened([server], os.environ) as (one,):
        print(one.why or "open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_skills_life(run_picoclaw: RunPicoclaw, home: Path, tmp_path: Path) -> None:
    made = run_picoclaw("skills", "create", "invoices", "-d", "How: we write them", "--needs", "sh")
    assert made.returncode == 0, made.stderr
    folder = home / ".picoclaw" / "skills" / "invoices"
    assert str(folder / "SKILL.md") in made.stdout
    again = run_picoclaw("skills", "create", "invoices")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

    listed = {row["name"]: row for row in json.loads(run_picoclaw("skills", "list", "--json").stdout)}
    assert (listed["invoices"]["ready"], listed["invoices"]["source"]) == (True, "user")
    assert listed["slack"]["needs"].startswith("needs an MCP server named slack")

    copy = tmp_path / "invoices"
    folder.rename(copy)
    tried = run_picoclaw("skills", "install", str(copy), "--dry-run", "--json")
    (told,) = json.loads(tried.stdout)
    assert not folder.exists()
    wrong = run_picoclaw("skills", "install", str(copy), "--digest", "sha256:" + "0" * 64)
    assert (wrong.returncode, "nothing was installed" in wrong.stderr) == (2, True)
    assert not folder.exists()
    done = run_picoclaw("skills", "install", str(copy), "--digest", told["digest"])
    assert done.returncode == 0, done.stderr
    shown = json.loads(run_picoclaw("skills", "show", "invoices", "--json").stdout)
    assert (shown["origin"]["source"], shown["changed"]) == (str(copy), False)
    (folder / "SKILL.md").write_text("---\nname: invoices\ndescription: a: b\n---\nx\n")

    broken = run_picoclaw("skills", "list")
    assert broken.returncode == 2
    assert f"not ready: {folder}/SKILL.md:3" in broken.stderr
    assert "git" in broken.stdout
    for verb, name, words in (
        ("show", "invoices", "SKILL.md:3"),
        ("show", "gitt", "did you mean 'git'?"),
        ("remove", "git", "comes with picoclaw"),
    ):
        refused = run_picoclaw("skills", verb, name)
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr

    (folder / "SKILL.md").write_text("---\nname: invoices\ndescription: a\n---\nx\n")
    assert run_picoclaw("skills", "remove", "invoices").returncode == 0
    assert not folder.exists()


def test_servers_are_listed_and_checked(run_picoclaw: RunPicoclaw, home: Path) -> None:
    assert "no MCP server is named" in run_picoclaw("mcp", "list").stdout
    file = home / ".picoclaw" / "mcp.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"servers:\n  good: {{command: [{sys.executable}, -S, {ROGUE}, fine]}}\n"
        f"  leaves: {{command: [{sys.executable}, -S, {ROGUE}, leaves]}}\n"
        "  lacks: {url: 'https://example.com', headers: {A: '${NO_SUCH_TOKEN}'}}\n"
    )
    rows = {row["name"]: row for row in json.loads(run_picoclaw("mcp", "list", "--json").stdout)}
    assert {name: row["ready"] for name, row in rows.items()} == {
        "good": True,
        "leaves": True,
        "lacks": False,
    }
    good = run_picoclaw("mcp", "check", "good", "--json")
    assert good.returncode == 0, good.stdout
    told = json.loads(good.stdout)
    assert [one["name"] for one in told["offers"]] == ["mcp__good__add"]
    assert told["server"] == "rogue 0"
    left = run_picoclaw("mcp", "check", "leaves")
    assert (left.returncode, "I lack a setting" in left.stdout) == (1, True), left.stdout
    assert "NO_SUCH_TOKEN" in run_picoclaw("mcp", "check", "lacks").stdout
    file.write_text("servers:\n  a: {comand: x}\n")
    wrong = run_picoclaw("mcp", "list")
    assert (wrong.returncode, "mcp.yaml:2: a: unknown key 'comand'" in wrong.stderr) == (2, True)


def test_a_killed_node_leaves_no_server(tmp_path: Path) -> None:
    node = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(ROGUE)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert node.stdout is not None
        assert node.stdout.readline() == "open\n"
        servers = psutil.Process(node.pid).children(recursive=True)
        assert len(servers) == 3  # the supervisor, the server, and what it forked away
        os.kill(node.pid, signal.SIGKILL)
        wait_for(lambda: not alive(servers), 10)
    finally:
        node.kill()
        node.wait()
        node.stdout.close() if node.stdout else None


def test_a_skill_of_a_repository_at_a_commit(run_picoclaw: RunPicoclaw, home: Path, tmp_path: Path) -> None:
    text = "---\nname: theirs\ndescription: b\n---\nx\n"
    repository = make_repository(tmp_path / "source", {"skills/theirs/SKILL.md": text}, git=True)
    commit = run_git(repository, "rev-parse", "HEAD")
    file = repository / "skills" / "theirs" / "SKILL.md"
    file.write_text(text + "later\n")
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    run_git(repository, "commit", "--all", "--quiet", "--message", "later")
    skill = home / ".picoclaw" / "skills" / "theirs"

    with git_daemon(repository, tmp_path / "daemon.log") as url:
        done = run_picoclaw("skills", "install", f"{url}#{commit}", "--json")
        assert done.returncode == 0, done.stderr
        (told,) = json.loads(done.stdout)
        assert (told["source"], told["commit"]) == (url, commit)
        assert (skill / "SKILL.md").read_text() == text
        other = run_picoclaw("skills", "install", url)
        assert (other.returncode, "--force" in other.stderr) == (2, True)
        assert run_picoclaw("skills", "install", url, "--force").returncode == 0
        assert (skill / "SKILL.md").read_text() == text + "later\n"
        gone = run_picoclaw("skills", "install", f"{url}#{'a' * 40}")
        assert (gone.returncode, "has no commit" in gone.stderr) == (2, True), gone.stderr
    assert not (tmp_path / "ran").exists()
    refused = run_picoclaw("skills", "install", f"file://{repository}#{commit}")
    assert (refused.returncode, "not fetched" in refused.stderr) == (2, True), refused.stderr


def test_doctor_names_what_is_broken_and_what_is_lacking(run_picoclaw: RunPicoclaw, home: Path) -> None:
    folder = home / ".picoclaw"
    for name, text in (
        ("fine", "needs: sh\n"),
        ("lacks", "needs: no-such-program\n"),
        ("broken", "a: b: c\n"),
    ):
        (folder / "skills" / name).mkdir(parents=True)
        front = f"---\nname: {name}\ndescription: b\n{text}---\nx\n"
        (folder / "skills" / name / "SKILL.md").write_text(front)
    (folder / "mcp.yaml").write_text("servers:\n  absent: {command: no-such-program}\n")
    told = run_picoclaw("doctor").stdout
    assert "absent is not ready" in told
    assert "ready: fine" in told
    assert "lacks is not ready" in told
    assert "broken/SKILL.md:4" in told
