"""An agent's workspace: what a crash leaves of it, and the change that comes back of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from picoclaw.capabilities.agent.executor import handed_in, with_lost
from picoclaw.capabilities.agent.workspace import delta as delta_module
from picoclaw.capabilities.agent.workspace import files as files_module
from picoclaw.capabilities.agent.workspace.change import branch_of
from picoclaw.capabilities.agent.workspace.manifest import Manifest, scan
from picoclaw.capabilities.agent.workspace.workspace import Workspace, open_workspace
from picoclaw.capabilities.removal import remove
from picoclaw.capabilities.repository import worktree as worktree_module
from picoclaw.capabilities.repository.reference import refer
from picoclaw.errors import FinalError
from picoclaw.swarm.records import ArtifactRef, QueuedTask, RepositoryRef, Result, Task
from picoclaw.tests.support.repositories import FolderContext, make_repository, run_git

pytestmark = pytest.mark.integration

FILES: Mapping[str, str | bytes] = {
    "main.py": "print('one')\n",
    "old.py": "x = 1\ny = 2\nz = 3\n",
    "gone.txt": "gone\n",
    "run.sh": "#!/bin/sh\n",
    "blob.bin": bytes(range(256)) * 20,
    "latin.txt": b"caf\xe9\nna\xefve\n",
    ".gitattributes": "*.txt filter=evil\n",
    ".gitignore": "build/\n",
}


def task(repository: RepositoryRef | None = None) -> QueuedTask:
    return QueuedTask(
        request="r-aaaaaaaaaaaaaaaa",
        task=Task(
            step="fix",
            demand="code",
            input={"text": "Mend the greeting\nof main.py"},
            repository=repository,
        ),
        priority=1,
        queued_seq=1,
    )


def look(root: Path) -> dict[str, object]:
    """Everything below a folder but git's own."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name == ".git" or name.startswith(".git/"):
            continue
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), os.access(path, os.X_OK))
    return found


@dataclass
class Sent:
    """A repository as its user has it, and as it was sent."""

    folder: Path
    context: FolderContext
    repository: RepositoryRef


async def sent(tmp_path: Path, *, git: bool) -> Sent:
    folder = make_repository(tmp_path / "mine", FILES, git=git)
    context = FolderContext(tmp_path / "node")
    repository = (await refer(str(folder), context.artifacts)).repository
    if git:
        commit = run_git(folder, "rev-parse", "HEAD")
        # The checkout of a URL is the same files; no host is needed to fetch them here.
        repository = repository.model_copy(update={"commit": commit})
    return Sent(folder, context, repository)


def change(root: Path) -> None:
    (root / "main.py").write_text("print('two')\n")
    (root / "gone.txt").unlink()
    (root / "old.py").rename(root / "new.py")
    (root / "run.sh").chmod(0o755)
    (root / "blob.bin").write_bytes(bytes(range(255, -1, -1)) * 20)
    (root / "latin.txt").write_bytes(b"caf\xe9\nna\xeff\n")
    (root / "sub").mkdir()
    Path(os.fsdecode(os.fsencode(root / "sub") + b"/caf\xe9.txt")).write_text("a name that is no UTF-8\n")
    (root / "link").symlink_to("main.py")
    (root / "build").mkdir()
    (root / "build" / "ignored").write_text("made by a tool")


async def put_back(context: FolderContext, ref: ArtifactRef, path: Path) -> Path:
    await context.artifacts.get_file(ref, path)
    return path


@pytest.mark.parametrize("git", [True, False], ids=["git", "snapshot without git"])
async def test_the_patch_applies_to_what_was_sent(tmp_path: Path, git: bool) -> None:
    mine = await sent(tmp_path, git=git)
    workspace = await open_workspace(task(mine.repository), mine.context)
    change(workspace.root)
    handed = await workspace.finish(task(mine.repository))
    assert [ref.filename for ref in handed] == ["changes.patch", "changes.bundle"][: 2 if git else 1]
    patch = await put_back(mine.context, handed[0], tmp_path / "changes.patch")
    run_git(mine.folder, "apply", str(patch))
    (workspace.root / "build" / "ignored").unlink()
    (workspace.root / "build").rmdir()
    assert look(mine.folder) == look(workspace.root)


async def test_the_branch_fetches_onto_the_named_commit(tmp_path: Path) -> None:
    mine = await sent(tmp_path, git=True)
    workspace = await open_workspace(task(mine.repository), mine.context)
    change(workspace.root)
    handed = await workspace.finish(task(mine.repository))
    bundle = await put_back(mine.context, handed[1], tmp_path / "changes.bundle")
    branch = branch_of(task())
    assert branch == "picoclaw/r-aaaaaaaaaaaaaaaa-fix"
    run_git(mine.folder, "bundle", "verify", str(bundle))
    run_git(mine.folder, "fetch", str(bundle), f"{branch}:{branch}")
    run_git(mine.folder, "fsck", "--full")
    assert run_git(mine.folder, "log", "-1", "--format=%an|%s|%P", branch) == (
        f"PicoClaw agent|Mend the greeting|{mine.repository.commit}"
    )
    run_git(mine.folder, "checkout", "--quiet", branch)
    (workspace.root / "build" / "ignored").unlink()
    (workspace.root / "build").rmdir()
    assert look(mine.folder) == look(workspace.root)


async def test_what_the_attributes_of_a_repository_say_of_line_ends_changes_no_other_file(
    tmp_path: Path,
) -> None:
    folder = make_repository(
        tmp_path / "mine",
        {"old.txt": b"kept\r\nsince long\r\n", "main.py": "one\r\n", "id.c": "$Id$\n"},
        git=True,
    )
    # As in many a repository, the attributes came later than the files.
    make_repository(folder, {".gitattributes": "* text=auto\nid.c ident\n"})
    run_git(folder, "add", ".gitattributes")
    run_git(folder, "commit", "--quiet", "--message", "attributes")
    context = FolderContext(tmp_path / "node")
    commit = run_git(folder, "rev-parse", "HEAD")
    sent = (await refer(str(folder), context.artifacts)).repository.model_copy(update={"commit": commit})
    workspace = await open_workspace(task(sent), context)
    (workspace.root / "main.py").write_bytes(b"two\r\n")
    patch, bundle = await workspace.finish(task(sent))
    file = await put_back(context, bundle, tmp_path / "changes.bundle")
    branch = branch_of(task())
    run_git(folder, "fetch", str(file), f"{branch}:{branch}")
    run_git(folder, "fsck", "--full")
    assert run_git(folder, "diff", "--name-only", "HEAD", branch) == "main.py"
    run_git(folder, "apply", str(await put_back(context, patch, tmp_path / "changes.patch")))
    assert (folder / "main.py").read_bytes() == b"two\r\n"
    assert (folder / "old.txt").read_bytes() == b"kept\r\nsince long\r\n"


async def test_the_patch_of_a_folder_of_a_repository_applies_in_the_repository(tmp_path: Path) -> None:
    whole = make_repository(tmp_path / "mine", {"top.txt": "top\n", "src/web ü/a.txt": "one\n"}, git=True)
    context = FolderContext(tmp_path / "node")
    sent = (await refer(str(whole / "src" / "web ü"), context.artifacts)).repository
    assert sent.place == "src/web ü"
    workspace = await open_workspace(task(sent), context)
    (workspace.root / "a.txt").write_text("two\n")
    (workspace.root / "new.txt").write_text("new\n")
    (patch,) = await workspace.finish(task(sent))
    file = await put_back(context, patch, tmp_path / "changes.patch")
    run_git(whole / "src" / "web ü", "apply", str(file))
    assert (whole / "src" / "web ü" / "a.txt").read_text() == "two\n"
    assert (whole / "src" / "web ü" / "new.txt").read_text() == "new\n"
    run_git(whole, "apply", "--reverse", str(file))


@pytest.mark.parametrize("place", ["../up", "/root", "a//b", "a\nb", "."])
async def test_a_place_that_leads_elsewhere_is_not_believed(tmp_path: Path, place: str) -> None:
    mine = await sent(tmp_path, git=False)
    workspace = await open_workspace(task(mine.repository.model_copy(update={"place": place})), mine.context)
    assert workspace.worktree is not None
    assert workspace.worktree.place == ""


async def test_what_the_agent_configures_in_its_repository_runs_nothing_of_the_nodes(tmp_path: Path) -> None:
    mine = await sent(tmp_path, git=True)
    workspace = await open_workspace(task(mine.repository), mine.context)
    proof = tmp_path / "it-ran"
    hook = workspace.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hook.chmod(0o755)
    for key, value in (
        ("filter.evil.clean", f"touch {proof}; cat"), ("filter.evil.required", "true"),
        ("core.fsmonitor", f"touch {proof}"), ("diff.external", f"touch {proof}"),
    ):  # fmt: skip
        run_git(workspace.root, "config", key, value)
    (workspace.root / "latin.txt").write_text("changed")
    (workspace.root / "inner").mkdir()
    run_git(workspace.root / "inner", "init", "--quiet")
    (workspace.root / "inner" / "file").write_text("of a repository within")
    handed = await workspace.finish(task(mine.repository))
    assert not proof.exists()
    patch = await mine.context.artifacts.get(handed[0])
    assert b"+changed" in patch
    assert b"+of a repository within" in patch


async def test_nothing_changed_hands_in_nothing(tmp_path: Path) -> None:
    mine = await sent(tmp_path, git=True)
    workspace = await open_workspace(task(mine.repository), mine.context)
    assert await workspace.finish(task(mine.repository)) == ()
    assert await workspace.save() is None


async def resumed(workspace: Workspace, task: QueuedTask, kept: list[ArtifactRef]) -> tuple[Workspace, str]:
    another = await open_workspace(task, workspace.context)
    return another, await another.restore(kept)


async def test_another_attempt_finds_the_files_as_they_were_saved(tmp_path: Path) -> None:
    mine = await sent(tmp_path, git=True)
    asked = task(mine.repository)
    workspace = await open_workspace(asked, mine.context)
    kept = []
    for step in (
        lambda root: change(root),
        lambda root: (root / "sub").joinpath("deep").mkdir(),
        lambda root: (root / "main.py").write_text("print('3rd')\n"),
        lambda root: (root / "link").unlink() or (root / "link").mkdir(),
        lambda root: (root / "main.py").write_text("print('4th')\n"),
        lambda root: (root / "build" / "ignored").unlink(),
        lambda root: run_git(root, "commit", "--quiet", "--all", "--message", "of the agent"),
    ):
        step(workspace.root)
        ref = await workspace.save()
        assert ref is not None
        kept.append(ref)
        assert await workspace.save() is None
    another, lacking = await resumed(workspace, asked, kept)
    assert lacking == ""
    assert look(another.root) == look(workspace.root)
    assert run_git(another.root, "log", "-1", "--format=%s") == "of the agent"
    assert await another.save() is None
    patches = [(await one.finish(asked))[0].digest for one in (workspace, another)]
    assert patches[0] == patches[1]


async def test_what_is_kept_grows_with_what_is_written_and_not_with_what_is_there(tmp_path: Path) -> None:
    context = FolderContext(tmp_path)
    workspace = await open_workspace(task(), context)
    sizes = []
    for number in range(20):
        (workspace.root / f"{number}.bin").write_bytes(os.urandom(20_000))
        ref = await workspace.save()
        assert ref is not None
        sizes.append(ref.size)
    assert max(sizes) < 1.1 * min(sizes)


async def test_what_cannot_be_kept_is_told_to_the_one_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_module, "LARGEST", 100_000)
    workspace = await open_workspace(task(), FolderContext(tmp_path))
    (workspace.root / "huge.bin").write_bytes(bytes(200_000))
    (workspace.root / "node_modules").mkdir()
    os.mkfifo(workspace.root / "pipe")
    (workspace.root / "small.txt").write_text("small")
    ref = await workspace.save()
    assert ref is not None
    assert await workspace.save() is None
    another, lacking = await resumed(workspace, task(), [ref])
    assert (another.root / "small.txt").read_text() == "small"
    assert lacking.endswith("make it again if you need it: huge.bin, node_modules, pipe")


async def test_what_was_kept_and_damaged_or_forged_is_refused(tmp_path: Path) -> None:
    context = FolderContext(tmp_path)
    workspace = await open_workspace(task(), context)
    damaged = await context.artifacts.put(b"no archive", media_type="application/gzip")
    with pytest.raises(FinalError, match="send the request again"):
        await workspace.restore([damaged])
    (workspace.root / "out").symlink_to(tmp_path)
    made = tmp_path / "made"
    (made / "out").mkdir(parents=True)
    (made / "out" / "escaped").write_text("x")
    archive = tmp_path / "forged.tar.gz"
    delta_module.write_delta(made, Manifest({"out": scan(made).entries["out"]}), archive)
    forged = await context.artifacts.put_file(archive, media_type="application/gzip")
    with pytest.raises(FinalError, match="behind a link"):
        await workspace.restore([forged])
    assert not (tmp_path / "escaped").exists()


async def test_without_a_repository_the_files_come_back(tmp_path: Path) -> None:
    context = FolderContext(tmp_path)
    workspace = await open_workspace(task(), context)
    (workspace.root / "report.md").write_text("# Report")
    (workspace.root / "secret").symlink_to("/etc/passwd")
    handed = await workspace.finish(task())
    assert [(ref.filename, await context.artifacts.get(ref)) for ref in handed] == [
        ("report.md", b"# Report")
    ]
    for number in range(30):
        (workspace.root / f"{number}.txt").write_text("x")
    assert [ref.filename for ref in await workspace.finish(task())] == ["workspace.tar.gz"]


async def test_a_change_that_is_too_large_costs_nobody_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worktree_module, "PATCH_LIMIT", 100)
    mine = await sent(tmp_path, git=True)
    workspace = await open_workspace(task(mine.repository), mine.context)
    change(workspace.root)
    handed, lost = await handed_in(workspace, task(mine.repository))
    assert handed == ()
    assert lost.startswith("what it made is not handed in: what it changed makes a patch of")


async def test_files_that_are_too_many_bytes_stay_behind_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "LARGEST", 1000)
    workspace = await open_workspace(task(), FolderContext(tmp_path))
    (workspace.root / "report.md").write_text("# Report")
    (workspace.root / "film.mp4").write_bytes(bytes(2000))
    assert [ref.filename for ref in await workspace.finish(task())] == ["report.md"]
    assert "film.mp4 (2 KB) are not handed in" in workspace.left_behind
    told = with_lost(Result(summary="Done."), workspace.left_behind)
    assert told.partial == workspace.left_behind
    assert told.summary == f"Done.\n\n(partial: {workspace.left_behind})"
    assert with_lost(told, "") is told


@pytest.mark.long
async def test_a_tree_made_to_break_tools_is_handed_in_without_what_they_cannot_bear(tmp_path: Path) -> None:
    mine = await sent(tmp_path, git=True)
    asked = task(mine.repository)
    workspace = await open_workspace(asked, mine.context)
    (workspace.root / "main.py").write_text("print('two')\n")
    folder = os.open(workspace.root, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("deep", dir_fd=folder)
        inner = os.open("deep", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    os.mkfifo(workspace.root / "pipe")
    (workspace.root / "shut").mkdir()
    (workspace.root / "shut" / "file").write_text("x")
    (workspace.root / "shut").chmod(0)
    (workspace.root / ".git" / "objects").rename(workspace.root / "objects")
    saved = await workspace.save()
    assert saved is not None
    another, lacking = await resumed(workspace, asked, [saved])
    assert "pipe" in lacking
    assert (another.root / "main.py").read_text() == "print('two')\n"
    handed = await workspace.finish(asked)
    patch = await mine.context.artifacts.get(handed[0])
    assert b"+print('two')" in patch
    for one in (workspace, another):
        remove(one.root)
