"""A delta: what changed in a workspace since it was last looked at, as one archive; blocking.

Deltas are kept after each tool that may write, so that an attempt on another node finds the files as the
conversation knows them. Each holds only what changed: a long run costs what it writes, not its square.
"""

import hashlib
import io
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ....errors import FinalError
from ...removal import remove
from .manifest import Entry, Manifest, scan

LARGEST = 128 * 2**20
"""Bytes of all files of one delta; what is larger is left out, the largest first, and said on resuming."""
MEDIA_TYPE = "application/gzip"
_ABOUT = "about.json"
_FILES = "files/"
_BLOCK = 2**18


@dataclass(frozen=True, slots=True)
class Delta:
    """What was written, and how the workspace stands after it."""

    changed: bool
    """False: nothing changed, and nothing was written."""
    after: Manifest


def baseline(root: Path) -> Manifest:
    """Look at a workspace as it stands; what was just written is read, as a change may not show in its times."""
    now = scan(root)
    entries = {
        path: entry if entry.settled else replace(entry, digest=_digest(root / path))
        for path, entry in now.entries.items()
    }
    return replace(now, entries=entries)


def write_delta(root: Path, before: Manifest, archive: Path) -> Delta:
    """Write what changed in a workspace since `before` to an archive outside it."""
    now = scan(root)
    entries = dict(now.entries)
    changed: dict[str, Entry] = {}
    for path, entry in entries.items():
        known = before.entries.get(path)
        if known is not None and _same(root, path, known, entry):
            entries[path] = replace(entry, digest=known.digest)
        else:
            changed[path] = entry
    # Of a workspace that was not looked at as a whole nobody knows what is gone from it.
    gone = [path for path in before.entries if path not in entries] if now.whole else []
    too_large = _too_large(changed)
    left_out = sorted((now.left_out | too_large) - before.left_out)
    kept = {path: entry for path, entry in changed.items() if path not in too_large}
    after = Manifest(entries, now.left_out | too_large, now.whole)
    if not kept and not gone and not left_out and now.whole == before.whole:
        return Delta(False, after)
    with tarfile.open(archive, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=3) as tar:
        about = {"gone": gone, "left_out": left_out, "whole": now.whole}
        _add(tar, _ABOUT, json.dumps(about).encode())
        for path, entry in kept.items():
            digest = _pack(tar, root, path, entry)
            entries[path] = replace(entry, digest=digest)
    return Delta(True, after)


def _same(root: Path, path: str, known: Entry, entry: Entry) -> bool:
    if (known.kind, known.mode, known.aim, known.size) != (entry.kind, entry.mode, entry.aim, entry.size):
        return False
    if entry.kind != "file" or (known.stamp == entry.stamp and known.settled):
        return True
    # Its times may be new and its content old, or the other way round where it was just written.
    return bool(known.digest) and entry.size <= LARGEST and _digest(root / path) == known.digest


def _digest(path: Path) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _too_large(changed: dict[str, Entry]) -> frozenset[str]:
    total = sum(entry.size for entry in changed.values())
    dropped = set()
    for path, entry in sorted(changed.items(), key=lambda one: -one[1].size):
        if total <= LARGEST:
            break
        dropped.add(path)
        total -= entry.size
    return frozenset(dropped)


def _pack(tar: tarfile.TarFile, root: Path, path: str, entry: Entry) -> str:
    if entry.kind == "folder":
        _add(tar, _FILES + path, mode=entry.mode, kind=tarfile.DIRTYPE)
        return ""
    if entry.kind == "link":
        _add(tar, _FILES + path, kind=tarfile.SYMTYPE, aim=entry.aim)
        return ""
    full = root / path
    try:
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        os.chmod(full, entry.mode | stat.S_IRUSR)
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        os.fchmod(descriptor, entry.mode)
    with open(descriptor, "rb") as file:
        data = file.read(entry.size)
    _add(tar, _FILES + path, data, mode=entry.mode)
    return hashlib.sha256(data).hexdigest()


def _add(
    tar: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    mode: int = 0o644,
    kind: bytes = tarfile.REGTYPE,
    aim: str = "",
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, aim
    tar.addfile(info, io.BytesIO(data))


def read_delta(archive: Path, root: Path) -> frozenset[str]:
    """Bring a workspace from before a delta to after it; return what the delta does not hold.

    Raises FinalError for an archive that is damaged or would leave the workspace.
    """
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            return _read(tar, root)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise FinalError(
            f"what was kept of the agent's workspace is damaged ({error}): send the request again"
        ) from None


def _read(tar: tarfile.TarFile, root: Path) -> frozenset[str]:
    first = tar.next()
    source = tar.extractfile(first) if first is not None and first.name == _ABOUT else None
    if source is None:
        raise ValueError("it does not say what it is")
    about = json.loads(source.read())
    # What is in a folder before the folder.
    for path in sorted(about["gone"], reverse=True):
        _clear(_inside(root, path, set()))
    folders: list[tuple[Path, int]] = []
    sure: set[Path] = set()
    while (member := tar.next()) is not None:
        if not member.name.startswith(_FILES):
            raise ValueError(f"{member.name[:100]!r} is none of its parts")
        place = _inside(root, member.name.removeprefix(_FILES), sure)
        if member.isdir():
            if place.is_symlink() or not place.is_dir():
                _clear(place)
                place.mkdir()
            folders.append((place, member.mode))
            continue
        _clear(place)
        if member.issym():
            place.symlink_to(member.linkname)
            sure.clear()
        elif member.isreg():
            _write(tar, member, place)
        else:
            raise ValueError(f"{member.name[:100]!r} is neither file, folder nor link")
    for place, mode in reversed(folders):
        # Its owner's leave stays, or a later delta could not be applied.
        place.chmod(mode | stat.S_IRWXU)
    left_out = list(about["left_out"])
    if not about["whole"]:
        left_out.append("whatever is beyond its first 100,000 files")
    return frozenset(left_out)


def _inside(root: Path, path: str, sure: set[Path]) -> Path:
    """Return where a path is; `sure` are folders that no link leads to, which takes long to see of deep ones."""
    parts = path.split("/")
    if not path or path.startswith("/") or "\0" in path or {"", ".", ".."} & set(parts):
        raise ValueError(f"{path[:100]!r} would leave the workspace")
    place = root / path
    if place.parent not in sure:
        if place.parent.parent in sure:
            straight = not place.parent.is_symlink()
        else:
            straight = place.parent.resolve() == place.parent
        if not straight:
            raise ValueError(f"{path[:100]!r} lies behind a link")
        sure.add(place.parent)
    return place


def _clear(place: Path) -> None:
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
    else:
        remove(place)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        while block := source.read(_BLOCK):
            file.write(block)
        os.fchmod(descriptor, stat.S_IMODE(member.mode))


def incomplete(left_out: Iterable[str]) -> str:
    """Return in words what of a workspace did not survive; empty for nothing."""
    names = sorted({os.fsencode(path).decode("utf-8", "replace") for path in left_out})
    if not names:
        return ""
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"not in the workspace any more, make it again if you need it: {', '.join(names[:10])}{rest}"
