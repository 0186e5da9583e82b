"""Find out whether a folder is on a network file system: the journal has another form there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

#: File systems on which a shared memory map, which WAL needs, is not shared between machines.
NETWORK_TYPES: Final = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "macfuse",
        "ncpfs",
        "nfs",
        "nfs4",
        "osxfuse",
        "panfs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "webdav",
    }
)


def is_on_network(folder: Path) -> bool:
    """Return whether a folder is on a network file system, as far as the system knows."""
    # Only for a journal that is written: `status` does without.
    import psutil

    parts = psutil.disk_partitions(all=True)
    return is_network_path(
        folder.resolve(), ((part.mountpoint, part.fstype, part.opts) for part in parts)
    )


def is_network_path(path: PurePath, mounts: Iterable[tuple[str, str, str]]) -> bool:
    """Return whether an absolute path is on a network file system.

    A mount is its folder, its type, and its options with commas between. The flavour of ``path``
    decides how names are compared: those of Windows without regard to case.
    """
    if str(path).startswith("\\\\"):
        return True
    above = {path, *path.parents}
    holding = [mount for mount in mounts if type(path)(mount[0]) in above]
    if not holding:
        return False
    # The deepest mount that holds the folder is the one that it is on.
    _, kind, options = max(holding, key=lambda mount: len(type(path)(mount[0]).parts))
    return kind.lower() in NETWORK_TYPES or "remote" in options.split(",")
