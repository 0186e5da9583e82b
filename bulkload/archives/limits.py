"""Every bound on archives and remote trees, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Members of one archive, those of nested ones included: a made-up directory may announce any
#: number, and a list of this many takes about 100 MiB.
MAX_MEMBERS: Final = 200_000

#: Archives in one another. Exports of exports have two; a bomb has as many as it likes.
MAX_NESTING: Final = 4

#: Archives in one outermost archive: a bomb of sixteen in each of sixteen has thousands.
MAX_INNER_ARCHIVES: Final = 2000

#: How many times its packed size a member may have. Cycler data unpack to 3 to 60 times.
MAX_RATIO: Final = 250
#: Bytes that are unpacked at any ratio: so little is harmless, whatever it unpacks from.
RATIO_FREE_BYTES: Final = 16 * 1024**2

#: Largest member that is unpacked, in bytes: what the readers take of one file.
MAX_MEMBER_BYTES: Final = 4 * 1024**3
#: Largest archive in an archive, in bytes: it is unpacked into a temporary file.
MAX_INNER_BYTES: Final = 16 * 1024**3
#: Bytes of it that are held in memory before it goes to that file.
INNER_MEMORY_BYTES: Final = 32 * 1024**2

#: Largest central directory of a zip, in bytes: `MAX_MEMBERS` names of 255 characters.
MAX_DIRECTORY_BYTES: Final = 64 * 1024**2

#: Largest piece that is read of a tar at once, in bytes: a header may claim to be of any length,
#: and a workbook is looked at whole up to 64 MiB.
MAX_READ_BYTES: Final = 128 * 1024**2
#: Bytes that are copied at a time.
CHUNK_BYTES: Final = 1024**2
#: Bytes of a decompressed stream that are kept for a step back: a header of a tar.
BACK_BYTES: Final = 4096

#: Archives that a process keeps open: the cells of a job may lie in several.
MAX_OPEN: Final = 32

#: Bytes to which a compressed tar or a solid 7z is unpacked into a temporary file, so that its
#: members can be read in any order. A larger one is read as a stream, again for each step back.
MAX_UNPACKED_STREAM_BYTES: Final = 1024**3
#: Bytes of a larger 7z that are unpacked at once.
BATCH_BYTES: Final = 256 * 1024**2

# -- Remote trees --------------------------------------------------------------------------------

#: Files of one remote tree that are listed: some 500 bytes of memory each.
MAX_REMOTE_FILES: Final = 1_000_000
#: Remote files that are copied ahead of the processes that read: more would fill the disk of a
#: slow machine, fewer would let its processes wait for a fast network.
READS_AHEAD: Final = 2
#: How often a store is asked for the same before the file is given up, and the seconds before the
#: second time, doubled each time: 3.5 s in all, on top of what the store's library does.
READ_ATTEMPTS: Final = 4
FIRST_RETRY_S: Final = 0.5
#: Bytes that are asked of a store at a time.
READ_BLOCK_BYTES: Final = 4 * 1024**2
#: Seconds in which an SSH server has to answer a connection, and of silence before it is asked
#: whether it is still there (three times).
CONNECT_LIMIT_S: Final = 20
SILENCE_LIMIT_S: Final = 15
