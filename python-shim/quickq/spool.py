"""The class behind the functions of ``quickq``: one spool, safe to share between threads and across ``fork()``.

Light to import: what needs SQLite, JSON or logging is imported at the first use.
"""

import os

from . import paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Union

    from .appending import Appender
    from .watching import ConnectionWatch
    from .database import SpoolFile
    from .messages import Header, Row, Ttl


class Message:
    """One message of ``publish_many`` that needs more than its payload.

    >>> Message({"band": "8"}, route_key="geo.goes").route_key
    'geo.goes'
    """

    def __init__(self, payload: "Any", route_key: "Optional[str]" = "", exchange: "Optional[str]" = None, *,
                 headers: "Optional[Mapping[str, Header]]" = None, content_type: "Optional[str]" = None, ttl: "Ttl" = None,
                 priority: "Optional[int]" = None, message_id: "Optional[str]" = None, transient: bool = False) -> None:
        self.payload = payload
        self.route_key = route_key
        self.exchange = exchange
        self.headers = headers
        self.content_type = content_type
        self.ttl = ttl
        self.priority = priority
        self.message_id = message_id
        self.transient = transient


class _ProcessSide:
    """What one process has open of a spool."""

    def __init__(self, path: str) -> None:
        from .appending import Appender
        from .watching import ConnectionWatch
        from .database import SpoolFile

        self.file = SpoolFile(path)  # type: SpoolFile
        self.watch = ConnectionWatch()  # type: ConnectionWatch
        self.appender = Appender(self.file, self.watch)  # type: Appender


class Spool:
    """The spool at ``path``; without one that of ``QUICKQ_SPOOL``, else ``/var/lib/quickq/spool.db``.

    Opened at the first use, and made then by a publish if there is none (its folder must exist).

    >>> import os, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Spool(os.path.join(folder.name, "spool.db")) as spool:
    ...     mid = spool.publish({"satellite_ID": "G16"}, route_key="geo.goes.g16")
    ...     spool.status(mid)
    {}
    >>> folder.cleanup()
    """

    def __init__(self, path: "Optional[str]" = None) -> None:
        self.path = paths.resolve(path)
        self._sides = {}  # type: Dict[int, _ProcessSide]

    def publish(self, message: "Any", route_key: "Optional[str]" = "", exchange: "Optional[str]" = None, *,
                headers: "Optional[Mapping[str, Header]]" = None, content_type: "Optional[str]" = None, ttl: "Ttl" = None,
                priority: "Optional[int]" = None, message_id: "Optional[str]" = None, transient: bool = False) -> str:
        """Stores one message durably for every server of the agent, and returns its id. See ``quickq.publish``."""
        from .messages import prepare

        row = prepare(message, route_key, exchange, headers, content_type, ttl, priority, message_id, transient)
        return self._side().appender.append([row])[0]

    def publish_many(self, messages: "Iterable[Any]", route_key: "Union[None, str, Callable[[Any], str]]" = "",
                     exchange: "Optional[str]" = None, *, headers: "Optional[Mapping[str, Header]]" = None,
                     content_type: "Optional[str]" = None, ttl: "Ttl" = None, priority: "Optional[int]" = None,
                     transient: bool = False) -> "List[str]":
        """Stores many messages in one transaction, all or none, and returns their ids in order. See ``quickq.publish_many``."""
        from .messages import prepare

        rows = []  # type: List[Row]
        for given in messages:
            if isinstance(given, Message):
                rows.append(prepare(given.payload, given.route_key, given.exchange, given.headers, given.content_type, given.ttl,
                                    given.priority, given.message_id, given.transient))
            else:
                key = route_key(given) if callable(route_key) else route_key
                rows.append(prepare(given, key, exchange, headers, content_type, ttl, priority, None, transient))
        return self._side().appender.append(rows)

    def status(self, message_id: str, *servers: str) -> "Dict[str, str]":
        """What became of a message: ``{"mq1": "DELIVERED", "mq2": "PENDING"}``. See ``quickq.status``."""
        from .looking import status

        return status(self._side().file, message_id, servers)

    def wait(self, message_id: "Union[str, Iterable[str]]", timeout: "Optional[float]" = None, *servers: str) -> bool:
        """Waits until every server has the message, or all of several. See ``quickq.wait``."""
        from .looking import wait

        return wait(self, [message_id] if isinstance(message_id, str) else list(message_id), servers, timeout)

    def connections(self) -> "Dict[str, str]":
        """The agent's connections: ``{"mq1": "CONNECTED", "mq2": "RECONNECTING"}``. See ``quickq.connections``."""
        from .lock import find_agent

        side = self._side()
        seen = side.file.read(side.watch.read)
        return side.watch.compare(seen, find_agent(side.file.path) is not None)

    def open_file(self) -> "SpoolFile":
        """What this process has open; for the other modules of this package."""
        return self._side().file

    def close(self) -> None:
        """Closes what this process has open; a later use opens it again."""
        side = self._sides.pop(os.getpid(), None)
        if side is not None:
            side.file.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        side = getattr(self, "_sides", {}).get(os.getpid())
        if side is not None:
            # Whoever collects this may hold the lock for another spool object of the same file: never wait for it here.
            side.file.close(0)

    def __repr__(self) -> str:
        return "Spool({!r})".format(self.path)

    def _side(self) -> _ProcessSide:
        pid = os.getpid()
        side = self._sides.get(pid)
        return side if side is not None and not side.file.forgotten else self._open(pid)

    def _open(self, pid: int) -> _ProcessSide:
        from .processes import notice_fork

        notice_fork()
        stale = self._sides.get(pid)
        if stale is not None and stale.file.forgotten:
            del self._sides[pid]  # an ancestor had this process id
        return self._sides.setdefault(pid, _ProcessSide(self.path))
