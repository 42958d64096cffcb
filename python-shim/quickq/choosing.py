"""Which servers of the agent the connections of a QuickMQ script mean: ``connect(host)`` sends to that host and to no other.

>>> known = [{"name": "mq1", "hosts": ["mq1.ssec.wisc.edu:5672"]}, {"name": "cspp", "hosts": ["csppdelta", "csppalpha:5673"]}]
>>> [matching(host, port, known) for host, port in (("MQ1.", None), ("mq1", 5673), ("csppalpha", 5673), ("mq9", None))]
[['mq1'], [], ['cspp'], []]
"""

import re

from .errors import SpoolError
from .log import listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

    from .amqp import BaseConnection
    from .spool import Spool

    Server = Dict[str, Any]
    #: An exchange (None: each server's own) and the names of the servers that get a message for it (None: all).
    Group = Tuple[Optional[str], Optional[List[str]]]

_PLACE = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?\Z")
_ADDRESS = re.compile(r"[0-9.]+\Z|.*:")


class Choice:
    """What one publish stores: a message for each of ``groups``. ``servers``: who gets them (None: all). ``unknown``: hosts that no server has."""

    def __init__(self, groups: "List[Group]", servers: "Optional[List[str]]", unknown: "Sequence[str]" = ()) -> None:
        self.groups = groups
        self.servers = servers
        self.unknown = unknown


def choose(connections: "Sequence[BaseConnection]", known: "Sequence[Server]", exchange: "Optional[str]" = None) -> Choice:
    """The servers that the connections mean, each with the exchange that its connection names, or with ``exchange`` if that is given.

    If no server is meant, all of them get a message for each exchange that is named.
    """
    groups = {}  # type: Dict[Optional[str], List[str]]
    servers, unknown = [], []  # type: List[str], List[str]
    for connection in connections:
        names, own = _meant(connection, known)
        if not names:
            unknown.append(connection.place)
            continue
        for list_of in (groups.setdefault(exchange or own, []), servers):
            list_of += [name for name in names if name not in list_of]
    if servers:
        return Choice([(named, names) for named, names in groups.items()], servers, unknown)
    named = [connection.named_exchange for connection in connections if connection.named_exchange is not None]  # type: List[Optional[str]]
    wanted = named if named and not exchange else [exchange]
    return Choice([(each, None) for at, each in enumerate(wanted) if each not in wanted[:at]], None, unknown)


def choose_known(spool: "Spool", connections: "Sequence[BaseConnection]", exchange: "Optional[str]", strict: bool, told: "Set[str]",
                 again: bool = False) -> Choice:
    """``choose`` among the servers that the agent has now. A host that no server has is a warning, once, and once more where all servers get the messages from then on, or an error if ``strict``."""
    if not connections:
        return choose((), (), exchange)
    known = spool.known_servers(again)
    choice = choose(connections, known, exchange)
    if choice.unknown and strict:
        raise SpoolError("NotFound", _unknown(choice.unknown[0], known), _servers(known), spool.path)
    for host in choice.unknown if known else ():
        log = listener()
        news = {host} if choice.servers else {host, host + ": all"}  # once more where all servers get them from now on
        if log is not None and news - told:
            told |= news
            log.warning("%s: %s; %s", _unknown(host, known), "it gets no messages" if choice.servers else "all servers get the messages", _servers(known))
    return choice


def matching(host: str, port: "Optional[int]", known: "Sequence[Server]") -> "List[str]":
    """The servers whose name or host this is. A short name is also a full one's first word, where that is so of one server only."""
    wanted = _plain(host)
    exact = [server["name"] for server in known if any([_plain(place) == wanted and port in (None, at or port) for place, at in _places(server)])]
    if exact:
        return exact
    near = [server["name"] for server in known if any([_is_near(wanted, place) and port in (None, at or port) for place, at in _places(server, wanted)])]
    return near if len(near) == 1 else []


def _meant(connection: "BaseConnection", known: "Sequence[Server]") -> "Tuple[List[str], Optional[str]]":
    """The servers that a connection means, and its exchange. Of a cluster any one member will do: the first that is known."""
    for member in connection.members:
        names = matching(member.host, member.named_port, known)
        if names:
            return names, connection.named_exchange if member.named_exchange is None else member.named_exchange
    return [], connection.named_exchange


def _places(server: "Server", wanted: str = "") -> "List[Tuple[str, Optional[int]]]":
    """Hosts and ports of a server, and its name with each port. The name is no short form where a host says what it is short for."""
    hosts = [(found.group(1), int(found.group(2)) if found.group(2) else None) for found in map(_PLACE.match, server.get("hosts") or ()) if found]
    if "." in wanted and any(["." in host and not _ADDRESS.match(host) for host, _ in hosts]):
        return hosts
    return hosts + [(server["name"], port) for port in ([port for _, port in hosts] or [None])]


def _is_near(one: str, other: str) -> bool:
    other = _plain(other)
    short, full = sorted((one, other), key=len)
    return "." not in short and full.startswith(short + ".") and not _ADDRESS.match(full)


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _unknown(host: str, known: "Sequence[Server]") -> str:
    return "no server of the agent has the host '{}'".format(host) if known else "'{}' is not known: the spool knows no server yet".format(host)


def _servers(known: "Sequence[Server]") -> str:
    if not known:
        return "start the agent: its configuration names the servers"
    return "the servers are: {}".format(", ".join([
        "{} ({})".format(server["name"], ", ".join(server["hosts"])) if server.get("hosts") else str(server["name"]) for server in known]))
