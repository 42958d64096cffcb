"""One connection to a spool service, used by one call at a time. The protocol: docs/spool-protocol.md."""

import json
import os
import sys
import time
from _socket import AF_UNIX, MSG_NOSIGNAL, MSG_PEEK, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket

# The module socket takes longer to import than a publish takes; nothing of it is needed here.

from .errors import QuickqError, SpoolError, from_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Tuple, Union

    from .address import Address

    Answer = Union[Dict[str, Any], QuickqError]

#: The version of the protocol that this package speaks. From this one on a message may name its servers.
PROTOCOL = 2

#: The most that a frame may have behind its length.
LARGEST_FRAME = 64 * 1024 * 1024

#: The most bytes that the kernel takes for the path of a socket.
LONGEST_SOCKET_PATH = 107

#: The states of a delivery, and what the package calls them.
WORDS = {
    "delivered": "DELIVERED", "pending": "PENDING", "deferred": "PENDING", "held": "PENDING",
    "rejected": "REJECTED", "expired": "DROPPED", "cancelled": "DROPPED",
}

_CONNECT = 5.0

_compact = json.JSONEncoder(separators=(",", ":")).encode


def frame(kind: bytes, *parts: bytes) -> bytes:
    """A frame of the protocol.

    >>> frame(b"c", b"{}")
    b'\\x00\\x00\\x00\\x03c{}'
    """
    return (1 + sum([len(part) for part in parts])).to_bytes(4, "big") + kind + b"".join(parts)


def json_frame(kind: bytes, value: "Any") -> bytes:
    """A frame whose payload is JSON."""
    return frame(kind, _compact(value).encode("ascii"))


class Link:
    """A connection. It belongs to the process and the account that made it, and is closed after anything but a complete answer."""

    def __init__(self, address: "Address", client: str) -> None:
        """Connects, or raises ``OSError``; ``SpoolError`` where somebody else than the owner listens."""
        self._process = os.getpid(), os.geteuid()
        self._address = address
        greeting = {"protocol": PROTOCOL, "client": client}  # type: Dict[str, Any]
        if address.named:
            greeting["spool"] = address.path
        self._greeting = json_frame(b"h", greeting)
        self._buffer = bytearray()
        self.greeted = False
        self._version = 0
        self._identity = None  # type: Optional[Tuple[int, int]]
        self._socket = socket(AF_UNIX, SOCK_STREAM)
        try:
            self._identity = self._look()
            self._socket.settimeout(_CONNECT)
            address.require_tight()
            _connect(self._socket, address.socket)
            address.require_owner(int.from_bytes(self._socket.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], sys.byteorder))
        except BaseException:
            self._socket.close()
            raise

    def is_usable(self) -> bool:
        """False in a child process, under another account, after the service closed the connection, and when the program closed it or took its number."""
        if self._process != (os.getpid(), os.geteuid()) or not self._is_ours():
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # it has ended, or the service has said something that nobody asked for

    def ask(self, requests: "List[bytes]", seconds: "Optional[float]") -> "List[Answer]":
        """Sends the requests in one write and returns their answers: at least one, fewer than asked if the connection is lost then.

        Raises ``OSError`` without an answer, and the error of a service that takes no requests from this client.
        """
        greeting, self._greeting = self._greeting, b""
        end = None if seconds is None else time.monotonic() + seconds
        self._send(greeting + b"".join(requests), seconds)
        answers = []  # type: List[Answer]
        try:
            if greeting:
                self._take_welcome(end)
            while len(answers) < len(requests):
                answers.append(self._answer(end, requests[len(answers)][4:5]))
        except OSError:
            if not answers:
                raise
        return answers

    def require(self, version: int, seconds: float) -> None:
        """Greets first, and raises ``SpoolError`` for a service of an older protocol: it would ignore what it does not know."""
        if not self.greeted:
            greeting, self._greeting = self._greeting, b""
            self._send(greeting, seconds)
            self._take_welcome(time.monotonic() + seconds)
        if self._version < version:
            raise SpoolError(
                "NewerFormat", "the spool service is older than this package: it would send a message for some servers to all; nothing was stored",
                "restart it: systemctl restart quickq-spool.service", self._address.path)

    def send(self, data: bytes) -> int:
        """Sends what fits now, for ``run``."""
        return self._socket.send(data, MSG_NOSIGNAL)

    def receive(self, end: "Optional[float]") -> "Tuple[bytes, bytes]":
        """Kind and payload of the next frame. Raises ``OSError`` at the end of the connection or of the time."""
        while True:
            taken = self.take_frame()
            if taken is not None:
                return taken
            # A time-out of zero would be a question, not a wait.
            self._socket.settimeout(None if end is None else max(0.001, end - time.monotonic()))
            self.fill()

    def fill(self) -> None:
        """Receives something."""
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionResetError("the service closed the connection")
        self._buffer += chunk

    def take_frame(self) -> "Optional[Tuple[bytes, bytes]]":
        """A frame that has been received."""
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[:4], "big")
        if not 0 < length <= LARGEST_FRAME:
            raise self._foreign()
        if len(self._buffer) < 4 + length:
            return None
        kind, payload = bytes(self._buffer[4:5]), bytes(self._buffer[5:4 + length])
        del self._buffer[:4 + length]
        return kind, payload

    def greet(self, request: bytes, end: float) -> None:
        """Greets the service and sends a first request, for ``run``; afterwards nothing blocks any more."""
        self._send(self._greeting + request, end - time.monotonic())
        self._take_welcome(end)
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """The descriptor, to wait for it."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes the connection; a descriptor that the program has taken for something else is left alone."""
        if self._identity is None or self._is_ours():
            self._socket.close()
        else:
            self._socket.detach()

    def parse(self, kind: bytes, payload: bytes, request: bytes) -> "Answer":
        """An answer of the service to this kind of request, or the error that it is. Raises ``OSError`` for anything else."""
        try:
            answer = json.loads(payload.decode("utf-8"))
            if kind == b"e":
                return from_answer(answer, self._address.path)
            if kind == b"j" and _SHAPES[request](answer):
                assert isinstance(answer, dict)
                return answer
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass
        raise self._foreign()

    def _foreign(self) -> OSError:
        return ConnectionAbortedError("what listens at {} does not speak the protocol of the spool service".format(self._address.socket))

    def _take_welcome(self, end: "Optional[float]") -> None:
        welcome = self._answer(end, b"h")
        if isinstance(welcome, QuickqError):
            raise welcome
        self.greeted, self._version = True, welcome["protocol"]

    def _answer(self, end: "Optional[float]", request: bytes) -> "Answer":
        return self.parse(*self.receive(end), request)

    def _send(self, data: bytes, seconds: "Optional[float]") -> None:
        self._socket.settimeout(seconds)
        try:
            self._socket.sendall(data, MSG_NOSIGNAL)
        except ConnectionError:
            pass  # why the service has closed the connection may be said in what it sent before: that is read next, and ends with an error

    def _is_ours(self) -> bool:
        try:
            return self._identity is not None and self._look() == self._identity
        except OSError:
            return False

    def _look(self) -> "Tuple[int, int]":
        seen = os.fstat(self._socket.fileno())
        return seen.st_dev, seen.st_ino


def _connect(connection: socket, path: str) -> None:
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        connection.connect(path)
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect("/proc/self/fd/{}/{}".format(descriptor, name))
    finally:
        os.close(descriptor)



def _are_messages(found: "Any") -> bool:
    return all([one is None or all([one["state"] in WORDS and one["server"] for one in one["deliveries"]]) for one in found])


#: What an answer to each kind of request must have; an exception is a no.
_SHAPES = {
    b"h": lambda answer: isinstance(answer["protocol"], int),
    b"a": lambda answer: isinstance(answer["ids"], list),
    b"w": lambda answer: answer["outcome"] in ("delivered", "never", "waiting") and _are_messages(answer["messages"]),
    b"s": lambda answer: len(answer["messages"]) == 1 and _are_messages(answer["messages"]),
    b"c": lambda answer: isinstance(answer["agent"], dict) and all([{"name", "active", "connection"} <= set(one) for one in answer["servers"]]),
    b"r": lambda answer: isinstance(answer["code"], int) and 0 <= answer["code"] <= 255,
}  # type: Dict[bytes, Callable[[Any], bool]]
