"""What changed in a repository since a base: the lines of a pull request; blocking, on the sender's side."""

import os
import re
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ...errors import RepositoryError, UsageError
from ..change import Change, ChangedFile
from .git import GitFailed, git, inside_work_tree
from .url import check_url, is_url

MAX_FILES = 20_000
"""A change of more files is no change to look at line by line."""
LARGEST_TEXT = 16 * 2**20
"""Bytes of a file that git does not know yet and whose lines are still counted."""
CLONING = timedelta(minutes=3)
WORKING_TREE = "working tree"

HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
DIFF = (
    "diff", "-z", "--patch", "--unified=0", "--inter-hunk-context=0", "--find-renames", "--no-color",
    "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--src-prefix=a/", "--dst-prefix=b/",
    "--relative", "--diff-filter=d",
)  # fmt: skip
REMEDY = (
    "fetch its history with `git fetch --unshallow origin`, in GitHub Actions with `fetch-depth: 0` "
    "at actions/checkout"
)


def check_base(base: str) -> None:
    """Raise UsageError for a BASE that git must not be handed."""
    if not base.strip():
        raise UsageError("--diff is empty: name a commit, branch or tag to compare with, such as origin/main")
    if base.startswith("-"):
        raise UsageError(
            f"--diff {base!r} begins with '-': name a commit, branch or tag, such as origin/main"
        )
    if ".." in base:
        raise UsageError(f"--diff {base!r} is a range: name its first end only; the other is what you send")
    if any(not c.isprintable() or c.isspace() for c in base):
        raise UsageError(f"--diff {base!r} holds a space or control character: name a commit, branch or tag")


def read_change(repo: str, base: str) -> Change:
    """Return what changed in a folder or git URL since it parted from `base`; blocking.

    Of a folder the uncommitted changes and new files count. Raises UsageError for a base that is none,
    RepositoryError when there is no such commit or no history to compare with; nothing was sent.
    """
    check_base(base)
    if is_url(repo) and not os.path.isdir(repo):
        return _change_of_url(repo, base)
    return _change_of_folder(Path(repo).expanduser().resolve(), base)


def _change_of_folder(folder: Path, base: str) -> Change:
    if not inside_work_tree(folder):
        raise RepositoryError(
            f"{folder} is no git work tree, so --diff has nothing to compare: leave --diff out"
        )
    parted = _parted(folder, base, "HEAD", str(folder))
    environment = _without_filters(folder)
    out = git(folder, *DIFF, parted, "--", timeout=timedelta(minutes=2), env=environment)
    parsed = parse_patch(out)
    removed = git(
        folder, "diff", "-z", "--name-only", "--relative", "--find-renames", "--no-ext-diff", "--no-textconv",
        "--ignore-submodules=all", "--diff-filter=D", parted, "--", env=environment,
    )  # fmt: skip
    untracked = git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    for name in filter(None, untracked.split(b"\0")):
        parsed.files[os.fsdecode(name)] = _whole(folder / os.fsdecode(name))
    return _change(base, parted, WORKING_TREE, parsed, removed.count(b"\0"))


def _change_of_url(text: str, base: str) -> Change:
    """Compare two commits in a clone without the files' content, which git fetches for what differs."""
    url, _, branch = text.partition("#")
    with tempfile.TemporaryDirectory(prefix="picoclaw-diff-") as place:
        folder = Path(place, "clone.git")
        try:
            git(
                Path(place), "clone", "--quiet", "--bare", "--template=", "--filter=blob:none", "--",
                check_url(url), str(folder), timeout=CLONING,
            )  # fmt: skip
        except GitFailed as error:
            raise RepositoryError(f"{url} cannot be read: {error}") from None
        except RepositoryError as error:
            raise RepositoryError(f"{error}; or clone it, and name the folder with --repo") from None
        head = _commit(folder, branch or "HEAD")
        if head is None:
            raise RepositoryError(f"{url} has no branch or tag {branch!r}")
        # There is no `origin` in a clone of the origin itself.
        parted = _parted(folder, base, head, url, also=base.removeprefix("origin/"))
        parsed = parse_patch(git(folder, *DIFF, parted, head, "--", timeout=CLONING))
        removed = git(
            folder, "diff", "-z", "--name-only", "--find-renames", "--diff-filter=D", parted, head, "--"
        )
        return _change(base, parted, head, parsed, removed.count(b"\0"))


def _change(base: str, parted: str, head: str, parsed: "_Parsed", removed: int) -> Change:
    if len(parsed.files) > MAX_FILES:
        raise RepositoryError(
            f"{len(parsed.files):,} files differ from {base}: leave --diff out, or name a nearer base"
        )
    return Change(
        base=base, commit=parted, head=head, files=parsed.files, removed=removed, binary=parsed.binary
    )


def _commit(folder: Path, name: str) -> str | None:
    try:
        out = git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    except GitFailed:
        return None
    return out.decode().strip()


def _parted(folder: Path, base: str, head: str, where: str, also: str = "") -> str:
    """Return the commit where base and head parted, as in a pull request."""
    if _commit(folder, head) is None:
        raise RepositoryError(
            f"{where} has no commit yet, so --diff has nothing to compare: leave --diff out"
        )
    found = _commit(folder, base) or (_commit(folder, also) if also else None)
    shallow = git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true"
    if found is None:
        if shallow:
            raise RepositoryError(f"{base} is not in {where}, which is a shallow clone: {REMEDY}")
        near = f"origin/{base}"
        hint = f"did you mean {near}?" if _commit(folder, near) else "see `git branch --all` and `git log`"
        raise RepositoryError(f"{where} has no commit, branch or tag {base!r}: {hint}")
    try:
        return git(folder, "merge-base", "--end-of-options", found, head).decode().split()[0]
    except GitFailed:
        if shallow:
            raise RepositoryError(
                f"{where} is a shallow clone that ends before it parted from {base}: {REMEDY}"
            ) from None
        raise RepositoryError(
            f"{base} and what is in {where} have no commit in common: name another base"
        ) from None


def _without_filters(folder: Path) -> dict[str, str]:
    """Return an environment that switches off the filters which the folder's own settings name.

    Comparing a work tree runs the clean filter of a file, and a folder from elsewhere may have brought
    one in its `.git/config`. Those of the user's own settings stay.
    """
    try:
        out = git(folder, "config", "-z", "--show-scope", "--name-only", "--get-regexp", r"^filter\..*")
    except GitFailed:
        return {}
    words = out.decode("utf-8", "surrogateescape").split("\0")
    names = {
        name.rpartition(".")[0]
        for scope, name in zip(words[::2], words[1::2], strict=False)
        if scope in ("local", "worktree")
    }
    pairs = [
        pair
        for name in sorted(names)
        for pair in ((f"{name}.clean", ""), (f"{name}.process", ""), (f"{name}.required", "false"))
    ]
    numbered = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in enumerate(pairs)}
    numbered |= {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)}
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **numbered} if pairs else {}


@dataclass(slots=True)
class _Parsed:
    files: dict[str, ChangedFile] = field(default_factory=dict)
    binary: int = 0


def parse_patch(patch: bytes) -> _Parsed:
    """Read the files and written lines out of a patch without context; pure.

    A hunk's lines are skipped by number: one that reads like a header is still content.
    """
    parsed = _Parsed()
    path, new = "", False
    spans: list[tuple[int, int]] = []

    def close() -> None:
        if path:
            parsed.files[path] = ChangedFile(new=new, spans=tuple(spans))

    lines = iter(patch.split(b"\n"))
    for line in lines:
        if line.startswith(b"diff --git "):
            close()
            path, new, spans = "", False, []
        elif line.startswith(b"new file mode "):
            new = True
        elif line.startswith(b"+++ b/"):
            # git ends a name that holds a space with a tab.
            path = os.fsdecode(line[6:].removesuffix(b"\t"))
        elif line.startswith(b"Binary files "):
            parsed.binary += 1
        elif (hunk := HUNK.match(line)) is not None:
            old = 1 if hunk[1] is None else int(hunk[1])
            first, count = int(hunk[2]), 1 if hunk[3] is None else int(hunk[3])
            if count:
                spans.append((first, first + count - 1))
            for _ in range(old + count):
                next(lines, b"")
    close()
    return parsed


def _whole(file: Path) -> ChangedFile:
    """Return a file that git does not know yet: all of it is new."""
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_TEXT:
            return ChangedFile(new=True)
        data = file.read_bytes()
    except OSError:
        return ChangedFile(new=True)
    count = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return ChangedFile(new=True, spans=((1, count),) if count and b"\0" not in data[:8192] else ())
