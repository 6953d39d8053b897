"""The files of a folder that fit a pattern: tracked and unignored ones in a git work tree, as they travel."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import UsageError

MAX_FILES = 200_000


@dataclass(frozen=True)
class FolderFiles:
    """The files of what `--repo` names, listed when they are first asked for."""

    repo: str
    """A folder or a git URL."""

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every file, relative to the folder, in order. Raises RepositoryError."""
        from ...capabilities.repository.git import GitAbsent, inside_work_tree, listed_files
        from ...capabilities.repository.snapshot import check_folder

        root = check_folder(Path(self.repo))
        listed: Iterable[str]
        try:
            listed = listed_files(root) if inside_work_tree(root) else _walk(root)
        except GitAbsent:
            listed = _walk(root)
        return tuple(sorted(path for path in listed if (root / path).is_file() and _is_text(path)))

    def fitting(self, patterns: Sequence[str], what: str, *, may_be_none: bool = False) -> tuple[str, ...]:
        """Return the files that fit one of the patterns, each once; raises UsageError when one fits none.

        `may_be_none`: then that is no mistake.

        `*` stays within a folder, `**` does not; a pattern without a slash fits names in any folder, and
        one that ends with a slash all that is below.
        """
        from ...capabilities.repository.url import is_url

        if is_url(self.repo):
            raise UsageError(
                f"{what}: a list of files is made from a folder, and {self.repo} is a URL: clone it, and give "
                "the folder with --repo"
            )
        found: dict[str, None] = {}
        for pattern in patterns:
            fits = _compiled(pattern, what)
            some = [path for path in self.paths if fits.fullmatch(path)]
            found.update(dict.fromkeys(some))
            if not some and not may_be_none:
                raise UsageError(
                    f"{what}: no file of {self.repo} fits {pattern!r} (of those that git tracks or does not ignore)"
                )
        return tuple(sorted(found))


def _compiled(pattern: str, what: str) -> re.Pattern[str]:
    text = pattern.strip().removeprefix("./")
    if not text or text.startswith(("/", "../")):
        raise UsageError(
            f"{what}: {pattern!r} is no path below the repository: write it relative to its folder"
        )
    if text.endswith("/"):
        text += "**"
    if "/" not in text:
        text = f"**/{text}"
    parts: list[str] = []
    for mark in re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", text, re.DOTALL):
        if mark == "**/":
            parts.append("(?:.*/)?")
        elif mark == "**":
            parts.append(".*")
        elif mark == "*":
            parts.append("[^/]*")
        elif mark == "?":
            parts.append("[^/]")
        elif len(mark) > 1:
            inner = mark[1:-1].replace("\\", "\\\\")
            parts.append(f"[{'^' + inner[1:] if inner.startswith('!') else inner}]")
        else:
            parts.append(re.escape(mark))
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error as error:
        raise UsageError(f"{what}: {pattern!r} is no pattern ({error.msg})") from None


def _is_text(path: str) -> bool:
    """Whether a name can be carried: it may be any bytes on a disk."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk(root: Path) -> Iterator[str]:
    from ...capabilities.repository.junk import is_junk_file, is_junk_folder

    number = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not is_junk_folder(name))
        for name in files:
            number += 1
            if number > MAX_FILES:
                raise UsageError(f"{root} holds more than {MAX_FILES:,} files: name a smaller folder")
            if not is_junk_file(name):
                yield Path(folder, name).relative_to(root).as_posix()
