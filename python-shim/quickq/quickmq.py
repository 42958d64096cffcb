"""QuickMQ's classes of connections and its errors, on the spool: they name a server, and open nothing.

The agent has the servers, users and passwords. A connection is only good for what a script of QuickMQ reads from it
(``host``, ``identifier``, ...) and for the exchange that it names. A password is never kept.

>>> connection = AmqpConnection("mq1", user="oper", password="secret", exchange="satellite")
>>> connection
amqp://oper@mq1:5672//satellite
>>> connection == AmqpConnection.from_uri("amqp://oper:secret@mq1")   # the exchange differs
False
>>> ClusteredConnection([connection, AmqpConnection("mq2")])
ClusteredConnection(amqp://guest@mq2:5672//, amqp://oper@mq1:5672//satellite)
"""

import re
import warnings
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union
from urllib.parse import unquote

from . import _spool

_URI = re.compile(r"amqps?://(?:([^:/?#]*)(?::([^/]*))?@)?(\[[^\]/]*\]|[^:/?#@\[\]]*)(?::([0-9]{1,5})?)?(?:/([^/?#]*))?\Z")


class AMQPConnectionError(ConnectionError):
    """For scripts that catch it. Never raised here: the agent has the connections, and reconnects for ever."""


class StateError(Exception):
    """For scripts that catch it. Never raised here: a message can be stored in any state of a connection."""


class URIFormatError(ValueError):
    """The text is no AMQP URI."""


class _Face:
    """What the two kinds of connections have in common."""

    connected = False

    #: The exchange that was given, None when none was: then each server has its own.
    named_exchange = None  # type: Optional[str]

    @property
    def identifier(self) -> str:
        """The text that tells connections apart. The keys of dictionaries are the names of the agent's servers instead."""
        return str(self)

    def connect(self) -> None:
        """Nothing to do: the agent connects."""
        self.connected = True

    def refresh(self) -> None:
        """Nothing to do: the agent looks after its connections."""

    def close(self) -> None:
        """Nothing to do: what was published stays in the spool, and is delivered."""
        self.connected = False

    def produce(self, content_dict: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> bool:
        """Stores the message durably, for every server of the agent. True: it is safe on disk."""
        _spool().publish(content_dict, route_key, exchange or self.named_exchange)
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Face) and self.identifier == other.identifier

    def __hash__(self) -> int:
        return hash(self.identifier)


class AmqpConnection(_Face):
    """One server as QuickMQ's class of this name."""

    def __init__(self, host: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
                 vhost: Optional[str] = None, port: Optional[int] = None) -> None:
        del password
        self.host = host
        self.user = user or "guest"
        self.exchange = exchange or ""
        self.vhost = vhost or "/"
        self.port = port or 5672
        self.named_exchange = exchange

    @classmethod
    def from_uri(cls, uri: str) -> "AmqpConnection":
        """The connection that an AMQP URI describes; its password is not kept."""
        parts = _parts_of(uri)
        del uri
        return cls(*_require(parts))

    def __repr__(self) -> str:
        return "amqp://{}@{}:{}{}/{}".format(self.user, self.host, self.port, self.vhost, self.exchange)


class AmqpExchange(AmqpConnection):
    """QuickMQ's old name of ``AmqpConnection``."""

    def __init__(self, host: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
                 vhost: Optional[str] = None, port: Optional[int] = None) -> None:
        del password
        warnings.warn("AmqpExchange is the old name of AmqpConnection", DeprecationWarning, stacklevel=2)
        super().__init__(host, user, None, exchange, vhost, port)


class ClusteredConnection(_Face):
    """Several members of one cluster, of which any one will do: ``"hosts"`` of one server in the agent's configuration."""

    def __init__(self, connections: Iterable[AmqpConnection]) -> None:
        self._members = {member.identifier: member for member in connections}  # type: Dict[str, AmqpConnection]
        if not self._members:
            raise ValueError("a cluster needs at least one connection")
        self.named_exchange = one_exchange([member.named_exchange for member in self._members.values()])

    @classmethod
    def from_uris(cls, *uris: str) -> "ClusteredConnection":
        """The cluster whose members AMQP URIs describe; their passwords are not kept."""
        parts = [_parts_of(uri) for uri in uris]
        del uris
        return cls([AmqpConnection(*_require(part)) for part in parts])

    @property
    def primary(self) -> Optional[AmqpConnection]:
        """The first member between ``connect`` and ``close``; which one is in use ``quickq-spool status`` says."""
        return next(iter(self._members.values())) if self.connected else None

    def __repr__(self) -> str:
        return "ClusteredConnection({})".format(", ".join(sorted(self._members)))


Connection = Union[AmqpConnection, ClusteredConnection]


def one_exchange(named: Sequence[Optional[str]]) -> Optional[str]:
    """The exchange that is named, None when none is. Two different ones are a ``ValueError``."""
    different = sorted({exchange for exchange in named if exchange is not None})
    if len(different) > 1:
        raise ValueError(
            "two exchanges are named, {}: every message goes to all servers; give the exchange to publish() instead".format(
                " and ".join(repr(exchange) for exchange in different)))
    return different[0] if different else None


#: host, user, password (never), exchange (never), virtual host, port
_Parts = Tuple[str, Optional[str], None, None, Optional[str], Optional[int]]


def _parts_of(uri: str) -> Optional[_Parts]:
    """What an AMQP URI says, but for its password; None when it is none. Raises nothing: this frame knows the password."""
    found = _URI.match(uri) if isinstance(uri, str) else None
    if found is None or int(found.group(4) or 0) > 65535:
        return None
    user, _, host, port, vhost = found.groups()
    return (
        unquote(host) or "localhost", None if user is None else unquote(user), None, None,
        None if vhost is None else unquote(vhost), int(port) if port else None)


def _require(parts: Optional[_Parts]) -> _Parts:
    if parts is None:
        raise URIFormatError("this is no AMQP URI; write for example amqp://user@host:5672/vhost")
    return parts
