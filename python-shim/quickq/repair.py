"""What is left to do where a repair of the spool was interrupted; the repair itself is the agent's and ``quickq-spool check --repair``.

While a repair exchanges the files there is a mark. Whoever finds it under the lock puts the log back beside its database.
"""

import glob
import os

from . import paths
from .lock import WriteLock


def undo_interrupted(resolved: str) -> None:
    """Before SQLite opens the spool: waits for an exchange, and undoes one that was interrupted."""
    if not os.path.lexists(paths.repair_mark(resolved)):
        return
    lock = WriteLock(resolved)
    try:
        lock.acquire()
        undo_interrupted_needs_lock(resolved)
    finally:
        lock.close()


def undo_interrupted_needs_lock(resolved: str) -> bool:
    """True when there was one: what this process has open of the spool is then to be opened anew."""
    mark = paths.repair_mark(resolved)
    if not os.path.lexists(mark):
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
    os.unlink(mark)
    return True
