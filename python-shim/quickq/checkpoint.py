"""Moves the write-ahead log into the main file, under the lock, so that no checkpoint ever overlaps a commit.

The agent does it; a producer only when no agent runs. Never waits for a reader: what a reader still needs stays for the next time.
"""

import os
import sqlite3
from typing import TYPE_CHECKING

from . import lock, paths, rooms
from .errors import SpoolError

if TYPE_CHECKING:
    from .database import SpoolFile

#: Bytes of the log that a process may leave behind: whoever opens the spool next may be alone, and SQLite reads the whole log then.
LEFT_BEHIND = 512 * 1024

#: Bytes of the log above which a producer without an agent checkpoints; on small file systems a sixteenth of them.
LARGEST_LOG = 8 * 1024 * 1024


def limit(file: "SpoolFile") -> int:
    """Bytes that the log of this spool may have."""
    return min(LARGEST_LOG, rooms.sizes(os.path.dirname(file.path))[0] // 16)


def run_if_needed(file: "SpoolFile", is_last: bool = False) -> None:
    """Checkpoints when no agent runs and the log is over its limit, which is lower before the process ends (``is_last``)."""
    try:
        most = min(LEFT_BEHIND, limit(file)) if is_last else limit(file)
        if rooms.size_of(paths.write_ahead_log(file.path)) > most and lock.find_agent(file.path) is None:
            file.under_lock(_run)
    except (SpoolError, OSError):
        return  # what was appended is safe in the log: the next append meets the trouble itself and reports it


def _run(cursor: sqlite3.Cursor) -> bool:
    """PASSIVE first; TRUNCATE only when that moved everything, because a TRUNCATE waits for readers while everybody waits for us."""
    cursor.execute("PRAGMA busy_timeout=0")
    try:
        return _is_complete(cursor, "PASSIVE") and _is_complete(cursor, "TRUNCATE")
    finally:
        cursor.execute("PRAGMA busy_timeout=5000")


def _is_complete(cursor: sqlite3.Cursor, mode: str) -> bool:
    busy, frames, moved = cursor.execute("PRAGMA wal_checkpoint({})".format(mode)).fetchone()
    return bool(busy == 0 and frames == moved)
