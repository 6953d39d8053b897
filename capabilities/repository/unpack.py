"""Unpacking a snapshot from a stranger: nothing is ever written or linked outside the folder.

Written out by hand instead of `tarfile.extractall`, whose `data` filter was got around by chains of
links (CVE-2025-4517): here links are made last, so that no file is ever written through one.
"""

import errno
import os
import posixpath
import stat
import tarfile
import zlib
from pathlib import Path

from ...errors import FinalError
from .snapshot import MAX_PATH, Limits

BLOCK = 2**20
ARCHIVES_FAULT = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
"""What a file system says of names that clash or that it cannot bear."""


def unpack(archive: Path, folder: Path, limits: Limits) -> None:
    """Unpack a snapshot into an empty folder; blocking.

    Raises FinalError for an archive that is damaged, too large, or holds a member that is no plain
    file, folder or inner link, or that would leave the folder.
    """
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            links = _unpack_files(tar, folder, limits)
        for link in links:
            _link(link, folder)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (None, *ARCHIVES_FAULT):
            # The disk's fault: full, or read-only.
            raise
        raise FinalError(f"the snapshot is damaged ({error}): send the request again") from None
    _check_links([_place(link.name, folder) for link in links], folder)


def _unpack_files(tar: tarfile.TarFile, folder: Path, limits: Limits) -> list[tarfile.TarInfo]:
    """Unpack files and folders and return the links, which are not made yet."""
    links: list[tarfile.TarInfo] = []
    total = 0
    for count, member in enumerate(tar, start=1):
        total += member.size
        if count > limits.max_files * 2 or total > limits.max_bytes:
            raise FinalError(
                f"the snapshot unpacks to more than {limits.max_bytes // 2**20} MB or "
                f"{limits.max_files:,} files: refused"
            )
        place = _place(member.name, folder)
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
        elif member.issym():
            links.append(member)
        elif member.isfile():
            _write(tar, member, place)
        else:
            raise _refused(member.name, "is neither file, folder nor link")
    return links


def _refused(name: str, why: str) -> FinalError:
    return FinalError(f"the snapshot holds {name[:100]!r}, which {why}: refused")


def _place(name: str, folder: Path) -> Path:
    parts = name.split("/")
    if not name or name.startswith("/") or "\0" in name or ".." in parts or len(os.fsencode(name)) > MAX_PATH:
        raise _refused(name, "would leave its folder")
    return folder / name


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise _refused(member.name, "has no content")
    place.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
    # O_EXCL: a name that comes twice is refused instead of being written over.
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        while block := source.read(BLOCK):
            file.write(block)


def _link(link: tarfile.TarInfo, folder: Path) -> None:
    aim = link.linkname
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(link.name), aim))
    if not aim or aim.startswith("/") or "\0" in aim or len(os.fsencode(aim)) > MAX_PATH:
        raise _refused(link.name, "links to an absolute or empty place")
    if inside == ".." or inside.startswith("../"):
        raise _refused(link.name, "links to a place outside")
    place = _place(link.name, folder)
    if place.parent.resolve() != place.parent:
        raise _refused(link.name, "lies behind another link")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(aim)


def _check_links(links: list[Path], folder: Path) -> None:
    """Follow every link once they all stand: one that climbs by way of another shows only now."""
    for link in links:
        try:
            inside = link.resolve().is_relative_to(folder)
        except (OSError, RuntimeError):
            inside = False
        if not inside:
            raise _refused(link.name, "links to a place outside by way of other links")
