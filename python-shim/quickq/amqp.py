"""QuickMQ's classes of connections and its errors, on the spool: they name a server and an exchange, and open nothing.

The agent has the servers, users and passwords. A connection is what a script of QuickMQ reads from it (``host``, ``identifier``,
...); its host and port choose the server, its exchange is that of the messages. A password is never kept.

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
from typing import Any, Dict, Iterable, Optional, Sequence, Set, Tuple, Union
from urllib.parse import unquote

from . import _spool
from .choosing import choose_known

# RabbitMQ's URIs; their query (heartbeat and the like) is the agent's business. A path of // is the virtual host /.
_URI = re.compile(
    r"amqps?://(?:([^:/?#]*)(?::([^/]*))?@)?(\[[^\]/]*\]|[^:/?#@\[\]]*)(?::([0-9]{1,5})?)?(?:/([^/?#]*|/))?(?:\?[^#]*)?\Z", re.IGNORECASE)


class AMQPConnectionError(ConnectionError):
    """For scripts that catch it. Never raised here: the agent has the connections, and reconnects for ever."""


class StateError(Exception):
    """For scripts that catch it. Never raised here: a message can be stored in any state of a connection."""


class URIFormatError(ValueError):
    """The text is no AMQP URI."""


class BaseConnection:
    """What the two kinds of connections have in common."""

    connected = False

    #: The exchange that was given, None when none was: then each server has its own.
    named_exchange = None  # type: Optional[str]

    #: What it is called where no server of the agent is known.
    label = ""

    #: The same, with the port if one was given.
    place = ""

    def __init__(self) -> None:
        self._told = set()  # type: Set[str]

    @property
    def members(self) -> "Sequence[AmqpConnection]":
        """The servers of which any one will do."""
        return ()

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
        """Stores the message durably, for the server of the agent that this names (see ``quickq.api``). True: it is safe on disk."""
        spool = _spool()
        spool.publish_to(content_dict, route_key, choose_known(spool, [self], exchange, False, self._told).groups)
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseConnection) and self.identifier == other.identifier

    def __hash__(self) -> int:
        return hash(self.identifier)


class AmqpConnection(BaseConnection):
    """One server as QuickMQ's class of this name."""

    def __init__(self, host: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
                 vhost: Optional[str] = None, port: Optional[int] = None) -> None:
        del password
        super().__init__()
        if not isinstance(host, str):
            raise TypeError("a host is a string, not {}".format(type(host).__name__))
        if "@" in host or "/" in host:
            # Not shown: it may hold a password.
            raise URIFormatError("a host has no '@' and no '/'; write a URI, for example amqp://user@host:5672/vhost, or the host alone")
        self.host = host
        self.user = user or "guest"
        self.exchange = exchange or ""
        self.vhost = vhost or "/"
        self.port = port or 5672
        self.named_exchange = exchange
        self.named_port = port
        self.label = host
        self.place = host if port is None else "{}:{}".format(host, port)

    @property
    def members(self) -> "Sequence[AmqpConnection]":
        """It alone."""
        return (self,)

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


class ClusteredConnection(BaseConnection):
    """Several members of one cluster, of which any one will do: ``"hosts"`` of one server in the agent's configuration."""

    def __init__(self, connections: Iterable[AmqpConnection]) -> None:
        super().__init__()
        self._members = {member.identifier: member for member in connections}  # type: Dict[str, AmqpConnection]
        if not self._members:
            raise ValueError("a cluster needs at least one connection")
        self.named_exchange = next((member.named_exchange for member in self.members if member.named_exchange is not None), None)
        self.label = self.members[0].label
        self.place = self.members[0].place

    @property
    def members(self) -> "Sequence[AmqpConnection]":
        """In the order in which they were given."""
        return tuple(self._members.values())

    @classmethod
    def from_uris(cls, *uris: str) -> "ClusteredConnection":
        """The cluster whose members AMQP URIs describe; their passwords are not kept."""
        parts = [_parts_of(uri) for uri in uris]
        del uris
        return cls([AmqpConnection(*_require(part)) for part in parts])

    @property
    def primary(self) -> Optional[AmqpConnection]:
        """The first member between ``connect`` and ``close``; which one is in use ``quickq-spool status`` says."""
        return self.members[0] if self.connected else None

    def __repr__(self) -> str:
        return "ClusteredConnection({})".format(", ".join(sorted(self._members)))


Connection = Union[AmqpConnection, ClusteredConnection]


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
