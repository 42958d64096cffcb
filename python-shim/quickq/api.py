"""The functions of QuickMQ's ``ssec_amqp.api`` on the spool: a script changes one import and loses nothing any more.

>>> import os, tempfile
>>> folder = tempfile.TemporaryDirectory()
>>> os.environ["QUICKQ_SPOOL"] = os.path.join(folder.name, "spool.db")   # for this example only
>>> import quickq.api as mq                    # was: import ssec_amqp.api as mq
>>> mq.connect("mq1", "mq2", user="oper", password="secret", exchange="satellite")
>>> mq.publish({"msg": "hi"}, route_key="my.topic")   # with an agent: {'mq1': DELIVERED, 'mq2': PENDING}
{}
>>> mq.status()                                # with an agent: {'mq1': CONNECTED, 'mq2': RECONNECTING}
{}
>>> mq.disconnect()
>>> import quickq; quickq.close()
>>> folder.cleanup()
>>> del os.environ["QUICKQ_SPOOL"]

The agent has the servers, users and passwords: what ``connect`` is given of them is accepted and forgotten. The keys of the
dictionaries are the names of the agent's servers. What QuickMQ dropped while a server was away is ``PENDING`` here: it is on
disk, and delivered when the server is back.
"""

import enum
from typing import Any, Dict, List, Optional

from . import _spool
from .errors import SpoolError
from .quickmq import (
    AmqpConnection, AMQPConnectionError, AmqpExchange, ClusteredConnection, Connection, StateError, URIFormatError, one_exchange)

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
    """QuickMQ's client on the spool: remembers its connections for the exchange that they name, nothing else."""

    def __init__(self, max_reconnect_time: Optional[float] = None, time_between_reconnects: Optional[float] = None,
                 name: Optional[str] = None) -> None:
        self.reconnect_window = max_reconnect_time or _FOR_EVER
        self.reconnect_interval = time_between_reconnects or _INTERVAL
        self.confirm_wait = CONFIRM_WAIT
        self._name = name or str(id(self))
        self._connected = []  # type: List[Connection]

    @property
    def name(self) -> str:
        """The name that it was given, for logs."""
        return self._name

    @property
    def connections(self) -> Dict[str, ConnectionStatus]:
        """The agent's connections by the names of its servers; none while there is no spool yet."""
        try:
            return {server: ConnectionStatus(state) for server, state in _spool().connections().items()}
        except SpoolError as failure:
            if failure.fault == "NotFound":
                return {}  # a script of QuickMQ looks at its connections before it publishes
            raise

    def connect(self, exchange: Connection) -> None:
        """Notes the exchange of later publishes that name none. Two different ones are a ``ValueError``."""
        if exchange in self._connected:
            return
        one_exchange([known.named_exchange for known in self._connected] + [exchange.named_exchange])
        exchange.connect()
        self._connected.append(exchange)

    def publish(self, message: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> Dict[str, DeliveryStatus]:
        """Stores the message, waits shortly for the connected servers, and says what became of it at each server."""
        if not exchange:
            named = one_exchange([known.named_exchange for known in self._connected])
            exchange = exchange if named is None else named
        states = _spool().publish_and_wait(message, route_key, exchange, self.confirm_wait)
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


_client = AmqpClient(name="API_CLIENT")


def configure(reconnect_window: Optional[float] = None, reconnect_interval: Optional[float] = None,
              confirm_wait: Optional[float] = None) -> None:
    """``confirm_wait``: how many seconds ``publish`` waits for connected servers, 0.25 unless set. The agent reconnects by
    itself and for ever: the other two are accepted and have no meaning."""
    _client.reconnect_window = reconnect_window or _FOR_EVER
    _client.reconnect_interval = reconnect_interval or _INTERVAL
    if confirm_wait is not None:
        if not confirm_wait >= 0:
            raise ValueError("confirm_wait must be a number of seconds, 0 or more")
        _client.confirm_wait = confirm_wait


def connect(host: str, *hosts: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
            port: Optional[int] = None, vhost: Optional[str] = None, cluster: bool = False) -> None:
    """Notes ``exchange`` for later publishes that name none; the rest is the agent's business and not kept."""
    del host, hosts, user, password, port, vhost, cluster
    _client.connect(AmqpConnection("", exchange=exchange))


def status() -> Dict[str, ConnectionStatus]:
    """The agent's connections: ``{"mq1": CONNECTED, "mq2": RECONNECTING}``."""
    return _client.connections


def publish(message: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> Dict[str, DeliveryStatus]:
    """Stores the message durably for every server of the agent, and says what became of it at each."""
    return _client.publish(message, route_key=route_key, exchange=exchange)


def disconnect() -> None:
    """Forgets the exchange; what was published stays in the spool and is delivered."""
    _client.disconnect()
