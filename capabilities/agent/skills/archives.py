"""Archives with skills, from strangers: unpacked so that nothing lands outside of the folder; blocking."""

import os
import stat
import zipfile
import zlib
from pathlib import Path

from ....errors import FinalError, UsageError
from ...repository.snapshot import Limits
from ...repository.unpack import unpack
from .digest import MAX_BYTES, MAX_FILES

SUFFIXES = (".zip", ".tar.gz", ".tgz")
BLOCK = 2**16
LONGEST_NAME = 1000


def is_archive(path: Path) -> bool:
    """Return whether a file's name says that it is one."""
    return path.name.lower().endswith(SUFFIXES)


def unpack_archive(archive: Path, folder: Path) -> None:
    """Unpack into an empty folder. Raises UsageError for what is damaged, too large or would leave it."""
    if archive.name.lower().endswith(".zip"):
        _unzip(archive, folder)
        return
    try:
        unpack(archive, folder, Limits(max_bytes=4 * MAX_BYTES, max_files=4 * MAX_FILES))
    except FinalError as error:
        why = str(error).removeprefix("the snapshot ").removesuffix(": send the request again")
        raise UsageError(f"{archive.name}: it {why}") from None


def _unzip(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            members = packed.infolist()
            if len(members) > 4 * MAX_FILES:
                raise UsageError(f"{archive.name}: it holds over {4 * MAX_FILES:,} files: refused")
            left = 4 * MAX_BYTES
            for member in members:
                left = _member(packed, member, folder, archive.name, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise UsageError(f"{archive.name}: it is damaged or no zip file ({error}): fetch it again") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise UsageError(f"{archive.name}: two of its names clash: refused") from None


def _member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, name: str, left: int) -> int:
    """Unpack one member; return how many bytes may still come."""
    path, mode = member.filename, member.external_attr >> 16
    parts = path.split("/")
    if path.startswith("/") or ".." in parts or "\\" in path or "\0" in path or not path.isprintable():
        raise UsageError(f"{name}: it holds {path[:100]!r}, which would leave its folder: refused")
    if len(os.fsencode(path)) > LONGEST_NAME:
        raise UsageError(f"{name}: it holds a name of over {LONGEST_NAME} bytes: refused")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UsageError(f"{name}: it holds {path[:100]!r}, which is neither file nor folder: refused")
    if member.flag_bits & 1:
        raise UsageError(f"{name}: it is encrypted: give one that is not")
    place = folder / path
    if member.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return left
    place.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place, flags, 0o755 if mode & stat.S_IXUSR else 0o644)
    with open(descriptor, "wb") as file, packed.open(member) as source:
        # Counted as it comes: what the archive says of sizes may be a lie.
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise UsageError(f"{name}: it unpacks to over {4 * MAX_BYTES // 2**20} MB: refused")
            file.write(block)
    return left
