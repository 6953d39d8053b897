"""A snapshot: a folder's tracked and unignored files in one archive, the same bytes each time.

Links are kept as links and never followed; nothing in the archive names a path of this machine.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import RepositoryError
from ...swarm.embedded.rundir import picoclaw_home
from .git import GitAbsent, inside_work_tree, listed_files, place_within
from .junk import is_junk_file, is_junk_folder, looks_secret

MAX_BYTES = 200 * 2**20
MAX_FILES = 50_000
MAX_PATH = 1024
"""Bytes of a file's name with its folders."""
NAMED = 5
MEDIA_TYPE = "application/gzip"


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a repository may be, unpacked."""

    max_bytes: int = MAX_BYTES
    max_files: int = MAX_FILES


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was packed."""

    path: Path
    """The archive."""
    label: str
    """The folder's name, all that travels of its path."""
    digest: str
    """SHA-256 of the archive in hex."""
    files: int
    size: int
    """Bytes, unpacked."""
    warnings: tuple[str, ...] = ()
    """What its sender should know before it leaves the machine: files that look like secrets."""
    notes: tuple[str, ...] = ()
    """What was left out and why."""
    place: str = ""
    """Where the folder lies in the repository that it is a part of; empty: it is all of it, or there is none."""


@dataclass(slots=True)
class _Packing:
    """Totals and remarks while an archive is written."""

    limits: Limits
    label: str
    files: int = 0
    size: int = 0
    text: bool = False
    left_out: dict[str, list[str]] = field(default_factory=dict)
    secret: list[str] = field(default_factory=list)
    place: str = ""

    def leave_out(self, reason: str, path: str) -> None:
        self.left_out.setdefault(reason, []).append(path)

    def count(self, size: int) -> None:
        self.files += 1
        self.size += size
        if self.files > self.limits.max_files:
            raise RepositoryError(
                f"{self.label} holds more than {self.limits.max_files:,} files: "
                "name a smaller folder, or list what nobody needs in .gitignore"
            )
        if self.size > self.limits.max_bytes:
            raise RepositoryError(
                f"{self.label} holds more than {self.limits.max_bytes // 2**20} MB: "
                "name a smaller folder, or list what nobody needs in .gitignore"
            )


def take_snapshot(folder: Path, archive: Path, limits: Limits | None = None) -> Snapshot:
    """Pack a folder into `archive`, which must lie outside it; blocking.

    In a git work tree the tracked and unignored files, elsewhere all files but what tools leave behind.
    Raises RepositoryError, in one line, for a folder that is missing, unreadable, empty, too large or
    holds nothing but binary files.
    """
    root = check_folder(folder)
    # A folder's name may be any bytes; what people see is text.
    label = root.name.encode("utf-8", "replace").decode() or "repository"
    packing = _Packing(limits or Limits(), label)
    try:
        with (
            archive.open("wb") as raw,
            # No name and no time in the header: the same files make the same bytes.
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=3, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            own = _own_folders(root)
            for path in _listed(root, packing):
                if path.startswith(own):
                    packing.left_out["holds the swarm's credentials, not sent"] = [
                        one.rstrip("/") for one in own
                    ]
                else:
                    _add(tar, root, path, packing)
        _refuse_nothing(packing)
    except BaseException:
        archive.unlink(missing_ok=True)
        raise
    return Snapshot(
        path=archive,
        label=label,
        digest=_digest(archive),
        files=packing.files,
        size=packing.size,
        warnings=_warnings(packing),
        notes=tuple(_remark(reason, paths) for reason, paths in sorted(packing.left_out.items())),
        place=packing.place.encode("utf-8", "replace").decode(),
    )


def _own_folders(root: Path) -> tuple[str, ...]:
    """Return where picoclaw keeps its credentials, from the root and each with a slash at its end."""
    home = picoclaw_home().resolve()
    places = (home,) if home != root and home.is_relative_to(root) else (home / "nats", home / "run")
    return tuple(f"{place.relative_to(root).as_posix()}/" for place in places if place.is_relative_to(root))


def check_folder(folder: Path) -> Path:
    """Return the folder with links resolved; raises RepositoryError when it cannot be listed."""
    try:
        root = folder.expanduser().resolve(strict=True)
        mode = root.stat().st_mode
    except FileNotFoundError:
        raise RepositoryError(f"{folder} does not exist: name a folder or a git URL") from None
    except PermissionError:
        raise RepositoryError(f"{folder} is not readable: give yourself leave to read it") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise RepositoryError(f"{folder} cannot be opened ({error}): name a folder or a git URL") from None
    if not stat.S_ISDIR(mode):
        raise RepositoryError(f"{folder} is not a folder: name the folder that holds it, or a git URL")
    try:
        with os.scandir(root) as entries:
            empty = next(entries, None) is None
    except PermissionError:
        raise RepositoryError(f"{folder} is not readable: give yourself leave to read it") from None
    if empty:
        raise RepositoryError(f"{folder} is empty: there is nothing to review")
    return root


def _listed(root: Path, packing: _Packing) -> Iterator[str]:
    try:
        versioned = inside_work_tree(root)
    except GitAbsent:
        packing.leave_out("git is not on the PATH, so .gitignore was not read", ".")
        versioned = False
    if versioned and (files := listed_files(root)):
        packing.place = place_within(root)
        yield from files
        return
    walked = sorted(_walk(root, packing))
    if versioned and walked:
        # A folder that its repository ignores, such as one of installed packages.
        packing.leave_out("git ignores this folder, so all of its files were taken", ".")
    yield from walked


def _walk(root: Path, packing: _Packing) -> Iterator[str]:
    def refused(error: OSError) -> None:
        packing.leave_out("not readable", os.path.relpath(error.filename, root))

    seen = 0
    for folder, names, files in os.walk(root, onerror=refused, followlinks=False):
        here = os.path.relpath(folder, root)
        if here != "." and "pyvenv.cfg" in files:
            names.clear()
            continue
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        names[:] = sorted(name for name in names if name not in links and not is_junk_folder(name))
        for name in [*files, *links]:
            if is_junk_file(name):
                continue
            seen += 1
            # Ends a walk through a whole disk early, before it is sorted.
            if seen > packing.limits.max_files:
                packing.files = packing.limits.max_files
                packing.count(0)
            yield os.path.normpath(os.path.join(here, name)).replace(os.sep, "/")


def _add(tar: tarfile.TarFile, root: Path, path: str, packing: _Packing) -> None:
    full = root / path
    try:
        info = full.lstat()
    except FileNotFoundError:
        # Deleted, but git still lists it.
        return
    except OSError:
        packing.leave_out("not readable", path)
        return
    if len(os.fsencode(path)) > MAX_PATH:
        packing.leave_out("its name is too long", path)
    elif stat.S_ISLNK(info.st_mode):
        _add_link(tar, root, path, packing)
    elif stat.S_ISDIR(info.st_mode):
        packing.leave_out("a repository of its own (submodule), not sent", path.rstrip("/"))
    elif stat.S_ISREG(info.st_mode):
        _add_file(tar, full, path, packing)
    else:
        packing.leave_out("neither file, folder nor link", path)


def _add_file(tar: tarfile.TarFile, full: Path, path: str, packing: _Packing) -> None:
    try:
        # The name may have become something else since it was looked at.
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        packing.leave_out("not readable", path)
        return
    with open(descriptor, "rb") as file:
        packing.count(os.fstat(descriptor).st_size)
        try:
            data = file.read(packing.limits.max_bytes + 1)
        except OSError:
            packing.leave_out("not readable", path)
            packing.files -= 1
            return
        executable = bool(os.fstat(descriptor).st_mode & stat.S_IXUSR)
    packing.text = packing.text or (bool(data) and b"\0" not in data[:8192])
    if looks_secret(path):
        packing.secret.append(path)
    entry = _entry(path)
    entry.size = len(data)
    entry.mode = 0o755 if executable else 0o644
    tar.addfile(entry, io.BytesIO(data))


def _add_link(tar: tarfile.TarFile, root: Path, path: str, packing: _Packing) -> None:
    try:
        aim = os.readlink(root / path)
        inside = not os.path.isabs(aim) and (root / path).resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        # RuntimeError: links in a circle.
        inside = False
    if not inside:
        packing.leave_out("a link that points outside, not sent", path)
        return
    packing.count(0)
    entry = _entry(path)
    entry.type = tarfile.SYMTYPE
    entry.linkname = aim
    entry.mode = 0o777
    tar.addfile(entry)


def _entry(path: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.mtime = 0
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _refuse_nothing(packing: _Packing) -> None:
    if packing.files == 0:
        remarks = "; ".join(_remark(reason, paths) for reason, paths in sorted(packing.left_out.items()))
        raise RepositoryError(
            f"{packing.label} holds no file that could be reviewed" + (f" ({remarks})" if remarks else "")
        )
    if not packing.text:
        raise RepositoryError(
            f"{packing.label} holds only empty or binary files: there is no text in it to review"
        )


def _warnings(packing: _Packing) -> tuple[str, ...]:
    if not packing.secret:
        return ()
    return (_remark("looks like a secret and is sent along", packing.secret) + " (list it in .gitignore)",)


def _remark(reason: str, paths: list[str]) -> str:
    if paths == ["."]:
        return reason
    shown = ", ".join(os.fsencode(path).decode("utf-8", "replace") for path in paths[:NAMED])
    rest = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{reason}: {shown}{rest}"


def _digest(archive: Path) -> str:
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
