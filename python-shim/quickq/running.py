"""Runs a command of ``quickq-spool`` through the service, with the streams and signals of this process."""

import errno
import os
import select
import signal
import time

from .client import ANSWER
from .errors import QuickqError, SpoolBusy
from .link import frame, json_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from .client import Client
    from .link import Link

_CHUNK = 65536
_ADDING = ("add", "import")


class OutputFailure(Exception):
    """Standard output takes nothing more."""


def run(client: "Client", command: "Optional[str]", words: "List[str]", source: "Optional[int]",
        target: "Optional[Tuple[int, str]]" = None) -> int:
    """Runs the command and returns its exit code.

    ``source``: the descriptor that is its standard input, or None for an empty one. ``target``: that of a file that it writes, and its name,
    or None.
    """
    link = client.open(command in _ADDING)
    try:
        request = {
            "arguments": words, "environment": _environment(), "terminals": [os.isatty(stream) for stream in (0, 1, 2)],
        }  # type: Dict[str, Any]
        if target is not None:
            request["file"] = target[1]
        link.greet(json_frame(b"r", request), time.monotonic() + ANSWER)
        return _Forwarding(client.path, link, source, target, command in _ADDING).run()
    except OSError as failure:
        raise SpoolBusy("Busy", "the spool service of {} does not answer: {}".format(client.path, failure), "try later", client.path) from None
    finally:
        link.close()


class _Forwarding:
    """Carries bytes and signals between this process and the command."""

    def __init__(self, path: str, link: "Link", source: "Optional[int]", target: "Optional[Tuple[int, str]]", adds: bool) -> None:
        self._path = path
        self._link = link
        self._source = source
        self._target = target
        self._adds = adds
        self._outgoing = bytearray(b"" if source is not None else frame(b"d", b"\0"))
        self._signalled = False
        self._wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def run(self) -> int:
        while True:
            code = self._take_frames()
            if code is not None:
                return code
            readers = [self._link, self._wake]  # type: List[Any]
            if self._source is not None and not self._outgoing:
                readers.append(self._source)
            ready, writable, _ = select.select(readers, [self._link] if self._outgoing else [], [])
            if self._wake in ready:
                for number in os.read(self._wake, 64):
                    self._outgoing += frame(b"k", bytes([number])) if number in (signal.SIGINT, signal.SIGTERM) else b""
            if self._source is not None and self._source in ready:
                self._read()
            if writable:
                self._send()
            if self._link in ready:
                self._receive()

    def _take_frames(self) -> "Optional[int]":
        while True:
            taken = self._link.take_frame()
            if taken is None:
                return None
            kind, payload = taken
            if kind == b"d" and payload[:1] in (b"\1", b"\2"):
                self._write(payload[0], payload[1:])
                continue
            if kind == b"d" and payload[:1] == b"\3" and self._target is not None:
                self._keep(payload[1:], *self._target)
                continue
            answer = self._link.parse(kind, payload, b"r")
            if isinstance(answer, QuickqError):
                raise answer
            return int(answer["code"])

    def _read(self) -> None:
        assert self._source is not None
        try:
            chunk = os.read(self._source, _CHUNK)
        except OSError as failure:
            raise QuickqError("InputOutput", "cannot read the input: {}".format(failure.strerror)) from None
        self._outgoing += frame(b"d", b"\0" + chunk)
        if not chunk:
            self._source = None

    def _send(self) -> None:
        try:
            del self._outgoing[:self._link.send(bytes(self._outgoing))]
        except BlockingIOError:
            pass  # later
        except ConnectionError:
            # The service has closed the connection; why, it may have said before.
            self._source = None
            self._outgoing.clear()

    def _receive(self) -> None:
        try:
            self._link.fill()
        except BlockingIOError:
            pass  # later
        except ConnectionError:
            raise SpoolBusy(
                "Busy", "the spool service of {} ended before the command did".format(self._path),
                "look what was done (quickq-spool status) before you repeat it", self._path) from None

    def _write(self, stream: int, data: bytes) -> None:
        rest = data
        while rest:
            try:
                rest = rest[os.write(stream, rest):]
            except OSError as failure:
                if stream == 1:
                    raise OutputFailure(self._lost(failure, data)) from None
                return  # nobody reads what went wrong, but the exit code says that something did

    def _keep(self, data: bytes, target: int, name: str) -> None:
        """Writes to the file that the command writes. Where it takes no more the command must not go on."""
        rest = data
        while rest:
            try:
                rest = rest[os.write(target, rest):]
            except OSError as failure:
                raise QuickqError(
                    "InputOutput", "cannot write {}: {}; stopped".format(name, failure.strerror),
                    "messages whose ids were printed are stored") from None

    def _lost(self, failure: OSError, data: bytes) -> "Optional[str]":
        """What to say when standard output breaks; None where its reader has just had enough, as in ``list | head``."""
        if not self._adds:
            return None if failure.errno == errno.EPIPE else "standard output: {}".format(failure.strerror)
        ids = data.decode("utf-8", "replace").split()
        stored = "the message is stored, its id is {}".format(ids[0]) if len(ids) == 1 else \
            "stopped; all messages up to the id {} are stored".format(ids[-1]) if ids else "stopped"
        return "standard output: {}; {}".format(failure.strerror, stored)

    def _on_signal(self, number: int, _: "Any") -> None:
        # The first one is for the command, which ends as it should; a second one ends this process.
        if self._signalled:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._signalled = True


def _environment() -> "Dict[str, str]":
    sent = {name: os.environ[name] for name in ("COLUMNS", "TERM", "NO_COLOR") if name in os.environ}
    if "COLUMNS" not in sent and os.isatty(1):
        sent["COLUMNS"] = str(os.get_terminal_size(1).columns)
    return sent
