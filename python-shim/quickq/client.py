"""The client of the spool service: a pool of connections that threads, signal handlers and children of ``fork()`` may use at will.

A call takes a connection out of the pool, or makes one, and puts it back after a complete answer; after anything else, an exception
from a signal handler too, it is closed. So nothing is ever held while a call waits, and nothing has to be put right after one.
"""

import time
from _socket import timeout

from .address import locate
from .errors import SpoolBusy, SpoolError
from .link import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Optional, Sequence, Tuple

    from .address import Address
    from .link import Answer

#: Seconds to wait for an answer; the service gives one within 30.
ANSWER = 40.0

_CONNECT = 5.0  # seconds for a service to listen
_START = 15.0  # the same for one that is started here
_START_AGAIN = 5.0
_OTHERS_START = 2.0  # after these the turn of another process is passed over
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_MOST_IDLE = 16


class Client:
    """Asks the service of one spool. ``given``: the path was named by the program, so it comes before QUICKQ_SOCKET."""

    def __init__(self, path: str, socket: "Optional[str]", given: bool) -> None:
        self.path = path
        self._socket = socket
        self._given = given
        self._idle = []  # type: List[Link]

    def ask(self, requests: "List[bytes]", seconds: "Optional[float]" = 0.0, ids: "Sequence[str]" = (), version: int = 1) -> "List[Answer]":
        """The answers to the requests, sent in one write: a dictionary or an error for each, but perhaps only for the first few.

        Without any answer it connects again and repeats the requests once. ``seconds``: what the service may wait for by itself (None: for
        ever). ``ids``: what the requests add. ``version``: of the protocol, that they need.
        """
        return self.ask_for(lambda: (requests, seconds), ids, version)

    def ask_for(self, make: "Callable[[], Tuple[List[bytes], Optional[float]]]", ids: "Sequence[str]" = (), version: int = 1) -> "List[Answer]":
        """As ``ask``, with requests that are made anew for the repetition."""
        lost = False
        repeats, begun = 0, time.monotonic()
        while repeats < 2:
            link = None
            try:
                link = self._take() or self.open(bool(ids))
                if version > 1:
                    link.require(version, ANSWER)
                requests, seconds = make()
                answers = link.ask(requests, None if seconds is None else ANSWER + seconds)
                if ids and isinstance(answers[0], dict) and answers[0]["ids"] != list(ids):
                    raise ConnectionAbortedError("the service confirms other messages")
                if len(answers) == len(requests) and len(self._idle) < _MOST_IDLE:
                    self._idle.append(link)
                    link = None
                return answers
            except OSError as failure:
                lost = True  # the error itself would keep this frame, and with it the connection, alive
                # A service that dies may still take a connection, and then says nothing: that is no connection yet.
                if link is None or link.greeted or isinstance(failure, timeout) or time.monotonic() - begun > _CONNECT:
                    repeats += 1
                else:
                    time.sleep(_FIRST_PAUSE)  # its end cannot be waited for
            except SpoolError:
                if not lost or not ids:
                    raise
                break
            finally:
                if link is not None:
                    link.close()
        raise self._unanswered(ids)

    def open(self, adding: bool) -> Link:
        """A new connection; starts the service of an own spool where none listens."""
        from . import __version__

        begun = time.monotonic()
        starter = None  # type: Optional[_Starter]
        pause = _FIRST_PAUSE
        try:
            while True:
                address = locate(self.path, self._socket, self._given)
                try:
                    return Link(address, "python " + __version__)
                except PermissionError:
                    raise address.denied() from None
                except (FileNotFoundError, ConnectionError, BlockingIOError):
                    pass  # nobody listens, or too many connect at this moment
                except OSError as failure:
                    raise SpoolError("InputOutput", "cannot connect to {}: {}".format(address.socket, failure), None, address.path) from None
                missing = address.missing(adding)
                if missing is not None:
                    raise missing
                if address.own:
                    starter = starter or _Starter(begun, address)
                    if starter.look(address):
                        continue
                elif time.monotonic() - begun >= _CONNECT:
                    raise SpoolBusy(
                        "Busy", "no spool service listens at {}".format(address.socket),
                        "systemctl status quickq-spool.socket quickq-spool.service", address.path)
                time.sleep(pause)  # a socket that will be there cannot be waited for
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            if starter is not None:
                starter.close()

    def close(self) -> None:
        """Closes the connections that no call uses."""
        while self._idle:
            try:
                link = self._idle.pop()
            except IndexError:
                return  # another thread took it
            link.close()

    def __del__(self) -> None:
        # Not left to the sockets: their numbers may be somebody else's by now. A link has no such method, since an exception of a
        # signal handler would get lost in it.
        self.close()

    def _take(self) -> "Optional[Link]":
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return None
            if link.is_usable():
                return link
            link.close()

    def _unanswered(self, ids: "Sequence[str]") -> SpoolBusy:
        if not ids:
            return SpoolBusy("Busy", "the spool service of {} does not answer".format(self.path), "try later", self.path)
        what = "the message may have been stored, its id is {}".format(ids[0]) if len(ids) == 1 else \
            "the {:,} messages may have been stored, the first has the id {}".format(len(ids), ids[0])
        return SpoolBusy(
            "Busy", "the spool service of {} does not answer: {}".format(self.path, what),
            "repeat the call with the same message_id: it is stored once", self.path)


class _Starter:
    """Starts the service of an own spool when it is this process's turn."""

    def __init__(self, begun: float, address: "Address") -> None:
        from .starting import Turn

        self._begun = begun
        self._turn = Turn(address.socket)
        self._has_turn = False
        self._start_at = 0.0

    def look(self, address: "Address") -> bool:
        """True when the caller should connect at once: the turn has come, and another process may have started the service before."""
        from . import starting

        now = time.monotonic()
        if now - self._begun >= _START:
            raise starting.why_not(address)
        if not self._has_turn:
            self._has_turn = self._turn.take() or now - self._begun >= _OTHERS_START
            return self._has_turn
        if now >= self._start_at:
            starting.start(address)
            self._start_at = now + _START_AGAIN
        return False

    def close(self) -> None:
        self._turn.close()
