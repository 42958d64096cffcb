"""Publish messages to RabbitMQ through the spool of this machine: accepted means safe, whatever the network does.

A message is stored durably on disk before ``publish`` returns; the agent of the machine delivers it to every configured server.

>>> import os, tempfile
>>> folder = tempfile.TemporaryDirectory()
>>> os.environ["QUICKQ_SPOOL"] = os.path.join(folder.name, "spool.db")   # for this example only
>>> import quickq
>>> mid = quickq.publish({"satellite_ID": "G16", "band": "8"}, route_key="geo.goes.g16.abi.adde.realtime.ncdf.band.end")
>>> quickq.status(mid)             # with an agent: {'mq1': 'DELIVERED', 'mq2': 'PENDING'}
{}
>>> quickq.wait(mid, timeout=0.1)  # with an agent: True as soon as every server has it
False
>>> quickq.connections()           # with an agent: {'mq1': 'CONNECTED', 'mq2': 'RECONNECTING'}
{}
>>> quickq.close()
>>> folder.cleanup()
>>> del os.environ["QUICKQ_SPOOL"]

The spool is that of ``QUICKQ_SPOOL``, else ``/var/lib/quickq/spool.db``; ``quickq.Spool(path)`` is the class behind the
functions. Everything may be used from many threads, in signal handlers and after ``fork()``. Scripts written for QuickMQ import
``quickq.api``. Errors are ``SpoolFull`` and ``SpoolBusy`` (try later), other ``SpoolError``, and ``InvalidMessage``; their base is
``QuickqError``. News of connections go to the logger ``quickq``.
"""

import os

from . import address
from .errors import InvalidMessage, QuickqError, SpoolBusy, SpoolError, SpoolFull
from .spool import Message, Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

    from .connection_watch import Observer
    from .messages import Header, Ttl

__all__ = [
    "InvalidMessage", "Message", "QuickqError", "Spool", "SpoolBusy", "SpoolError", "SpoolFull", "close", "connections", "details",
    "on_connection_change", "outcome", "publish", "publish_many", "status", "wait",
]

__version__ = "0.2.0"

_spools = {}  # type: Dict[Tuple[str, Optional[str]], Spool]


def publish(message: "Any", route_key: "Optional[str]" = "", exchange: "Optional[str]" = None, *,
            servers: "Optional[Iterable[str]]" = None, headers: "Optional[Mapping[str, Header]]" = None,
            content_type: "Optional[str]" = None, ttl: "Ttl" = None, priority: "Optional[int]" = None,
            message_id: "Optional[str]" = None, transient: bool = False, routing_key: "Optional[str]" = None) -> str:
    """Stores a message for every server of the agent and returns its id; what it returned from survives a power cut.

    ``message``: anything that JSON knows is sent as ``json.dumps`` writes it; ``bytes`` are sent as they are.
    ``routing_key`` is another name of ``route_key``. ``exchange``: None is the exchange that the agent has for each server.
    ``servers``: the names of the servers that it is for, whatever they take; None is every server that takes the exchange. A name that
    no server ever had is refused. ``headers``: strings, numbers, booleans or None. ``content_type``: ``application/json`` for JSON, else
    ``application/octet-stream``, unless given. ``ttl``: seconds or a ``timedelta`` after which the message is no longer worth
    sending. ``priority``: 0-255. ``message_id``: an id of your own; the same id with the same content is stored once, with other
    content refused. ``transient``: the broker need not keep it.

    A publish that an exception of the program interrupted (Ctrl-C, a time-out) may have stored the message. Repeating it with the
    same ``message_id`` is safe.
    """
    return _spool().publish(
        message, route_key, exchange, servers=servers, headers=headers, content_type=content_type, ttl=ttl, priority=priority,
        message_id=message_id, transient=transient, routing_key=routing_key)


def publish_many(messages: "Iterable[Any]", route_key: "Union[None, str, Callable[[Any], str]]" = "", exchange: "Optional[str]" = None, *,
                 servers: "Optional[Iterable[str]]" = None, headers: "Optional[Mapping[str, Header]]" = None,
                 content_type: "Optional[str]" = None, ttl: "Ttl" = None, priority: "Optional[int]" = None, transient: bool = False,
                 routing_key: "Union[None, str, Callable[[Any], str]]" = None) -> "List[str]":
    """Stores many messages in one transaction, all or none, and returns their ids in order: far faster than one by one.

    Each is a payload as for ``publish``, or a ``quickq.Message`` with a key, headers and so on of its own. ``route_key`` may be
    a function from the payload to the key, such as ``quickq.ssec.topic_for``. At most 64 MiB in all.
    """
    return _spool().publish_many(
        messages, route_key, exchange, servers=servers, headers=headers, content_type=content_type, ttl=ttl, priority=priority, transient=transient,
        routing_key=routing_key)


def status(message_id: str, *servers: str) -> "Dict[str, str]":
    """What became of a message at each active server, or at those named.

    ``PENDING`` (also deferred or held), ``DELIVERED``, ``REJECTED`` (an operator must decide) or ``DROPPED`` (expired, or
    cancelled by an operator). Empty while no server is known. An unknown id is a ``SpoolError``.
    """
    return _spool().status(message_id, *servers)


def details(message_id: str) -> "Dict[str, Any]":
    """Everything about a message, as ``quickq-spool status ID --json`` prints it.

    ``{"id": ..., "exchange": ..., "routingKey": ..., "createdAt": ..., "expiresAt": ..., "deliveries": [...]}``; each delivery has
    ``server``, ``state``, ``attempts``, ``nextAttemptAt``, ``settledAt``, ``endpoint`` and ``reason``. An unknown id is a ``SpoolError``.
    """
    return _spool().details(message_id)


def outcome(message_id: "Union[str, Iterable[str]]", *servers: str) -> str:
    """``delivered``: every active server (or those named) has it. ``never``: one rejected it, or it expired or was cancelled there.
    ``waiting``: neither yet. Of several ids: what holds for all of them."""
    return _spool().outcome(message_id, *servers)


def wait(message_id: "Union[str, Iterable[str]]", timeout: "Optional[float]" = None, *servers: str) -> bool:
    """Waits until every active server (or those named) has the message, or all of several.

    True when they have; False when one rejected or dropped it, or after ``timeout`` seconds (None: for ever).
    """
    return _spool().wait(message_id, timeout, *servers)


def connections() -> "Dict[str, str]":
    """The agent's connection to each active server: ``CONNECTED``, ``RECONNECTING`` (also blocked by the broker) or
    ``DISCONNECTED`` (also paused by an operator, and all of them while no agent runs)."""
    return _spool().connections()


def on_connection_change(observer: "Observer") -> "Observer":
    """Calls ``observer(server, state)`` at each change of a connection, in the thread that sees it.

    Seen by ``connections``, by ``wait``, and by ``publish`` at most once a second. Returns the observer, so it can decorate.
    """
    from .connection_watch import observers

    observers.append(observer)
    return observer


def close() -> None:
    """Closes what is open; a later use opens it again. Not needed at the end of a program."""
    for spool in list(_spools.values()):
        spool.close()


def _spool() -> Spool:
    key = address.resolve(), os.environ.get(address.SOCKET_VARIABLE)
    spool = _spools.get(key)
    return spool if spool is not None else _spools.setdefault(key, Spool())
