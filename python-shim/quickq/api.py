"""The functions of QuickMQ's ``ssec_amqp.api`` on the spool: a script changes one import and loses nothing any more.

>>> import os, tempfile
>>> folder = tempfile.TemporaryDirectory()
>>> os.environ["QUICKQ_SPOOL"] = os.path.join(folder.name, "spool.db")   # for this example only
>>> import quickq.api as mq                    # was: import ssec_amqp.api as mq
>>> mq.connect("mq1", "mq2", user="oper", password="secret", exchange="satellite")
>>> mq.publish({"msg": "hi"}, route_key="my.topic")   # with an agent: {'mq1': DELIVERED, 'mq2': PENDING}
{'mq1': PENDING, 'mq2': PENDING}
>>> mq.status()                                # with an agent: {'mq1': CONNECTED, 'mq2': RECONNECTING}
{'mq1': DISCONNECTED, 'mq2': DISCONNECTED}
>>> mq.disconnect()
>>> import quickq; quickq.close()
>>> folder.cleanup()
>>> del os.environ["QUICKQ_SPOOL"]

``connect`` chooses among the agent's servers: messages go to those that it names, each with its exchange, and to all servers in a script
that never connects. Users and passwords are the agent's: they are accepted and forgotten. The keys of the dictionaries are the
names of the agent's servers. What QuickMQ dropped while a server was away is ``PENDING`` here: it is on disk, and delivered when the
server is back, so never publish it again.
"""

import enum
from typing import Any, Dict, List, Optional, Set

from . import _spool
from .amqp import AmqpConnection, AMQPConnectionError, AmqpExchange, ClusteredConnection, Connection, StateError, URIFormatError
from .choosing import Choice, choose_known
from .errors import SpoolError

__all__ = [
    "AMQPConnectionError", "AmqpClient", "AmqpConnection", "AmqpExchange", "ClusteredConnection", "ConnectionStatus", "DeliveryStatus",
    "StateError", "URIFormatError", "configure", "connect", "disconnect", "publish", "status",
]

#: Seconds that ``publish`` waits for the servers that are connected, so that scripts which test for DELIVERED go on working.
CONFIRM_WAIT = 0.25

# QuickMQ's defaults, for scripts that read them; they have no meaning here.
_FOR_EVER = -1.0
_INTERVAL = 15


class _Word(str, enum.Enum):
    """Compares equal to its text and prints as it."""

    def __str__(self) -> str:
        return str(self.value)

    def __repr__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(str(self.value), spec)


class DeliveryStatus(_Word):
    """What became of a message at a server."""

    #: Confirmed by the server.
    DELIVERED = "DELIVERED"
    #: Safe on disk, to be delivered: what QuickMQ would have dropped.
    PENDING = "PENDING"
    #: Refused by the server: parked until an operator decides.
    REJECTED = "REJECTED"
    #: Expired, or cancelled by an operator.
    DROPPED = "DROPPED"


class ConnectionStatus(_Word):
    """The agent's connection to a server."""

    CONNECTED = "CONNECTED"
    #: Also while the broker blocks publishers.
    RECONNECTING = "RECONNECTING"
    #: Also paused by an operator, and while no agent runs.
    DISCONNECTED = "DISCONNECTED"


class AmqpClient:
    """QuickMQ's client on the spool: its connections choose the servers and exchanges of what it publishes."""

    def __init__(self, max_reconnect_time: Optional[float] = None, time_between_reconnects: Optional[float] = None,
                 name: Optional[str] = None) -> None:
        self.reconnect_window = max_reconnect_time or _FOR_EVER
        self.reconnect_interval = time_between_reconnects or _INTERVAL
        #: How many seconds ``publish`` waits for connected servers.
        self.confirm_wait = CONFIRM_WAIT
        #: Whether a host that no server of the agent has is an error.
        self.strict = False
        self._name = name or str(id(self))
        self._connected = []  # type: List[Connection]
        self._told = set()  # type: Set[str]

    @property
    def name(self) -> str:
        """The name that it was given, for logs."""
        return self._name

    @property
    def connections(self) -> Dict[str, ConnectionStatus]:
        """The agent's connections to the servers that were chosen, by their names. Hosts that were connected are ``DISCONNECTED`` while
        no server is known yet."""
        spool = _spool()
        try:
            states = spool.connections()
        except SpoolError as failure:
            if failure.fault != "NotFound":
                raise
            states = {}  # a script of QuickMQ looks at its connections before it publishes
        if not states:
            return {connection.label: ConnectionStatus.DISCONNECTED for connection in self._connected}
        chosen = self._choose().servers
        return {server: ConnectionStatus(state) for server, state in states.items() if chosen is None or server in chosen}

    def connect(self, exchange: Connection) -> None:
        """Later publishes go to the server that this names, with its exchange. A host that no server has: see ``quickq.api.connect``."""
        self.connect_all([exchange])

    def connect_all(self, exchanges: List[Connection]) -> None:
        """All or none: with ``strict`` a host that no server has is a ``SpoolError``."""
        added = [new for at, new in enumerate(exchanges) if new not in self._connected and new not in exchanges[:at]]
        try:
            choose_known(_spool(), added if self.strict else self._connected + added, None, self.strict, self._told)
        except SpoolError:
            if self.strict:
                raise  # else a publish says what is wrong
        for connection in added:
            connection.connect()
            self._connected.append(connection)

    def publish(self, message: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> Dict[str, DeliveryStatus]:
        """Stores the message, waits shortly for the connected servers, and says what became of it at each server."""
        spool, choice = _spool(), self._choose(exchange)
        try:
            states = spool.publish_and_wait(message, route_key, choice.groups, self.confirm_wait)
        except SpoolError as failure:
            if failure.fault != "UnknownServer" or choice.servers is None:
                raise
            # A server was taken out of the spool since the last look. Nothing was stored.
            states = spool.publish_and_wait(message, route_key, self._choose(exchange, again=True).groups, self.confirm_wait)
        if not states and self._connected and not spool.known_servers():
            return {connection.label: DeliveryStatus.PENDING for connection in self._connected}
        return {server: DeliveryStatus(state) for server, state in states.items()}

    def disconnect(self, exchange: Optional[Connection] = None) -> None:
        """Forgets one connection, or all; what was published stays in the spool and is delivered."""
        if exchange is not None and exchange not in self._connected:
            raise ValueError("not connected to {}".format(exchange))
        for known in list(self._connected) if exchange is None else [exchange]:
            known.close()
            self._connected.remove(known)

    def refresh_pools(self) -> None:
        """Nothing to do: the agent looks after its connections."""

    def __repr__(self) -> str:
        return "AmqpClient<{}>".format(self._name)

    def _choose(self, exchange: Optional[str] = None, again: bool = False) -> Choice:
        return choose_known(_spool(), self._connected, exchange, self.strict, self._told, again)


_client = AmqpClient(name="API_CLIENT")


def configure(reconnect_window: Optional[float] = None, reconnect_interval: Optional[float] = None,
              confirm_wait: Optional[float] = None, strict: Optional[bool] = None) -> None:
    """``confirm_wait``: how many seconds ``publish`` waits for connected servers, 0.25 unless set. ``strict``: a host that no server of
    the agent has is an error, not a warning. The agent reconnects by itself and for ever: the other two are accepted and have no meaning."""
    _client.reconnect_window = reconnect_window or _FOR_EVER
    _client.reconnect_interval = reconnect_interval or _INTERVAL
    if confirm_wait is not None:
        if not confirm_wait >= 0:
            raise ValueError("confirm_wait must be a number of seconds, 0 or more")
        _client.confirm_wait = confirm_wait
    if strict is not None:
        _client.strict = strict


def connect(host: str, *hosts: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
            port: Optional[int] = None, vhost: Optional[str] = None, cluster: bool = False) -> None:
    """Later publishes go to these servers of the agent, with this exchange (None: each server's own).

    A host is a server's name or one of its hosts, whatever the case, or an AMQP URI with one; a short name is also a full one's, if only one server has such a
    name. A port counts if it is given. The hosts of a ``cluster`` are one server, of which any member will do. Several exchanges are one
    stored message each. A host that no server has is a warning, once; if no host is known, all servers get the messages. With
    ``configure(strict=True)`` it is a ``SpoolError``. Users, passwords and virtual hosts are the agent's: they are accepted and not kept.
    """
    del password
    members = [_member(each, user, exchange, vhost, port) for each in (host,) + hosts]
    _client.connect_all([ClusteredConnection(members)] if cluster else list(members))


def _member(host: str, user: Optional[str], exchange: Optional[str], vhost: Optional[str], port: Optional[int]) -> AmqpConnection:
    if isinstance(host, str) and "://" in host:
        named = AmqpConnection.from_uri(host)
        return AmqpConnection(named.host, user or named.user, None, exchange, vhost or named.vhost, port or named.named_port)
    return AmqpConnection(host, user, None, exchange, vhost, port)


def status() -> Dict[str, ConnectionStatus]:
    """The agent's connections to the servers that were chosen: ``{"mq1": CONNECTED, "mq2": RECONNECTING}``."""
    return _client.connections


def publish(message: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> Dict[str, DeliveryStatus]:
    """Stores the message durably for the servers that were chosen, all of them unless any was, and says what became of it at each."""
    return _client.publish(message, route_key=route_key, exchange=exchange)


def disconnect() -> None:
    """Forgets what was connected; what was published stays in the spool and is delivered."""
    _client.disconnect()
