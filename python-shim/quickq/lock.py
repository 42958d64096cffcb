"""The one lock of a spool: an exclusive ``flock(2)`` on ``spool.db.lock``.

Every writer of every language holds it around each write transaction and each checkpoint: SQLite's WAL-reset bug
(3.7.0-3.51.2) needs an overlap of the two. Who has to wait is served in the order of ``lock_queue``. Lock first, then BEGIN,
never the other way; never held while waiting for input, output or the network. One instance belongs to one thread at a time.
"""

import errno
import fcntl
import os
import struct
import threading
import time
from typing import Optional

from . import lock_queue, paths, processes
from .errors import SpoolError, spool_error
from .failure import disk_full

#: How long a writer waits for the lock before it says "try later".
DEADLINE = 30.0

#: How long to stand in line behind somebody who does not go on, a process that was stopped for instance, before passing him.
_PATIENCE = 2.0
_GROUP_MAY_USE = 0o660
_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_RECORD = "hhqqi4x"  # struct flock of 64-bit Linux


class WriteLock:
    """Takes and gives back the lock of the spool at ``spool`` (links followed)."""

    def __init__(self, spool: str) -> None:
        self._spool = spool
        self._path = paths.lock_file(spool)
        self._descriptor = open_lock_file(self._path, spool)
        self._passed = -1

    def acquire(self, deadline: float = DEADLINE) -> None:
        """Returns when the lock is held. Raises ``SpoolBusy``, naming the holder, at the deadline."""
        if self._try() or self._wait(deadline):
            return
        raise spool_error(
            "Busy", self._spool,
            "the spool was locked for {:.0f} s{}".format(deadline, self._holder_text()),
            "try later; if the holder hangs, end it")

    def try_acquire(self) -> bool:
        """Takes the lock if it is free now and nobody waits for it."""
        return self._try()

    def release(self, committed: bool) -> None:
        """Gives the lock back, and tells whoever watches the spool that something was committed."""
        if committed:
            # Inotify reports the write to the WAL before the commit can be seen; this touch comes after it. A hint only.
            try:
                os.utime(self._descriptor)
            except OSError:
                pass
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the lock file; a lock that is held goes with it."""
        processes.close_lock_descriptor(self._descriptor)

    def _try(self) -> bool:
        if self._passed >= 0 and not lock_queue.is_taken_up_to(self._descriptor, self._passed):
            self._passed = -1  # those who did not go on are gone
        return not lock_queue.has_waiters(self._descriptor, self._passed) and self._try_past_the_line()

    def _try_past_the_line(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as failure:
            raise spool_error("InputOutput", self._spool, "cannot lock {}: {}".format(self._path, failure.strerror)) from None
        return True

    def _wait(self, deadline: float) -> bool:
        # The blocking calls have no deadline of their own: they run on a thread with a descriptor of its own, abandoned at the deadline.
        wait = _BlockedWait(open_lock_file(self._path, self._spool))
        wait.line_up(self._passed)
        held = self._take(wait, min(deadline, _PATIENCE))
        if held is None and deadline > _PATIENCE:
            self._passed = -1 if wait.place is None else wait.place
            held = self._take(_BlockedWait(open_lock_file(self._path, self._spool)), deadline - _PATIENCE)
        if held is None:
            return False
        if held != self._descriptor:
            previous, self._descriptor = self._descriptor, held
            processes.close_lock_descriptor(previous)
        return True

    def _take(self, wait: "_BlockedWait", seconds: float) -> Optional[int]:
        """The descriptor that holds the lock, or None after so long."""
        try:
            wait.start()
        except RuntimeError:
            # No thread can be started any more, as at the end of the interpreter.
            wait.abandon()
            return self._descriptor if self._poll(seconds) else None
        try:
            return wait.take(seconds)
        except BaseException:
            wait.abandon()
            raise

    def _poll(self, deadline: float) -> bool:
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            time.sleep(0.005)  # only where no thread can be started: flock has no wait with a deadline
            if self._try_past_the_line():
                return True
        return False

    def _holder_text(self) -> str:
        try:
            place = os.stat(self._path)
            wanted = "{:02x}:{:02x}:{}".format(os.major(place.st_dev), os.minor(place.st_dev), place.st_ino)
            with open("/proc/locks") as locks:
                for line in locks:
                    # "1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; waiting ones have "->" in front.
                    words = line.split()
                    if len(words) > 5 and words[1] == "FLOCK" and words[3] == "WRITE" and words[5] == wanted:
                        return " by process " + words[4]
        except OSError:
            return ""  # only the name of the holder is missing then
        return ""


class _BlockedWait:
    """A thread that waits for the lock without a deadline, and closes its descriptor when nobody wants it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._gate = threading.Lock()
        self._done = threading.Event()
        self._abandoned = False
        self._held = False
        self._running = False
        self._passed = -1
        self.place = None  # type: Optional[int]

    def line_up(self, passed: int) -> None:
        """Takes a place in line; the places up to ``passed`` do not count. Without this it waits whoever stands in line."""
        self._passed = passed
        self.place = lock_queue.take_place(self._descriptor)

    def start(self) -> None:
        threading.Thread(target=self._run, name="quickq lock", daemon=True).start()
        self._running = True

    def take(self, deadline: float) -> Optional[int]:
        """The descriptor that holds the lock, or None at the deadline."""
        if not self._done.wait(deadline):
            self.abandon()
        with self._gate:
            return self._descriptor if self._held and not self._abandoned else None

    def abandon(self) -> None:
        """Lets the lock go, now or when it comes."""
        with self._gate:
            self._abandoned = True
            if self._held or not self._running:
                processes.close_lock_descriptor(self._descriptor)
            elif not self._done.is_set():
                self._leave_place()

    def _run(self) -> None:
        try:
            if self.place is not None:
                lock_queue.await_turn(self._descriptor, self.place, self._passed)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            held = True
        except OSError:
            held = False  # the caller reports it as a lock that was not to be had
        with self._gate:
            self._leave_place()
            self._held = held and not self._abandoned
            if not self._held:
                processes.close_lock_descriptor(self._descriptor)
            self._done.set()

    def _leave_place(self) -> None:
        if self.place is not None:
            lock_queue.leave(self._descriptor, self.place)


def open_lock_file(path: str, spool: str) -> int:
    """Opens a file that carries a lock, making it with mode 0660 whatever the umask."""
    while True:
        try:
            with processes.descriptor_gate:
                descriptor = _open(path)
                processes.note_lock_descriptor(descriptor)
                return descriptor
        except FileExistsError:
            continue  # somebody made it between the two attempts
        except OSError as failure:
            raise _refusal(path, spool, failure) from None


def find_agent(spool: str) -> Optional[int]:
    """The process id of the agent that runs on this spool, or None. Asks without taking the agent's record lock."""
    try:
        descriptor = os.open(paths.agent_file(spool), _OPEN)
    except OSError:
        return None  # no agent ever ran here, or only for other accounts
    try:
        question = struct.pack(_RECORD, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_RECORD, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
        return None if kind == fcntl.F_UNLCK else pid
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    # Without O_CREAT first: in a sticky folder the kernel refuses O_CREAT on somebody else's file (fs.protected_regular).
    try:
        return os.open(path, _OPEN)
    except FileNotFoundError:
        descriptor = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, _GROUP_MAY_USE)
        os.fchmod(descriptor, _GROUP_MAY_USE)
        return descriptor


def _refusal(path: str, spool: str, failure: OSError) -> SpoolError:
    folder = os.path.dirname(spool)
    if failure.errno == errno.ENOENT:
        return spool_error(
            "CannotCreate", spool, "the folder {} does not exist".format(folder),
            "make it (mkdir -p {}), or name another spool with {}".format(folder, paths.VARIABLE))
    if failure.errno in (errno.EACCES, errno.EPERM):
        return spool_error(
            "PermissionDenied", spool, "no permission to write {}".format(path),
            "join the group that owns {}, or name another spool with {}".format(folder, paths.VARIABLE))
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(spool)
    if failure.errno == errno.EROFS:
        return spool_error(
            "InputOutput", spool, "{} is on a read-only file system".format(folder), "mount it writable, or name another spool")
    if failure.errno == errno.ELOOP:
        return spool_error(
            "PermissionDenied", spool, "{} is a symbolic link, which a lock must not be".format(path), "remove the link")
    return spool_error("InputOutput", spool, "cannot open {}: {}".format(path, failure.strerror))
