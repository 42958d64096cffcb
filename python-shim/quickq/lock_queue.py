"""The order in which those who wait for the lock of a spool get it: first come, first served, in every language.

``flock(2)`` alone has no order that holds: whoever comes between a release and the waking of the first in line takes the lock,
and the kernel then wakes all that wait to line up anew. So whoever has to wait takes a place first: a byte of the lock file
behind the last one taken, held by a record lock of the open file description (fcntl(2); ``flock`` knows nothing of these, and
the kernel releases it with the last descriptor). It waits until no place before its own is taken, then in ``flock``, and leaves
its place when it has the lock. Who finds places taken does not try to get past. A courtesy only: where there are no record locks
the lock excludes all the same. spool/Locking/LockQueue.cs does the same.
"""

import errno
import fcntl
import os
import struct
from typing import Optional

# The numbers of 64-bit Linux; the module fcntl has the names from Python 3.9 on.
_GET, _SET, _SET_OR_WAIT = 36, 37, 38
_RECORD = "hhqqi4x"  # struct flock
_END = 2 ** 63 - 1


def has_waiters(descriptor: int, after: int) -> bool:
    """Whether somebody waits at a place after ``after`` (-1: at any)."""
    return _find_one(descriptor, after + 1, _END) is not None


def is_taken_up_to(descriptor: int, place: int) -> bool:
    """Whether places up to this are taken."""
    return _find_one(descriptor, 0, place + 1) is not None


def take_place(descriptor: int) -> Optional[int]:
    """Takes the place behind the last and returns its number, from 0 on; None where there are no record locks."""
    while True:
        last = _find_last(descriptor, 0, _END)
        place = 0 if last is None else last + 1
        try:
            _set(descriptor, fcntl.F_WRLCK, place, _SET)
            return place
        except OSError as failure:
            if failure.errno not in (errno.EAGAIN, errno.EACCES):
                return None
            # somebody was quicker


def await_turn(descriptor: int, place: int, after: int) -> None:
    """Waits, without a deadline, until nobody is left between ``after`` and ``place``."""
    while True:
        before = _find_last(descriptor, after + 1, place)
        if before is None:
            return
        try:
            _set(descriptor, fcntl.F_RDLCK, before, _SET_OR_WAIT)
        except OSError:
            return
        leave(descriptor, before)


def leave(descriptor: int, place: int) -> None:
    """Gives the place back."""
    try:
        _set(descriptor, fcntl.F_UNLCK, place, _SET)
    except OSError:
        pass  # where there are no record locks none was taken


def _find_last(descriptor: int, start: int, end: int) -> Optional[int]:
    last = None
    while True:
        found = _find_one(descriptor, start, end)
        if found is None:
            return last
        last = found
        start = found + 1


def _find_one(descriptor: int, start: int, end: int) -> Optional[int]:
    """Any place of others from ``start`` up to, not including, ``end``."""
    if start >= end:
        return None
    question = struct.pack(_RECORD, fcntl.F_WRLCK, os.SEEK_SET, start, end - start, 0)
    try:
        kind, _, found, _, _ = struct.unpack(_RECORD, fcntl.fcntl(descriptor, _GET, question))
    except OSError:
        return None  # no record locks, so nobody has a place
    return None if kind == fcntl.F_UNLCK else max(start, found)


def _set(descriptor: int, kind: int, place: int, command: int) -> None:
    fcntl.fcntl(descriptor, command, struct.pack(_RECORD, kind, os.SEEK_SET, place, 1, 0))
