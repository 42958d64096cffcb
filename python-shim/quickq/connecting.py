"""Connections to SQLite with the pragmas of every Quickq program."""

import sqlite3

#: SQLite's ``application_id`` of a spool: "QQSP". A file without it is not ours.
APPLICATION_ID = 0x51515350

_NO_CHECKPOINT_ON_CLOSE = getattr(sqlite3, "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE", None)

#: False before Python 3.12: there the last close of a spool makes a checkpoint, so it needs the lock.
CLOSES_WITHOUT_CHECKPOINT = _NO_CHECKPOINT_ON_CLOSE is not None

_FULL = 2
_PRAGMAS = ("synchronous=FULL", "wal_autocheckpoint=0", "trusted_schema=OFF", "temp_store=MEMORY")


def connect(path: str) -> sqlite3.Connection:
    """A connection with the pragmas of every Quickq program, to a file that is known to exist."""
    name = "file:{}?mode=rw".format(path.replace("%", "%25").replace("?", "%3f").replace("#", "%23"))
    # The timeout only matters against programs that do not know the lock.
    connection = sqlite3.connect(name, timeout=5.0, isolation_level=None, check_same_thread=False, uri=True)
    try:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute("PRAGMA " + pragma)
        if cursor.execute("PRAGMA synchronous").fetchone() != (_FULL,):
            raise sqlite3.OperationalError("this SQLite does not accept synchronous=FULL")
        if _NO_CHECKPOINT_ON_CLOSE is not None:
            connection.setconfig(_NO_CHECKPOINT_ON_CLOSE, True)  # type: ignore[attr-defined]
        cursor.close()
        return connection
    except BaseException:
        connection.close()
        raise
