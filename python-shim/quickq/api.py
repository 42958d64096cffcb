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
from typing import Any, Dict, Iterable, List, Optional, Sequence, Union

from . import _spool
from .looking import wait_for

__all__ = [
    "AmqpClient", "AmqpConnection", "ClusteredConnection", "ConnectionStatus", "DeliveryStatus",
    "configure", "connect", "disconnect", "publish", "status",
]

#: Seconds that ``publish`` waits for the servers that are connected, so that scripts which test for DELIVERED go on working.
CONFIRM_WAIT = 0.25


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


class AmqpConnection:
    """One server as QuickMQ's class of this name. Only its exchange has a meaning here; user and password are not kept."""

    def __init__(self, host: str, user: Optional[str] = None, password: Optional[str] = None, exchange: Optional[str] = None,
                 vhost: Optional[str] = None, port: Optional[int] = None) -> None:
        del host, user, password, vhost, port
        self.exchange = exchange


class ClusteredConnection:
    """Several members of one cluster, of which any one will do."""

    def __init__(self, connections: Iterable[AmqpConnection]) -> None:
        self.connections = list(connections)
        if not self.connections:
            raise ValueError("a cluster needs at least one connection")

    @property
    def exchange(self) -> Optional[str]:
        """The exchange that its members name."""
        return _one_exchange([member.exchange for member in self.connections])


class AmqpClient:
    """QuickMQ's client on the spool: remembers the exchange of its connections, nothing else."""

    def __init__(self, max_reconnect_time: Optional[float] = None, time_between_reconnects: Optional[float] = None,
                 name: Optional[str] = None) -> None:
        self.reconnect_window = max_reconnect_time
        self.reconnect_interval = time_between_reconnects
        self.confirm_wait = CONFIRM_WAIT
        self.name = name or str(id(self))
        self._connected = []  # type: List[Union[AmqpConnection, ClusteredConnection]]

    @property
    def connections(self) -> Dict[str, ConnectionStatus]:
        """The agent's connections by the names of its servers."""
        return {server: ConnectionStatus(state) for server, state in _spool().connections().items()}

    def connect(self, exchange: Union[AmqpConnection, ClusteredConnection]) -> None:
        """Notes the exchange of later publishes that name none. Two different ones are a ``ValueError``."""
        _one_exchange([known.exchange for known in self._connected] + [exchange.exchange])
        self._connected.append(exchange)

    def publish(self, message: Any, route_key: Optional[str] = None, exchange: Optional[str] = None) -> Dict[str, DeliveryStatus]:
        """Stores the message, waits shortly for the connected servers, and says what became of it at each server."""
        if exchange is None:
            exchange = _one_exchange([known.exchange for known in self._connected])
        spool = _spool()
        message_id = spool.publish(message, route_key, exchange)
        states = wait_for(spool, message_id, self.confirm_wait)
        return {server: DeliveryStatus(state) for server, state in states.items()}

    def disconnect(self, exchange: Union[None, AmqpConnection, ClusteredConnection] = None) -> None:
        """Forgets one connection, or all; what was published stays in the spool and is delivered."""
        if exchange is None:
            self._connected.clear()
        elif exchange in self._connected:
            self._connected.remove(exchange)
        else:
            raise ValueError("not connected to this")

    def __repr__(self) -> str:
        return "AmqpClient<{}>".format(self.name)


_client = AmqpClient(name="API_CLIENT")


def configure(reconnect_window: Optional[float] = None, reconnect_interval: Optional[float] = None,
              confirm_wait: Optional[float] = None) -> None:
    """``confirm_wait``: how many seconds ``publish`` waits for connected servers, 0.25 unless set. The agent reconnects by
    itself and for ever: the other two are accepted and have no meaning."""
    _client.reconnect_window = reconnect_window
    _client.reconnect_interval = reconnect_interval
    if confirm_wait is not None:
        if confirm_wait < 0:
            raise ValueError("confirm_wait must not be negative")
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


def _one_exchange(named: Sequence[Optional[str]]) -> Optional[str]:
    different = sorted({exchange for exchange in named if exchange is not None})
    if len(different) > 1:
        raise ValueError(
            "two exchanges are named, {}: every message goes to all servers; give the exchange to publish() instead".format(
                " and ".join(repr(exchange) for exchange in different)))
    return different[0] if different else None
