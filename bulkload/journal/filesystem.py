"""Find out whether a folder is on a network file system: the journal has another form there."""

from __future__ import annotations

import os
from pathlib import Path
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
    path = folder.resolve()
    if str(path).startswith("\\\\"):
        return True
    # Only for a journal that is written: `status` does without.
    import psutil

    mounts = {
        Path(part.mountpoint): part
        for part in psutil.disk_partitions(all=True)
        if _holds(Path(part.mountpoint), path)
    }
    if not mounts:
        return False
    # The deepest mount that holds the folder is the one that it is on.
    found = mounts[max(mounts, key=lambda mount: len(mount.parts))]
    return found.fstype.lower() in NETWORK_TYPES or "remote" in found.opts.split(",")


def _holds(mount: Path, path: Path) -> bool:
    return os.path.normcase(mount) == os.path.normcase(path) or mount in path.parents
