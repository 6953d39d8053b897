"""Whether a folder stands where a store can live: a local disk whose locks and modes hold.

A network file system may grant one lock to two machines and reorder writes, so two servers would
ruin one store; it is refused by its type. What the type does not tell is tried: 9p and FUSE are how
a virtual machine or a sandbox shares its own host's disk as well, so those are taken when a lock
excludes and mode 0600 holds.
"""

import fcntl
import os
import re
import stat
import subprocess
from pathlib import Path

from ...errors import EmbeddedServerError

NETWORK = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb2",
        "smb3",
        "smbfs",
        "afs",
        "afpfs",
        "ncpfs",
        "webdav",
        "davfs",
        "ceph",
        "glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "orangefs",
        "ocfs2",
        "gfs2",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.davfs2",
        "fuse.cephfs",
        "fuse.ceph",
        "fuse.gcsfuse",
        "fuse.juicefs",
        "fuse.mount-s3",
        "fuse.curlftpfs",
        "fuse.smbnetfs",
        "fuse.afp",
        "macfuse.sshfs",
    ]
)
_MOUNTS = Path("/proc/self/mountinfo")
_ADVICE = (
    "run a nats-server of your own (`nats-server -js --store_dir` on a local disk) and name it with "
    "--swarm.nats.urls"
)


def check_store_place(folder: Path) -> None:
    """Raise EmbeddedServerError unless a store may live in the folder, which must exist."""
    kind = mount_type(folder)
    if kind in NETWORK:
        raise EmbeddedServerError(
            f"{folder} is on a network file system ({kind}), where a store can be ruined: {_ADVICE}"
        )
    if not _locks_and_modes_hold(folder):
        raise EmbeddedServerError(
            f"the file system of {folder} ({kind or 'unknown type'}) keeps neither file locks nor private "
            f"files as a store needs them: {_ADVICE}"
        )


def mount_type(folder: Path) -> str:
    """Return the type of the file system that holds the folder; "" when nobody can tell."""
    real = os.path.realpath(folder)
    if _MOUNTS.exists():
        return type_from_mountinfo(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"), real)
    try:
        ran = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return type_from_mount(ran.stdout, real)


def type_from_mountinfo(table: str, real: str) -> str:
    """Read Linux's table (proc(5)): the last of the longest mount points above `real` counts."""
    best, kind = "", ""
    for line in table.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if _holds(point, real) and len(point) >= len(best):
            best, kind = point, right.split(" ", 1)[0]
    return kind


def type_from_mount(table: str, real: str) -> str:
    """Read what macOS's `mount` prints: `/dev/disk3s5 on /System/Volumes/Data (apfs, local, …)`."""
    best, kind = "", ""
    for line in table.splitlines():
        match = re.fullmatch(r".+? on (/.*) \(([^,)]+).*\)", line)
        if match and _holds(match[1], real) and len(match[1]) >= len(best):
            best, kind = match[1], match[2]
    return kind


def _holds(point: str, real: str) -> bool:
    return point == "/" or real == point or real.startswith(point + "/")


def _locks_and_modes_hold(folder: Path) -> bool:
    path = folder / f".probe-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        one = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            private = stat.S_IMODE(os.fstat(one).st_mode) == 0o600
            other = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return private
            finally:
                os.close(other)
            return False
        finally:
            os.close(one)
    except OSError:
        return False
    finally:
        path.unlink(missing_ok=True)
