"""What is left to do where a repair of the spool was interrupted; the repair itself is the agent's and ``quickq-spool check --repair``.

While a repair exchanges the files there is a mark. Whoever finds it under the lock puts the log back beside its database.
"""

import glob
import os

from . import paths
from .lock import WriteLock
from .rooms import sync


def is_exchanging(resolved: str) -> bool:
    """Whether a repair is putting the fresh spool in its place, or was interrupted in that."""
    return os.path.lexists(paths.repair_mark(resolved))


def undo_interrupted(resolved: str) -> None:
    """Before SQLite opens the spool: waits for an exchange, and undoes one that was interrupted."""
    if not is_exchanging(resolved):
        return
    lock = WriteLock(resolved)
    try:
        lock.acquire()
        undo_interrupted_needs_lock(resolved)
    finally:
        lock.close()


def undo_interrupted_needs_lock(resolved: str) -> bool:
    """True when there was one: what this process has open of the spool is then to be opened anew."""
    if not is_exchanging(resolved):
        return False
    now = os.stat(resolved)
    for aside in glob.glob(glob.escape(resolved) + ".damaged-*"):
        found = os.stat(aside)
        if (found.st_dev, found.st_ino) == (now.st_dev, now.st_ino):
            for suffix in ("-wal", "-shm", ""):
                if os.path.lexists(aside + suffix):
                    os.rename(aside + suffix, resolved + suffix)
                    if os.path.lexists(aside + suffix):
                        os.unlink(aside + suffix)  # two names of one file: then a rename does nothing
            break
    sync(os.path.dirname(resolved))  # the log has its name before the mark is gone
    os.unlink(paths.repair_mark(resolved))
    return True
