"""The file system that holds a spool: its kind, its size, and the bytes that may still be written."""

import os
from typing import Optional, Tuple

from .errors import spool_error

#: Set to 1: a network file system is taken as well, at the user's risk.
ANY_FILE_SYSTEM = "QUICKQ_ANY_FILE_SYSTEM"

_NETWORK = {
    "nfs": "NFS", "nfs4": "NFS", "cifs": "CIFS", "smb3": "SMB", "smbfs": "SMB", "fuse": "FUSE", "fuseblk": "FUSE", "9p": "9p",
    "afs": "AFS", "ceph": "Ceph", "lustre": "Lustre", "gpfs": "GPFS", "gfs2": "GFS2", "ocfs2": "OCFS2",
}


def require_local(resolved: str) -> None:
    """Refuses a network file system: SQLite's WAL needs memory shared on one host."""
    folder = os.path.dirname(resolved)
    kind = _kind_of(folder)
    network = _NETWORK.get(kind or "") or ("FUSE" if kind and kind.startswith("fuse.") else None)
    if network is not None and os.environ.get(ANY_FILE_SYSTEM) != "1":
        raise spool_error(
            "UnsuitableFileSystem", resolved, "{} is on {}: a spool needs a local file system".format(folder, network),
            "put the spool on a local disk ({}=1 overrides this, at your risk)".format(ANY_FILE_SYSTEM))


def sizes(folder: str) -> Tuple[int, int]:
    """Total bytes, and bytes that this account may still write."""
    room = os.statvfs(folder)
    return room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize


def is_full(folder: str) -> bool:
    """Whether there is no room for even a few pages."""
    try:
        return sizes(folder)[1] < 64 * 1024
    except OSError:
        return False


def is_read_only(folder: str) -> bool:
    """Whether it is mounted read-only, as it also is after an error of the disk."""
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def size_of(path: str) -> int:
    """The size of the file, 0 when there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _kind_of(folder: str) -> Optional[str]:
    """The type of the mount that holds the folder; None when the kernel does not say."""
    best, kind = -1, None
    try:
        with open("/proc/self/mountinfo", errors="surrogateescape") as mounts:
            for line in mounts:
                # "36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw": the kind follows the lone dash.
                left, _, right = line.partition(" - ")
                point = _unescape(left.split(" ")[4])
                inside = folder == point or folder.startswith(point.rstrip("/") + "/")
                # The later of two mounts on one point hides the earlier.
                if inside and len(point) >= best:
                    best, kind = len(point), right.split(" ")[0]
    except OSError:
        return None  # no /proc: taken for local, as nothing says otherwise
    return kind


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def sync(path: str) -> None:
    """What the file or folder holds is on the disk on return."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
