"""A repository by URL and commit, from a real git server."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.capabilities.local_artifacts import LocalArtifacts
from picoclaw.capabilities.repository.checkout import checkout
from picoclaw.capabilities.repository.reference import refer, resolve_url
from picoclaw.capabilities.repository.snapshot import Limits
from picoclaw.errors import FinalError, RepositoryError, RetryableError
from picoclaw.swarm.records import RepositoryRef
from picoclaw.tests.support.git_daemon import git_daemon
from picoclaw.tests.support.repositories import make_repository, run_git

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "served" / "project", {"a.py": "x = 1\n", "sub/b.py": "y\n"}, git=True)


@pytest.fixture
def server(project: Path, tmp_path: Path) -> Iterator[str]:
    """A git daemon on a port of its own; yields the project's URL."""
    with git_daemon(project, tmp_path / "daemon.log") as url:
        yield url


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


async def test_a_url_becomes_a_commit_and_the_commit_a_checkout(
    server: str, project: Path, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    referred = await refer(server, artifacts)
    first = run_git(project, "rev-parse", "HEAD")
    assert (referred.repository.url, referred.repository.commit) == (server, first)
    # What is pushed later is not what was asked for.
    make_repository(project, {"later.py": "z\n"})
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "later")

    place = await checkout(referred.repository, artifacts, tmp_path / "cache")
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*")) == [
        "a.py",
        "sub",
        "sub/b.py",
    ]
    assert not (place / "a.py").stat().st_mode & 0o222
    assert os.listdir(tmp_path / "cache") == [place.name]


async def test_a_checkout_holds_the_bytes_of_the_commit_whatever_its_attributes_say(
    server: str, project: Path, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    make_repository(
        project, {".gitattributes": "*.bat text eol=crlf\n*.c ident\n", "a.bat": "x\n", "a.c": "$Id$\n"}
    )
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "later")
    place = await checkout((await refer(server, artifacts)).repository, artifacts, tmp_path / "cache")
    assert (place / "a.bat").read_bytes() == b"x\n"
    assert (place / "a.c").read_bytes() == b"$Id$\n"


async def test_a_commit_that_is_no_tip_is_found(
    server: str, project: Path, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    commit = run_git(project, "rev-parse", "HEAD")
    for n in range(3):
        make_repository(project, {"a.py": f"x = {n + 10}\n"})
        run_git(project, "commit", "--quiet", "--all", "--message", str(n))
    place = await checkout(RepositoryRef(url=server, commit=commit), artifacts, tmp_path / "cache")
    assert (place / "a.py").read_text() == "x = 1\n"


def test_a_branch_and_a_tag_are_resolved(server: str, project: Path) -> None:
    head = run_git(project, "rev-parse", "HEAD")
    run_git(project, "tag", "--annotate", "v1", "--message", "one")
    run_git(project, "checkout", "--quiet", "-b", "side")
    make_repository(project, {"a.py": "x = 2\n"})
    run_git(project, "commit", "--quiet", "--all", "--message", "side")
    assert resolve_url(f"{server}#v1").commit == head
    assert resolve_url(f"{server}#side").commit == run_git(project, "rev-parse", "side")
    with pytest.raises(RepositoryError, match="has no branch or tag 'nowhere'"):
        resolve_url(f"{server}#nowhere")


def test_a_host_that_does_not_answer_is_named() -> None:
    with pytest.raises(RepositoryError, match=r"127\.0\.0\.1:1/x cannot be read"):
        resolve_url("git://127.0.0.1:1/x", timedelta(seconds=10))


async def test_a_commit_that_nobody_pushed_is_a_final_error(
    server: str, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    with pytest.raises(FinalError, match="has no commit aaaaaaaaaaaa: was it pushed"):
        await checkout(RepositoryRef(url=server, commit="a" * 40), artifacts, tmp_path / "cache")
    with pytest.raises(FinalError, match="is not a commit"):
        await checkout(RepositoryRef(url=server, commit="main"), artifacts, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


async def test_a_host_that_is_away_may_be_back_later(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    with pytest.raises(RetryableError, match="git: "):
        await checkout(
            RepositoryRef(url="git://127.0.0.1:1/x", commit="a" * 40), artifacts, tmp_path / "cache"
        )
    assert os.listdir(tmp_path / "cache") == []


async def test_a_huge_repository_behind_a_url_is_refused(
    server: str, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    repository = resolve_url(server)
    with pytest.raises(FinalError, match="more than 0 MB or 1 files"):
        await checkout(repository, artifacts, tmp_path / "cache", limits=Limits(max_files=1, max_bytes=10))
    assert os.listdir(tmp_path / "cache") == []


async def test_a_repository_cannot_run_a_program_by_being_fetched(
    server: str, project: Path, artifacts: LocalArtifacts, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    make_repository(
        project,
        {
            ".gitattributes": "* filter=evil\n",
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::touch x\n',
        },
    )
    for hook in ("post-checkout", "post-update", "reference-transaction"):
        script = make_repository(project / "hooks", {hook: f"#!/bin/sh\ntouch {mark}\n"}) / hook
        script.chmod(0o755)
    run_git(project, "add", "--all")
    run_git(project, "commit", "--quiet", "--message", "evil")
    place = await checkout(resolve_url(server), artifacts, tmp_path / "cache")
    assert (place / "hooks/post-checkout").exists()
    assert not mark.exists()
