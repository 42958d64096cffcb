"""The class behind the functions of ``quickq``: one spool, safe to share between threads and across ``fork()``.

Light to import: what needs JSON or a socket is imported at the first use.
"""

import os

from . import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union

    from .choosing import Group
    from .client import Client
    from .connection_watch import ConnectionWatch
    from .messages import Header, Prepared, Ttl


class Message:
    """One message of ``publish_many`` that needs more than its payload.

    >>> Message({"band": "8"}, route_key="geo.goes").route_key
    'geo.goes'
    """

    def __init__(self, payload: "Any", route_key: "Optional[str]" = "", exchange: "Optional[str]" = None, *,
                 servers: "Optional[Iterable[str]]" = None, headers: "Optional[Mapping[str, Header]]" = None, content_type: "Optional[str]" = None, ttl: "Ttl" = None,
                 priority: "Optional[int]" = None, message_id: "Optional[str]" = None, transient: bool = False,
                 routing_key: "Optional[str]" = None) -> None:
        self.payload = payload
        self.route_key = route_key
        self.exchange = exchange
        self.servers = servers
        self.headers = headers
        self.content_type = content_type
        self.ttl = ttl
        self.priority = priority
        self.message_id = message_id
        self.transient = transient
        self.routing_key = routing_key


class Spool:
    """The spool at ``path``; without one that of ``QUICKQ_SOCKET`` or ``QUICKQ_SPOOL``, else ``/var/lib/quickq/spool.db``.

    A publish makes the spool if there is none (its folder must exist).

    >>> import os, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Spool(os.path.join(folder.name, "spool.db")) as spool:
    ...     mid = spool.publish({"satellite_ID": "G16"}, route_key="geo.goes.g16")
    ...     spool.status(mid)
    {}
    >>> folder.cleanup()
    """

    def __init__(self, path: "Optional[str]" = None) -> None:
        self.path = address.resolve(path)
        self._socket = os.environ.get(address.SOCKET_VARIABLE)
        self._given = path is not None
        self._used = None  # type: Optional[_Used]

    def publish(self, message: "Any", route_key: "Optional[str]" = "", exchange: "Optional[str]" = None, *,
                servers: "Optional[Iterable[str]]" = None, headers: "Optional[Mapping[str, Header]]" = None,
                content_type: "Optional[str]" = None, ttl: "Ttl" = None, priority: "Optional[int]" = None,
                message_id: "Optional[str]" = None, transient: bool = False, routing_key: "Optional[str]" = None) -> str:
        """Stores one message durably for every server of the agent, or those named, and returns its id. See ``quickq.publish``."""
        from . import messages, writer

        prepared = messages.prepare(
            message, route_key, exchange, headers, content_type, ttl, priority, message_id, transient, routing_key, servers)
        used = self._use()
        return writer.add(used.client, used.watch, [prepared])[0]

    def publish_many(self, messages: "Iterable[Any]", route_key: "Union[None, str, Callable[[Any], str]]" = "",
                     exchange: "Optional[str]" = None, *, servers: "Optional[Iterable[str]]" = None,
                     headers: "Optional[Mapping[str, Header]]" = None, content_type: "Optional[str]" = None, ttl: "Ttl" = None,
                     priority: "Optional[int]" = None, transient: bool = False,
                     routing_key: "Union[None, str, Callable[[Any], str]]" = None) -> "List[str]":
        """Stores many messages in one transaction, all or none, and returns their ids in order. See ``quickq.publish_many``."""
        from . import writer
        from .messages import prepare

        prepared = []  # type: List[Prepared]
        servers = servers if servers is None or isinstance(servers, str) else list(servers)
        for given in messages:
            if isinstance(given, Message):
                prepared.append(prepare(given.payload, given.route_key, given.exchange, given.headers, given.content_type, given.ttl,
                                        given.priority, given.message_id, given.transient, given.routing_key, given.servers))
            else:
                first, second = [key(given) if callable(key) else key for key in (route_key, routing_key)]
                prepared.append(prepare(given, first, exchange, headers, content_type, ttl, priority, None, transient, second, servers))
        used = self._use()
        return writer.add(used.client, used.watch, prepared)

    def status(self, message_id: str, *servers: str) -> "Dict[str, str]":
        """What became of a message: ``{"mq1": "DELIVERED", "mq2": "PENDING"}``. See ``quickq.status``."""
        from . import queries

        return queries.status(self._use().client, message_id, servers)

    def details(self, message_id: str) -> "Dict[str, Any]":
        """Everything about a message, with the reasons. See ``quickq.details``."""
        from . import queries

        return queries.details(self._use().client, message_id)

    def outcome(self, message_id: "Union[str, Iterable[str]]", *servers: str) -> str:
        """``delivered``, ``waiting`` or ``never``. See ``quickq.outcome``."""
        return self._wait(message_id, 0.0, servers)

    def wait(self, message_id: "Union[str, Iterable[str]]", timeout: "Optional[float]" = None, *servers: str) -> bool:
        """Waits until every server has the message, or all of several. See ``quickq.wait``."""
        return self._wait(message_id, timeout, servers) == "delivered"

    def connections(self) -> "Dict[str, str]":
        """The agent's connections: ``{"mq1": "CONNECTED", "mq2": "RECONNECTING"}``. See ``quickq.connections``."""
        from . import queries

        used = self._use()
        return queries.connections(used.client, used.watch)

    def known_servers(self, again: bool = False) -> "List[Dict[str, Any]]":
        """For ``quickq.api``: the agent's servers as the service describes them, at most a second old unless ``again``; none without a spool."""
        from . import queries
        from .errors import SpoolError

        used = self._use()
        try:
            return queries.known_servers(used.client, used.watch, again)
        except SpoolError as failure:
            if failure.fault != "NotFound":
                raise
            return []

    def publish_to(self, message: "Any", route_key: "Optional[str]", groups: "Sequence[Group]") -> "List[str]":
        """For ``quickq.api``: stores a message for each exchange and its servers (None: all), all or none. Returns the ids."""
        from . import writer

        used = self._use()
        return writer.add(used.client, used.watch, _prepare_for(groups, message, route_key))

    def publish_and_wait(self, message: "Any", route_key: "Optional[str]", groups: "Sequence[Group]", seconds: float) -> "Dict[str, str]":
        """For ``quickq.api``: as ``publish_to``, waits up to ``seconds`` for the connected servers, and returns the state at each server."""
        from . import queries, writer
        from .errors import QuickqError, SpoolError

        used = self._use()
        ids, answer = writer.add_and_wait(used.client, used.watch, _prepare_for(groups, message, route_key), seconds)
        if answer is None or isinstance(answer, QuickqError) or None in answer["messages"]:
            try:
                return queries.merged([queries.status(used.client, one, ()) for one in ids])
            except SpoolError:
                return {}  # stored, and delivered and removed already, or the service has just ended: nobody can tell now
        return queries.merged([queries.states_of(one) for one in answer["messages"]])

    def close(self) -> None:
        """Closes the connections that no call uses; a later use opens new ones."""
        if self._used is not None:
            self._used.client.close()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> "Any":
        return _again, (self.path, self._socket, self._given)

    def __repr__(self) -> str:
        return "Spool({!r})".format(self.path)

    def _wait(self, message_id: "Union[str, Iterable[str]]", timeout: "Optional[float]", servers: "Any") -> str:
        from . import queries

        used = self._use()
        return queries.wait(used.client, used.watch, [message_id] if isinstance(message_id, str) else list(message_id), servers, timeout)

    def _use(self) -> "_Used":
        used = self._used
        if used is None:
            used = self._used = _Used(self.path, self._socket, self._given)
        return used


class _Used:
    """What a spool needs once it is used."""

    def __init__(self, path: str, socket: "Optional[str]", given: bool) -> None:
        from .client import Client
        from .connection_watch import ConnectionWatch

        self.client = Client(path, socket, given)  # type: Client
        self.watch = ConnectionWatch()  # type: ConnectionWatch


def _prepare_for(groups: "Sequence[Group]", message: "Any", route_key: "Optional[str]") -> "List[Prepared]":
    from .messages import prepare

    return [prepare(message, route_key, exchange, None, None, None, None, None, False, None, servers) for exchange, servers in groups]


def _again(path: str, socket: "Optional[str]", given: bool) -> Spool:
    """The spool in another process that it was sent to."""
    spool = Spool(path)
    spool._socket, spool._given = socket, given
    return spool
