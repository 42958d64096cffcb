"""Makes a new spool whole or not at all: under another name first, synced, then linked to its own name."""

import errno
import glob
import os
import sqlite3
import time

from . import paths, processes, rooms
from .connecting import APPLICATION_ID, connect
from .errors import SpoolError, spool_error
from .failure import unreadable
from .failure import code_of, disk_full
from .lock import WriteLock
from .notices import log

#: The format that this package makes and knows.
FORMAT = 1

_GROUP_MAY_USE = 0o660  # -wal and -shm take the mode of the file


def is_missing(resolved: str) -> bool:
    """True when there is no spool at the path: no file, or an empty one."""
    try:
        return os.stat(resolved).st_size == 0
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return True  # the folder does not exist: making the spool says so
    except OSError as error:
        raise unreadable(error, resolved) from None


def create(resolved: str) -> None:
    """Makes the spool if there is none; does nothing when another process was first."""
    lock = WriteLock(resolved)
    try:
        lock.acquire()
        try:
            if is_missing(resolved):
                _make_needs_lock(resolved)
        finally:
            lock.release(committed=False)
    finally:
        lock.close()


def _make_needs_lock(resolved: str) -> None:
    draft = "{}.new.{}".format(resolved, os.getpid())
    try:
        _keep_orphan_log(resolved)
        for left in glob.glob(glob.escape(resolved) + ".new.*"):
            os.unlink(left)  # drafts are made under the lock only: its process was killed
        try:
            _write_draft(draft)
            rooms.sync(draft)
            if os.path.exists(resolved):  # an empty file
                os.rename(draft, resolved)
            else:
                try:
                    os.link(draft, resolved)
                except FileExistsError:
                    return  # a program that does not know the lock was first
        finally:
            _remove_draft(draft)
        rooms.sync(os.path.dirname(resolved))
    except OSError as error:
        raise _refusal(resolved, error) from None
    except sqlite3.Error as error:
        if code_of(error) == 13 or rooms.is_full(os.path.dirname(resolved)):
            raise disk_full(resolved) from None
        raise spool_error(
            "CannotCreate", resolved, "cannot make the spool {}: {}".format(resolved, error),
            "check the permissions and the free space of {}".format(os.path.dirname(resolved))) from None


def _keep_orphan_log(resolved: str) -> None:
    """Moves the log of a spool whose file is gone out of the way: SQLite would take it for the new one's, and it may hold messages."""
    if rooms.size_of(paths.write_ahead_log(resolved)) == 0:
        return
    first = kept = "{}.orphan-{}".format(resolved, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    number = 1
    while os.path.lexists(kept + "-wal") or os.path.lexists(kept + "-shm"):
        number += 1
        kept = "{}-{}".format(first, number)
    # The index first: what is left by an end in between is a log, and is found again.
    for suffix in ("-shm", "-wal"):
        if os.path.lexists(resolved + suffix):
            os.rename(resolved + suffix, kept + suffix)
    rooms.sync(os.path.dirname(resolved))
    log().error(
        "a new spool is made; %s-wal is the log of a spool whose file was removed: messages that were accepted may be in it", kept)


def _write_draft(draft: str) -> None:
    # Made by us first, so that its mode does not depend on the umask.
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _GROUP_MAY_USE)
    try:
        os.fchmod(descriptor, _GROUP_MAY_USE)
    finally:
        os.close(descriptor)
    with processes.sqlite_gate:
        connection = connect(draft)
        try:
            # auto_vacuum can only be chosen before the first table is made; WAL is recorded in the header.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript("BEGIN IMMEDIATE;\n{}\nPRAGMA application_id={}; PRAGMA user_version={}; COMMIT;".format(
                schema(), APPLICATION_ID, FORMAT))
            # The draft is nobody else's: it must be one whole file before it gets its name.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def schema() -> str:
    """The tables, as this package carries them."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.sql"), encoding="utf-8") as text:
        return text.read()


def _remove_draft(draft: str) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        try:
            os.unlink(draft + suffix)
        except FileNotFoundError:
            pass


def _refusal(resolved: str, error: OSError) -> SpoolError:
    folder = os.path.dirname(resolved)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(resolved)
    fault = "PermissionDenied" if isinstance(error, PermissionError) else "CannotCreate"
    return spool_error(
        fault, resolved, "cannot make {}: {}".format(resolved, error.strerror),
        "check the permissions and the free space of {}".format(folder))
