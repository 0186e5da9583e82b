"""Whether a folder is on a network file system, from the mounts that the system names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace

import psutil
import pytest

from bulkload.journal.filesystem import is_network_path, is_on_network


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (r"C:\jobs\night", False),
        (r"z:\jobs\night", True),
        (r"\\server\share\jobs", True),
        (r"D:\Mounted\jobs", True),
        (r"D:\Lab\jobs", True),
        (r"D:\jobs", False),
        (r"E:\jobs", False),
    ],
)
def test_a_network_drive_of_windows(folder: str, *, expected: bool) -> None:
    mounts = [
        ("C:\\", "NTFS", "rw,fixed"),
        ("Z:\\", "NTFS", "rw,remote"),
        ("d:\\", "NTFS", "rw,fixed"),
        ("D:\\mounted", "NTFS", "rw,remote"),
        # Deeper than the drive, and before it in any order of letters.
        ("D:\\LAB", "NTFS", "rw,remote"),
    ]
    assert is_network_path(PureWindowsPath(folder), mounts) is expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/jobs", False),
        ("/home", False),
        ("/homes/jobs", False),
        ("/mnt/lab", True),
        ("/mnt/lab/jobs", True),
        # The deepest mount is the one that it is on, in whatever order they are named.
        ("/mnt/lab/local/jobs", False),
        ("/mnt/share/jobs", True),
        ("/elsewhere", False),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_network_file_system_of_posix(folder: str, order: int, *, expected: bool) -> None:
    mounts = [
        ("/", "ext4", "rw"),
        ("/home", "xfs", "rw,relatime"),
        ("/mnt/lab", "NFS4", "rw,vers=4.2"),
        ("/mnt/lab/local", "ext4", "rw"),
        ("/mnt/share", "fuse.sshfs", "rw"),
    ]
    assert is_network_path(PurePosixPath(folder), mounts[::order]) is expected


def test_a_folder_under_no_mount_is_on_this_machine() -> None:
    assert not is_network_path(PurePosixPath("/a"), [("/b", "nfs", "rw")])


def test_every_mount_of_the_system_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link into a mounted folder is in the folder; network mounts are none of the physical."""
    (tmp_path / "mounted").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mounted")

    def partitions(*, all: bool) -> list[SimpleNamespace]:  # noqa: A002 - psutil's own name
        physical = [SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw")]
        mounted = str(tmp_path.resolve() / "mounted")
        network = [SimpleNamespace(mountpoint=mounted, fstype="cifs", opts="rw")]
        return physical + network if all is True else physical

    monkeypatch.setattr(psutil, "disk_partitions", partitions)
    assert is_on_network(tmp_path / "mounted")
    assert is_on_network(tmp_path / "link")
    assert not is_on_network(tmp_path)
