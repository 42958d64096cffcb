"""Where the spool is, and the names of the files beside it."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

#: The spool of a host unless told otherwise.
DEFAULT = "/var/lib/quickq/spool.db"

#: The environment variable that names another spool.
VARIABLE = "QUICKQ_SPOOL"


def resolve(path: "Optional[str]" = None) -> str:
    """The given path, else that of the environment, else the default; made absolute."""
    return os.path.abspath(path or os.environ.get(VARIABLE) or DEFAULT)


def follow_links(path: str) -> str:
    """The path with every symbolic link followed, so that all processes lock the same file."""
    return os.path.realpath(path)


def lock_file(resolved: str) -> str:
    """The lock that every writer holds around each write transaction and each checkpoint."""
    return resolved + ".lock"


def agent_file(resolved: str) -> str:
    """The file whose record lock says that an agent runs."""
    return resolved + ".agent"


def repair_mark(resolved: str) -> str:
    """There while a repair puts a fresh spool in the place of the damaged one."""
    return resolved + ".repair"


def write_ahead_log(resolved: str) -> str:
    """SQLite's write-ahead log."""
    return resolved + "-wal"
