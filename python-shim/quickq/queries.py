"""What became of messages and connections, as the service answers it."""

import time

from .connection_watch import is_wanted
from .errors import QuickqError, SpoolBusy, SpoolError
from .link import WORDS, json_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence, Tuple

    from .client import Client
    from .connection_watch import ConnectionWatch
    from .link import Answer

_BY_WEIGHT = ("REJECTED", "DROPPED", "PENDING", "DELIVERED")
_MOST_IDS = 1000  # in one request
_LOOK_EVERY = 1.0  # seconds between two looks at the connections, for a program that wants to know of them


def connections(client: "Client", watch: "ConnectionWatch") -> "Dict[str, str]":
    """The connection to each active server."""
    return watch.compare(_ask(client, json_frame(b"c", {})))


def known_servers(client: "Client", watch: "ConnectionWatch", again: bool) -> "List[Dict[str, Any]]":
    """The active servers, as the last look found them if that is less than a second ago."""
    if watch.is_due() or again or watch.servers is None:
        watch.look(_ask(client, json_frame(b"c", {})), client.path)
    return watch.servers or []


def details(client: "Client", message_id: str) -> "Dict[str, Any]":
    """Everything about a message. Raises ``SpoolError`` for an unknown id."""
    return _known(client, message_id, _ask(client, _status_frame(message_id)))


def status(client: "Client", message_id: str, servers: "Sequence[str]") -> "Dict[str, str]":
    """The state at each active server, or at those that are named. A name that no server has is a ``SpoolError``."""
    if not servers:
        return states_of(details(client, message_id))
    found, known = _ask_all(client, [_status_frame(message_id), json_frame(b"c", {})])
    names = [server["name"] for server in known["servers"]]
    for name in servers:
        if name not in names:
            raise SpoolError(
                "NotFound", "there is no server '{}'".format(name),
                "the servers are: {}".format(", ".join(names)) if names else "start the agent: its configuration names the servers", client.path)
    return {
        delivery["server"]: WORDS[delivery["state"]]
        for delivery in _known(client, message_id, found)["deliveries"] if delivery["server"] in servers
    }


def states_of(message: "Dict[str, Any]") -> "Dict[str, str]":
    """The state of a message at each active server, and at those that its producer named."""
    named = message.get("servers") or ()
    return {
        delivery["server"]: WORDS[delivery["state"]]
        for delivery in message["deliveries"] if delivery.get("active", True) or delivery["server"] in named
    }


def merged(states: "Sequence[Dict[str, str]]") -> "Dict[str, str]":
    """Of several messages: at each server the state that matters most to the script that published them.

    >>> merged([{"mq1": "DELIVERED", "mq2": "DELIVERED"}, {"mq1": "PENDING"}])
    {'mq1': 'PENDING', 'mq2': 'DELIVERED'}
    """
    if len(states) == 1:
        return states[0]
    servers = sorted({server for each in states for server in each})
    return {server: min([each[server] for each in states if server in each], key=_BY_WEIGHT.index) for server in servers}


def wait(client: "Client", watch: "ConnectionWatch", message_ids: "Sequence[str]", servers: "Sequence[str]", timeout: "Optional[float]") -> str:
    """``delivered``, ``never``, or ``waiting`` when the time is over. Sees connections change meanwhile, if anybody wants to know."""
    end = None if timeout is None else time.monotonic() + timeout
    for first in range(0, len(message_ids), _MOST_IDS):
        outcome = _wait_for_part(client, watch, message_ids[first:first + _MOST_IDS], servers, end)
        if outcome != "delivered":
            return outcome
    return "delivered"


def _wait_for_part(client: "Client", watch: "ConnectionWatch", message_ids: "Sequence[str]", servers: "Sequence[str]", end: "Optional[float]") -> str:
    looks = is_wanted()

    def make() -> "Tuple[List[bytes], Optional[float]]":
        rest = None if end is None else max(0.0, end - time.monotonic())
        part = rest if not looks else _LOOK_EVERY if rest is None else min(rest, _LOOK_EVERY)
        request = json_frame(b"w", {"ids": list(message_ids), "servers": list(servers) or None, "timeout": part})
        return [request] + looking, part

    looking = [json_frame(b"c", {})] if looks else []
    while True:
        answers = _all_of(client, client.ask_for(make), 1 + len(looking))
        if looks:
            watch.compare(answers[1])
        outcome = str(answers[0]["outcome"])
        if outcome != "waiting" or (end is not None and time.monotonic() >= end):
            return outcome


def _status_frame(message_id: str) -> bytes:
    return json_frame(b"s", {"ids": [message_id]})


def _known(client: "Client", message_id: str, answer: "Dict[str, Any]") -> "Dict[str, Any]":
    message = answer["messages"][0]
    if message is None:
        raise SpoolError(
            "NotFound", "there is no message {} in the spool {}".format(message_id, client.path),
            "a message is removed some time after its delivery (retention); was it stored in another spool?", client.path)
    assert isinstance(message, dict)
    return message


def _ask(client: "Client", request: bytes) -> "Dict[str, Any]":
    return _ask_all(client, [request])[0]


def _ask_all(client: "Client", requests: "List[bytes]") -> "List[Dict[str, Any]]":
    return _all_of(client, client.ask(requests), len(requests))


def _all_of(client: "Client", answers: "List[Answer]", wanted: int) -> "List[Dict[str, Any]]":
    found = []  # type: List[Dict[str, Any]]
    for answer in answers:
        if isinstance(answer, QuickqError):
            raise answer
        found.append(answer)
    if len(found) < wanted:
        raise SpoolBusy("Busy", "the spool service of {} ended while it was asked".format(client.path), "try again", client.path)
    return found
