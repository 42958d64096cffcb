"""Says in Quickq's words what an error of SQLite means for the user of a spool."""

import os
import sqlite3
from typing import Union

from . import paths, rooms
from .errors import InvalidMessage, SpoolError, spool_error

# Before Python 3.11 an error has no code, only SQLite's own text, which has not changed since 3.7.
_TEXTS = (
    ("database or disk is full", 13), ("disk I/O error", 10), ("database is locked", 5), ("database table is locked", 6), ("database schema is locked", 6),
    ("file is not a database", 26), ("file is encrypted or is not a database", 26),
    ("malformed", 11), ("readonly database", 8), ("unable to open database", 14), ("access permission denied", 3),
    ("authorization denied", 23), ("not authorized", 23), ("too big", 18), ("constraint", 19), ("already in the spool", 19),
)


def code_of(failure: sqlite3.Error) -> int:
    """SQLite's primary result code; 1 (an error without a name) when it cannot be told."""
    code = getattr(failure, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF
    if isinstance(failure, sqlite3.IntegrityError):
        return 19
    text = str(failure)
    return next((number for part, number in _TEXTS if part in text), 1)


def leaves_connection_usable(failure: sqlite3.Error) -> bool:
    """True for a refused row; after anything else the connection is closed and opened afresh."""
    return code_of(failure) in (18, 19)


def translate(failure: sqlite3.Error, path: str) -> Union[SpoolError, InvalidMessage]:
    """The error to raise for ``failure``."""
    folder = os.path.dirname(path)
    code = code_of(failure)
    # A full disk has other names too: where the log's index cannot grow, or a file beside the spool cannot be made.
    if code == 13 or (code in (10, 14) and rooms.is_full(folder)):
        return disk_full(path)
    if code in (8, 10, 14) and rooms.is_read_only(folder):
        return spool_error(
            "InputOutput", path, "{} is on a read-only file system".format(folder),
            "mount it writable, or name another spool; the kernel log says whether the disk is at fault")
    if code in (5, 6):
        return spool_error(
            "Busy", path, "another program kept the database locked",
            "programs other than Quickq must run as 'flock {}.lock ...'; try later".format(path))
    if code == 26:
        return not_a_spool(path)
    if code == 11:
        return spool_error("Damaged", path, "the spool {} is damaged ({})".format(path, failure), "run 'quickq-spool check'")
    if code in (3, 8, 14, 23):
        return spool_error(
            "PermissionDenied", path, "no permission to write {} and the files beside it".format(path),
            "use an account of the group that owns {}".format(folder))
    if code == 19:
        return InvalidMessage("InvalidMessage", "the spool refused the row: {}".format(failure))
    if code == 18:
        return InvalidMessage("InvalidMessage", "the message is larger than SQLite can store")
    return spool_error(
        "InputOutput", path, "reading or writing {} failed ({}); nothing was stored".format(path, failure),
        "look at the disk and the kernel log, then try again")


def unreadable(failure: OSError, path: str) -> SpoolError:
    """What the system itself says of the spool, its folder or its disk."""
    denied = isinstance(failure, PermissionError)
    return spool_error(
        "PermissionDenied" if denied else "InputOutput", path, "cannot look at {}: {}".format(path, failure.strerror),
        "use an account of the group that owns the spool's folder" if denied else "look at the disk and the kernel log, then try again")


def disk_full(path: str) -> SpoolError:
    """The refusal when the file system has no room at all, not even what ``minFreeDisk`` keeps."""
    return spool_error(
        "Full", path, "the file system of {} is full; nothing was stored".format(os.path.dirname(path)),
        "free some space there; delivered messages can be purged ('quickq-spool purge')")


def not_a_spool(path: str) -> SpoolError:
    """The refusal of a file that is not a spool."""
    return spool_error(
        "NotASpool", path, "{} is not a Quickq spool; it was left as it is".format(path),
        "name another path with {}".format(paths.VARIABLE))


def not_found(path: str) -> SpoolError:
    """The refusal to read where there is no spool."""
    return spool_error(
        "NotFound", path, "there is no spool at {}".format(path),
        "the first publish and the agent make it; name another with {}".format(paths.VARIABLE))
