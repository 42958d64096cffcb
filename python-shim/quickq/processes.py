"""What must happen when a process forks while it has spools open.

SQLite keeps in memory which locks its process holds on a file. A child inherits that memory but not the locks, so that even a
connection which the child opens itself would go without them, and another program could delete the write-ahead log under it.
Therefore whatever is open is closed before a fork and opened again where it is needed. The interpreter calls us around a fork
from Python 3.7 on; in 3.6 ``os.fork`` is wrapped to do the same.
"""

import os
import threading
from typing import Any, Callable, List, Set

try:
    import ctypes
except ImportError:  # some minimal interpreters are built without it
    ctypes = None  # type: ignore[assignment]

#: Held around every use of SQLite: a fork waits for it, because a thread inside SQLite may hold SQLite's own mutexes,
#: which nobody would release in the child. Reentrant, so that a signal handler may fork. Order: the spool's lock, then this.
sqlite_gate = threading.RLock()

#: Held while a descriptor is opened and noted, so that the child knows all that it inherits.
descriptor_gate = threading.RLock()

_lock_descriptors = set()  # type: Set[int]
_before = []  # type: List[Callable[[], None]]
_after = []  # type: List[Callable[[], None]]
_abandoned = []  # type: List[object]


def note_lock_descriptor(descriptor: int) -> None:
    """The descriptor belongs to a lock: a child closes it. Needs ``descriptor_gate``."""
    _lock_descriptors.add(descriptor)


def close_lock_descriptor(descriptor: int) -> None:
    """Closes a descriptor of a lock."""
    with descriptor_gate:
        if descriptor in _lock_descriptors:
            _lock_descriptors.discard(descriptor)
            os.close(descriptor)


def around_fork(before: "Callable[[], None]", in_child: "Callable[[], None]") -> None:
    """``before`` runs before a fork, with ``sqlite_gate`` held; ``in_child`` right after it."""
    _before.append(before)
    _after.append(in_child)


def abandon(connection: object) -> None:
    """Keeps a connection from ever being closed: in a forked child, or without the lock that a close needs."""
    _abandoned.append(connection)
    if ctypes is not None:
        # The list is emptied when the interpreter ends; this reference is not.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def notice_fork() -> None:
    """Right after a fork, in the child; at the next use where a fork went unnoticed (one made by a C library)."""
    global sqlite_gate, descriptor_gate, _pid
    if _pid == os.getpid():
        return
    _pid = os.getpid()
    sqlite_gate = threading.RLock()
    descriptor_gate = threading.RLock()

    # Closing never unlocks what the parent still has open, as LOCK_UN would.
    for descriptor in _lock_descriptors:
        os.close(descriptor)
    _lock_descriptors.clear()
    for forget in _after:
        forget()


def _before_fork() -> None:
    sqlite_gate.acquire()
    for close in _before:
        close()
    descriptor_gate.acquire()


def _in_parent() -> None:
    descriptor_gate.release()
    sqlite_gate.release()


def _wrapped(fork: Callable[[], Any]) -> Callable[[], Any]:
    def fork_with_handlers() -> Any:
        _before_fork()
        try:
            result = fork()
        except BaseException:
            _in_parent()
            raise
        if (result if isinstance(result, int) else result[0]) == 0:
            notice_fork()
        else:
            _in_parent()
        return result
    return fork_with_handlers


_pid = os.getpid()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=notice_fork)
else:
    os.fork = _wrapped(os.fork)
    os.forkpty = _wrapped(os.forkpty)
