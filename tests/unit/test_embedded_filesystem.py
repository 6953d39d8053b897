"""Which file systems may hold a store."""

from pathlib import Path

import pytest

from picoclaw.errors import EmbeddedServerError
from picoclaw.swarm.embedded.filesystem import (
    NETWORK,
    check_store_place,
    mount_type,
    type_from_mount,
    type_from_mountinfo,
)

pytestmark = [pytest.mark.unit, pytest.mark.timeout(10)]

LINUX = r"""22 1 254:0 / / rw,relatime - ext4 /dev/root rw
23 22 0:21 / /proc rw - proc proc rw
40 22 0:50 / /home rw,relatime shared:5 - nfs4 filer:/home rw,vers=4.2
41 40 0:51 / /home/ann/local\040disk rw - xfs /dev/vdb rw
42 22 0:52 / /mnt/over rw - ext4 /dev/vdc rw
43 42 0:53 / /mnt/over rw - cifs //filer/share rw
44 22 0:54 / /mnt/pictures rw - fuse.sshfs ann@filer: rw
"""

MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//ann@filer/share on /Volumes/My Share (smbfs, nodev, nosuid, mounted by ann)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/opt/swarm/.picoclaw/nats", "ext4"),
        ("/home", "nfs4"),
        ("/home/ann/.picoclaw/nats", "nfs4"),
        ("/homework", "ext4"),
        ("/home/ann/local disk/nats", "xfs"),
        ("/mnt/over/nats", "cifs"),
        ("/mnt/pictures/nats", "fuse.sshfs"),
    ],
)
def test_linux_tells_the_type_of_the_nearest_mount(path: str, kind: str) -> None:
    assert type_from_mountinfo(LINUX, path) == kind


@pytest.mark.parametrize(
    ("path", "kind"), [("/Users/ann", "apfs"), ("/Volumes/My Share/x", "smbfs"), ("/Volumes/My", "apfs")]
)
def test_macos_tells_the_type_of_the_nearest_mount(path: str, kind: str) -> None:
    assert type_from_mount(MACOS, path) == kind


def test_network_file_systems_are_refused_by_type() -> None:
    assert {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "afpfs", "ceph"} <= NETWORK
    assert not {"ext4", "xfs", "btrfs", "zfs", "apfs", "overlay", "tmpfs", "9p", "virtiofs"} & NETWORK


def test_this_machines_temporary_folder_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    check_store_place(folder)

    assert mount_type(folder) not in NETWORK
    assert list(folder.iterdir()) == []


def test_a_folder_that_keeps_no_locks_is_refused() -> None:
    with pytest.raises(EmbeddedServerError, match="keeps neither file locks nor private files"):
        check_store_place(Path("/proc/self"))
