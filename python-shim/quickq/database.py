"""An open spool: the path check, the pragmas, and the one way to run a write transaction.

``write`` takes the lock, makes sure that the path still names the file that is open (it may have been moved aside), begins,
runs the work, commits and gives the lock back. After a failure of the disk the connection is closed and opened afresh. Threads
take turns; a forked child makes a SpoolFile of its own.
"""

import atexit
import os
import sqlite3
import threading
import time
from typing import Callable, Dict, Optional, Set, Tuple, TypeVar

from . import checkpoint, creation, failure, paths, processes, repair, rooms
from .connecting import APPLICATION_ID, CLOSES_WITHOUT_CHECKPOINT, connect
from .errors import SpoolBusy, spool_error
from .limits import Limits
from .lock import DEADLINE, WriteLock

_SHORT = 5.0  # seconds to wait for the lock where nobody should be kept waiting

T = TypeVar("T")

_open_files = {}  # type: Dict[int, SpoolFile]
_holders = {}  # type: Dict[int, str]
_inherited = set()  # type: Set[Tuple[int, int]]
_ending = False


class SpoolFile:
    """One spool of one process."""

    def __init__(self, path: str) -> None:
        self.path = paths.follow_links(path)
        self._turn = threading.RLock()
        self._lock = None  # type: Optional[WriteLock]
        self._connection = None  # type: Optional[sqlite3.Connection]
        self._cursor = None  # type: Optional[sqlite3.Cursor]
        self._identity = (0, 0)
        self._user = 0
        self._appended = False
        self.forgotten = False

    def write(self, work: Callable[[sqlite3.Cursor], T], create: bool = True) -> T:
        """Runs ``work`` in one write transaction; on return it is committed. On an exception nothing of it is stored."""
        def transaction(cursor: sqlite3.Cursor) -> T:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                result = work(cursor)
                cursor.execute("COMMIT")
                self._appended = True
                return result
            except BaseException:
                # SQLite rolls back by itself after some errors; then there is nothing left to roll back.
                if cursor.connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise
        return self.under_lock(transaction, create)

    def under_lock(self, work: Callable[[sqlite3.Cursor], T], create: bool = False) -> T:
        """Runs ``work`` under the lock without a transaction (a checkpoint)."""
        self._take_turn()
        try:
            if self._lock is None:
                if create and creation.is_missing(self.path):
                    rooms.require_local(self.path)
                    creation.create(self.path)
                elif creation.is_missing(self.path):
                    raise failure.not_found(self.path)
                self._lock = WriteLock(self.path)
            while True:
                done, result = self._locked(self._lock, work, create)
                if done:
                    return result  # type: ignore[return-value]
                creation.create(self.path)
        finally:
            self._end_turn()

    def read(self, work: Callable[[sqlite3.Cursor], T]) -> T:
        """Runs ``work``, which only reads: no lock, and no transaction longer than one of its statements."""
        self._take_turn()
        try:
            if creation.is_missing(self.path):
                raise failure.not_found(self.path)
            while True:
                repair.undo_interrupted(self.path)
                if self._connection is not None and not self._is_current():
                    self._close(0)
                with processes.sqlite_gate:
                    if self._connection is None:
                        self._guarded(lambda cursor: None)
                    if not repair.is_exchanging(self.path) and self._is_current():
                        return self._guarded(work)
                # A repair is putting a fresh file in the place of this one. Its log may have gone already: then it looks older than it is.
                self._close(0)
        finally:
            self._end_turn()

    def close(self, seconds: float = DEADLINE) -> None:
        """Closes the connection, waiting so long for the lock where a close may checkpoint; a later use opens it again."""
        with self._turn:
            self._close(seconds)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def end(self) -> None:
        """The interpreter ends."""
        if self._appended and CLOSES_WITHOUT_CHECKPOINT:
            checkpoint.run_if_needed(self, is_last=True)
        if self._turn.acquire(timeout=_SHORT):
            try:
                self._close(_SHORT)
            finally:
                self._turn.release()

    def close_before_fork(self) -> None:
        """Closes the connection. Needs ``sqlite_gate``: no thread is inside SQLite, though one may hold the lock and wait for the gate."""
        if self._user == threading.get_ident():
            return  # forked by a signal handler within a transaction of this thread; the child abandons it
        if CLOSES_WITHOUT_CHECKPOINT:
            self._drop()
            return
        lock = WriteLock(self.path)
        try:
            end = time.monotonic() + _SHORT
            while time.monotonic() < end:
                if self.path in list(_holders.values()):
                    self._drop()
                    return
                if lock.try_acquire():
                    self._drop()
                    return
                time.sleep(0.001)  # bounded by _SHORT: flock has no wait with a deadline
        finally:
            lock.close()

    def forget(self) -> None:
        """In a forked child: what the parent still has open is never touched here, and the file not opened a second time."""
        self.forgotten = True
        if self._connection is not None:
            # SQLite believes that this process holds the locks which stayed with the parent: a connection of its own would do without.
            _inherited.add(self._identity)
            processes.abandon(self._cursor)
            processes.abandon(self._connection)

    def _take_turn(self) -> None:
        if not self._turn.acquire(timeout=DEADLINE):
            raise spool_error("Busy", self.path, "other threads of this process used the spool for {:.0f} s".format(DEADLINE), "try later")
        if self._user:
            self._turn.release()
            raise spool_error(
                "Busy", self.path, "a signal handler used the spool while the program was using it",
                "let the handler set a flag, and publish after it")
        self._user = threading.get_ident()

    def _end_turn(self) -> None:
        try:
            if _ending:
                self._close(_SHORT)  # nothing stays open between two uses any more
        finally:
            self._user = 0
            self._turn.release()

    def _locked(self, lock: WriteLock, work: Callable[[sqlite3.Cursor], T], create: bool) -> Tuple[bool, Optional[T]]:
        """Runs ``work`` under the lock. False when there is no spool (any more) and ``create`` says to make one."""
        committed = False
        try:
            lock.acquire()
            _holders[id(self)] = self.path
            with processes.sqlite_gate:
                try:
                    if repair.undo_interrupted_needs_lock(self.path):
                        self._drop()
                    if not self._is_current():
                        # The path names another file than the one open, or none: the lock makes closing and opening safe.
                        self._drop()
                        if creation.is_missing(self.path):
                            if create:
                                return False, None
                            raise spool_error(
                                "NotFound", self.path, "the spool {} is gone".format(self.path), "the next publish makes a new one")
                    result = self._guarded(work, locked=True)
                    committed = True
                    return True, result
                finally:
                    del _holders[id(self)]  # within the gate: a fork relies on it while it has the gate
        finally:
            lock.release(committed)

    def _guarded(self, work: Callable[[sqlite3.Cursor], T], locked: bool = False) -> T:
        try:
            return work(self._open())
        except sqlite3.Error as error:
            if not failure.leaves_connection_usable(error):
                if locked:
                    self._drop()
                else:
                    self._close(0)
            raise failure.translate(error, self.path) from None
        except OSError as error:
            raise failure.unreadable(error, self.path) from None

    def _is_current(self) -> bool:
        if self._connection is None:
            return not creation.is_missing(self.path)
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        return (now.st_dev, now.st_ino) == self._identity and now.st_size > 0

    def _open(self) -> sqlite3.Cursor:
        if self._cursor is not None:
            return self._cursor
        rooms.require_local(self.path)
        try:
            # Identity before opening: should the path change in between, the comparison under the lock sees it and opens again.
            now = os.stat(self.path)
        except FileNotFoundError:
            raise failure.not_found(self.path) from None
        if (now.st_dev, now.st_ino) in _inherited:
            raise spool_error(
                "Busy", self.path, "this process was forked while its parent had the spool {} open".format(self.path),
                "fork with os.fork() or multiprocessing while no thread publishes, or start the child as a program of its own")
        connection = connect(self.path)
        cursor = connection.cursor()
        try:
            if cursor.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
                raise failure.not_a_spool(self.path)
            # A newer format that this package must not write is not read either: its rows may mean something else.
            Limits(self.path).require_known_format(cursor)
        except BaseException:
            connection.close()
            raise
        self._identity, self._connection, self._cursor = (now.st_dev, now.st_ino), connection, cursor
        _open_files[id(self)] = self
        return cursor

    def _close(self, seconds: float) -> None:
        if self._connection is None:
            return
        if CLOSES_WITHOUT_CHECKPOINT:
            with processes.sqlite_gate:
                self._drop()
            return

        # This Python cannot switch off the checkpoint at close, and no checkpoint may overlap a commit.
        if self._lock is None:
            self._lock = WriteLock(self.path)
        held = self._lock.try_acquire()
        if not held and seconds > 0:
            try:
                self._lock.acquire(seconds)
                held = True
            except SpoolBusy:
                held = False  # rather an open handle until the process ends than a checkpoint without the lock
        try:
            with processes.sqlite_gate:
                if held:
                    self._drop()
                else:
                    processes.abandon(self._connection)
                    self._connection = self._cursor = None
                    _open_files.pop(id(self), None)
        finally:
            if held:
                self._lock.release(committed=False)

    def _drop(self) -> None:
        """Closes the connection. Needs the lock before Python 3.12."""
        connection, self._connection, self._cursor = self._connection, None, None
        _open_files.pop(id(self), None)
        if connection is not None:
            connection.close()


def _end() -> None:
    global _ending
    _ending = True
    for file in list(_open_files.values()):
        file.end()


def _before_fork() -> None:
    for file in list(_open_files.values()):
        file.close_before_fork()


def _in_child() -> None:
    for file in list(_open_files.values()):
        file.forget()
    _open_files.clear()
    _holders.clear()


atexit.register(_end)
processes.around_fork(_before_fork, _in_child)
