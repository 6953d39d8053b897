"""Files within a workspace, opened so that nothing leads out of it; blocking.

Each folder on the way is opened from the one above and no link is followed by the system: links are read and
walked here. So a name that is exchanged for a link meanwhile leads nowhere else.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = "/workspace"
"""What the sandbox calls the root."""
MOST_LINKS = 40
DEEPEST = 200
"""Folders within each other on the way to a file: each takes a descriptor."""
LONGEST = 4096
"""Characters of a path."""


class PathRefused(Exception):
    """Raised when a path cannot be used; the message says why, and what would work."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path leads: a name in an open folder."""

    folder: int
    """Its descriptor, open as long as the spot is used."""
    name: str
    """`.` for the root itself, or a folder that was reached by `..`."""
    path: str
    """From the root, with links resolved; `.` for the root."""

    def lstat(self) -> os.stat_result | None:
        """Look at what stands there; None for nothing."""
        try:
            return os.lstat(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            return None

    def open(self, flags: int, mode: int = 0o666) -> int:
        """Open it, if it is no link; never waits for the other end of a pipe."""
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(self.name, flags, mode, dir_fd=self.folder)


@contextmanager
def located(root: Path, path: str, *, make: bool = False) -> Iterator[Spot]:
    """Find where a path leads; what it names need not be there, the folders above it must.

    `make`: make those folders. Raises PathRefused.
    """
    walk = _Walk(root, make)
    try:
        yield walk.to(path)
    except OSError as error:
        raise PathRefused(f"{shown(path)}: {words(error)}") from None
    finally:
        walk.close()


def open_file(spot: Spot, path: str) -> int:
    """Open a plain file for reading. Raises PathRefused for anything else."""
    status = spot.lstat()
    if status is None:
        raise PathRefused(f"{shown(path)} does not exist{_near(spot)}")
    if stat.S_ISDIR(status.st_mode):
        raise PathRefused(f"{shown(path)} is a folder: list it with glob")
    descriptor = spot.open(os.O_RDONLY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PathRefused(f"{shown(path)} is no plain file but a pipe, socket or device")
    return descriptor


def touched(root: Path, path: str) -> tuple[str, ...]:
    """Return what else a path is called: where it leads in the end, from the root; nothing if nowhere."""
    try:
        with located(root, path) as spot:
            return (spot.path,)
    except PathRefused:
        return ()


def shown(path: str) -> str:
    """Return a path as a message shows it."""
    text = os.fsencode(path).decode("utf-8", "replace") if _encodable(path) else repr(path)
    return text if len(text) <= 200 else text[:199] + "…"


def words(error: OSError) -> str:
    """Return what the system says was wrong."""
    if error.errno == errno.ELOOP:
        return "it was exchanged for a link just now: try again"
    if error.errno == errno.ENOTDIR:
        return "a part of it is a file, no folder"
    return (error.strerror or str(error)).lower()


def _near(spot: Spot) -> str:
    from difflib import get_close_matches

    try:
        near = get_close_matches(spot.name, os.listdir(spot.folder), n=3)
    except OSError:
        return ""
    return f"; near it: {', '.join(map(shown, near))}" if near else ": look for it with glob"


def _encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


class _Walk:
    def __init__(self, root: Path, make: bool) -> None:
        self._root = str(root)
        self._make = make
        self._open = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        self._names: list[str] = []
        self._links = 0

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def to(self, path: str) -> Spot:
        if "\0" in path or not _encodable(path) or len(path) > LONGEST:
            raise PathRefused(f"{shown(path)!r} is no path: name a file of the workspace")
        left = deque(self._inside(path, path).split("/"))
        while left:
            part = left.popleft()
            if part in ("", "."):
                continue
            if part == "..":
                self._up(path)
                continue
            aim = self._aim(part)
            if aim is not None:
                self._links += 1
                if self._links > MOST_LINKS:
                    raise PathRefused(f"{shown(path)} leads in a circle of links")
                if aim.startswith("/"):
                    aim = self._inside(aim, path)
                    self._to_root()
                left.extendleft(reversed(aim.split("/")))
                continue
            if not any(more not in ("", ".") for more in left):
                return Spot(self._open[-1], part, "/".join([*self._names, part]))
            self._down(part, path)
        return Spot(self._open[-1], ".", "/".join(self._names) or ".")

    def _inside(self, given: str, path: str) -> str:
        """Return a path from the root; raises PathRefused for an absolute one that leads elsewhere."""
        if not given.startswith("/"):
            return given
        for base in (self._root, WORKSPACE):
            if given == base or given.startswith(base + "/"):
                return given[len(base) + 1 :]
        raise PathRefused(
            f"{shown(path)} is outside the workspace, and files of the workspace are all there is: name it "
            "from there, as in src/main.py"
        )

    def _up(self, path: str) -> None:
        if len(self._open) == 1:
            raise PathRefused(f"{shown(path)} leads out of the workspace: name a file within it")
        os.close(self._open.pop())
        self._names.pop()

    def _to_root(self) -> None:
        while len(self._open) > 1:
            os.close(self._open.pop())
        self._names.clear()

    def _aim(self, part: str) -> str | None:
        """Return where a name leads that is a link; None for anything else."""
        try:
            return os.readlink(part, dir_fd=self._open[-1])
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return None
            raise

    def _down(self, part: str, path: str) -> None:
        if len(self._open) > DEEPEST:
            raise PathRefused(f"{shown(path)} lies in over {DEEPEST} folders: use bash for it")
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(part, flags, dir_fd=self._open[-1])
        except FileNotFoundError:
            if not self._make:
                where = "/".join([*self._names, part])
                raise PathRefused(
                    f"{shown(path)} does not exist: there is no folder {shown(where)}"
                ) from None
            os.mkdir(part, dir_fd=self._open[-1])
            descriptor = os.open(part, flags, dir_fd=self._open[-1])
        self._open.append(descriptor)
        self._names.append(part)
