"""Checkouts: what comes out is what went in, and nothing of a hostile archive leaves its folder."""

import asyncio
import gzip
import io
import os
import stat
import tarfile
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from picoclaw.capabilities.local_artifacts import LocalArtifacts
from picoclaw.capabilities.removal import remove
from picoclaw.capabilities.repository.checkout import checkout, prune
from picoclaw.capabilities.repository.reference import refer
from picoclaw.capabilities.repository.snapshot import Limits
from picoclaw.errors import FinalError, SwarmError
from picoclaw.swarm.records import ArtifactRef, RepositoryRef
from picoclaw.tests.support.repositories import make_repository
from picoclaw.tests.support.waiting import wait_for_async

pytestmark = [pytest.mark.unit, pytest.mark.timeout(30)]


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


async def archived(
    artifacts: LocalArtifacts, members: Iterable[tuple[tarfile.TarInfo, bytes]]
) -> RepositoryRef:
    """Return the reference of an archive that no honest sender makes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return RepositoryRef(snapshot=await artifacts.put(buffer.getvalue(), media_type="application/gzip"))


def file(name: str) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), b"x = 1\n"


def link(name: str, aim: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = aim
    return member, b""


async def test_what_comes_out_is_what_went_in(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    folder = make_repository(
        tmp_path / "r", {"a.py": "x\n", "sub/b.bin": b"\0\1", "empty": "", "run.sh": "#!/bin/sh\n"}
    )
    (folder / "run.sh").chmod(0o755)
    (folder / "sub/link").symlink_to("../a.py")
    referred = await refer(str(folder), artifacts)
    assert referred.files == 5
    assert referred.repository.label == "r"
    assert str(tmp_path) not in referred.repository.model_dump_json()

    place = await checkout(referred.repository, artifacts, tmp_path / "cache")
    assert (place / "a.py").read_text() == "x\n"
    assert (place / "sub/b.bin").read_bytes() == b"\0\1"
    assert (place / "empty").read_bytes() == b""
    assert os.readlink(place / "sub/link") == "../a.py"
    assert not (place / "a.py").stat().st_mode & (stat.S_IWUSR | stat.S_IXUSR)
    assert (place / "run.sh").stat().st_mode & stat.S_IXUSR
    assert not (place / "sub").stat().st_mode & stat.S_IWUSR


async def test_a_folder_named_like_a_url_is_a_folder(
    tmp_path: Path, artifacts: LocalArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(tmp_path / "a:b", {"a.py": "x\n"})
    monkeypatch.chdir(tmp_path)
    assert (await refer("a:b", artifacts)).repository.label == "a:b"


async def test_a_second_checkout_fetches_nothing(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    referred = await refer(str(make_repository(tmp_path / "r", {"a.py": "x\n"})), artifacts)
    first = await checkout(referred.repository, artifacts, tmp_path / "cache")
    for body in artifacts.folder.iterdir():
        body.unlink()
    assert await checkout(referred.repository, artifacts, tmp_path / "cache") == first


async def test_many_checkouts_at_once_end_in_one_folder(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    referred = await refer(str(make_repository(tmp_path / "r", {"a.py": "x\n"})), artifacts)
    cache = tmp_path / "cache"
    places = await asyncio.gather(*(checkout(referred.repository, artifacts, cache) for _ in range(8)))
    assert len(set(places)) == 1
    assert os.listdir(cache) == [places[0].name], "an unfinished one was left"


async def test_a_snapshot_that_is_gone_is_said_to_be_gone(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    ref = ArtifactRef(name="x", size=1, digest="0" * 64)
    with pytest.raises(SwarmError, match="is gone"):
        await checkout(RepositoryRef(snapshot=ref), artifacts, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


HOSTILE = {
    "parent": [file("../evil")],
    "deep parent": [file("a/../../evil")],
    "absolute": [file("/tmp/evil")],
    "absolute link": [link("l", "/etc/passwd")],
    "link outside": [link("l", "../evil")],
    "link outside from below": [link("a/l", "../../evil")],
    "empty link": [link("l", "")],
    "file through a link": [link("l", "."), file("l/x")],
    "link through a link": [file("d/x"), link("l", "d"), link("l/m", "x")],
    "links that climb together": [file("a/b/x"), link("a/b/c", "../.."), link("e", "a/b/c/../x")],
    "links in a circle": [link("a", "b"), link("b", "a")],
    "hard link": [file("a"), link("l", "a", tarfile.LNKTYPE)],
    "hard link outside": [link("l", "/etc/passwd", tarfile.LNKTYPE)],
    "device": [link("d", "", tarfile.CHRTYPE)],
    "pipe": [link("p", "", tarfile.FIFOTYPE)],
    "twice": [file("a"), file("a")],
    "a file as a folder": [file("a"), file("a/b")],
    "a link as a file's folder": [file("a"), link("a/l", "x")],
    "over-long part": [file("a" * 300)],
    "over-long name": [file("a/" * 600 + "b")],
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_archive_is_refused_and_leaves_nothing(
    name: str, tmp_path: Path, artifacts: LocalArtifacts
) -> None:
    repository = await archived(artifacts, HOSTILE[name])
    cache = tmp_path / "deep" / "cache"
    with pytest.raises(FinalError, match=r"refused|damaged"):
        await checkout(repository, artifacts, cache)
    assert os.listdir(cache) == []
    assert os.listdir(cache.parent) == ["cache"]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no archive" * 999, mtime=0)[:60], b"\x1f\x8b" + b"\0" * 99],
    ids=["nothing", "text", "cut short", "zeros"],
)
async def test_a_damaged_archive_is_refused(data: bytes, tmp_path: Path, artifacts: LocalArtifacts) -> None:
    ref = RepositoryRef(snapshot=await artifacts.put(data, media_type="application/gzip"))
    with pytest.raises(FinalError, match="damaged"):
        await checkout(ref, artifacts, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []


async def test_a_truncated_archive_is_refused(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    folder = make_repository(tmp_path / "r", {"a.bin": os.urandom(100_000), "b.txt": "x"})
    referred = await refer(str(folder), artifacts)
    assert referred.repository.snapshot is not None
    whole = await artifacts.get(referred.repository.snapshot)
    cut = RepositoryRef(snapshot=await artifacts.put(whole[:50_000], media_type="application/gzip"))
    with pytest.raises(FinalError, match="damaged"):
        await checkout(cut, artifacts, tmp_path / "cache")


async def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, artifacts: LocalArtifacts
) -> None:
    bomb = tarfile.TarInfo("zeros")
    repository = await archived(artifacts, [(bomb, bytes(5 * 2**20))])
    assert repository.snapshot is not None
    assert repository.snapshot.size < 20_000
    with pytest.raises(FinalError, match="more than 4 MB"):
        await checkout(repository, artifacts, tmp_path / "cache", limits=Limits(max_bytes=4 * 2**20))
    assert os.listdir(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "repository",
    [
        RepositoryRef(),
        RepositoryRef(url="https://example.org/x"),
        RepositoryRef(snapshot=ArtifactRef(name="x", size=1, digest="../../../../tmp/evil")),
    ],
)
async def test_a_reference_to_nothing_is_refused(
    repository: RepositoryRef, tmp_path: Path, artifacts: LocalArtifacts
) -> None:
    with pytest.raises(FinalError, match=r"sender is not|send it again"):
        await checkout(repository, artifacts, tmp_path / "cache")


async def test_a_cancelled_checkout_leaves_nothing(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    fetching = asyncio.Event()

    class Stuck(LocalArtifacts):
        async def get_file(self, ref: ArtifactRef, path: Path) -> None:
            await asyncio.to_thread(path.write_bytes, b"half")
            fetching.set()
            await asyncio.Event().wait()

    ref = RepositoryRef(snapshot=ArtifactRef(name="x", size=1, digest="0" * 64))
    job = asyncio.create_task(checkout(ref, Stuck(tmp_path), tmp_path / "cache"))
    await fetching.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert os.listdir(tmp_path / "cache") == []


async def test_a_checkout_cancelled_while_it_unpacks_leaves_nothing(
    tmp_path: Path, artifacts: LocalArtifacts
) -> None:
    members = [(tarfile.TarInfo(f"{n % 50}/{n}"), b"x") for n in range(4_000)]
    repository = await archived(artifacts, members)
    cache = tmp_path / "cache"
    job = asyncio.create_task(checkout(repository, artifacts, cache))
    await wait_for_async(lambda: any(cache.glob(".unfinished-*/files/*/*")), 20)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert os.listdir(cache) == []


async def test_the_cache_forgets_what_nobody_asks_for(tmp_path: Path, artifacts: LocalArtifacts) -> None:
    cache = tmp_path / "cache"
    old, new = [
        await checkout((await refer(str(make_repository(tmp_path / n, {f"d/{n}.py": "x\n"})), artifacts)).repository,
                       artifacts, cache)
        for n in ("old", "new")
    ]  # fmt: skip
    os.utime(old, (time.time() - 7200,) * 2)
    assert prune(cache, timedelta(hours=1)) == 1
    assert not old.exists()
    assert new.exists()
    assert prune(tmp_path / "no-cache") == 0
    remove(new)
    assert os.listdir(cache) == []
