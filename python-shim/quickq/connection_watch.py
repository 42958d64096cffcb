"""The agent's connections as a producer sees them, and the functions that are called when they change."""

import re
import time

from .log import listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

    Observer = Callable[[str, str], None]

_WORDS = {"connected": "CONNECTED", "reconnecting": "RECONNECTING", "blocked": "RECONNECTING"}
_TEXTS = {"CONNECTED": "established", "RECONNECTING": "reconnecting", "DISCONNECTED": "disconnected"}
_REFUSED = re.compile(r"refused (?:the )?user|login refused|no access to vhost|has no vhost")
_EVERY = 1.0  # seconds between two looks

#: Called with the server and its new state at each change, in any spool of this process.
observers = []  # type: List[Observer]


class ConnectionWatch:
    """Remembers the last state of each connection of one spool, and reports what changed."""

    def __init__(self) -> None:
        #: The active servers as the service described them at the last look; None before it.
        self.servers = None  # type: Optional[List[Dict[str, Any]]]
        self._last = {}  # type: Dict[str, str]
        self._troubles = set()  # type: Set[Tuple[str, Optional[str]]]
        self._next = 0.0
        self._warned = False

    def is_due(self) -> bool:
        """True at most once a second: then a call that does something else asks for the connections too."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _EVERY
        return True

    def look(self, answer: "Any", path: str) -> None:
        """What a publish sees of the connections: it warns once when no agent runs and no server is known."""
        self.compare(answer)
        if not self._warned and not answer.get("servers") and not answer.get("agent", {}).get("running"):
            self._warned = True
            log = listener()
            if log is not None:
                log.warning("no agent runs on the spool %s, and it knows no server: messages are kept until one does", path)

    def compare(self, answer: "Any") -> "Dict[str, str]":
        """The states in words for users; reports the changes since the last call. Without an agent every server is disconnected."""
        runs = answer.get("agent", {}).get("running")
        self.servers = servers = [server for server in answer.get("servers", []) if server["active"]]
        now = {server["name"]: _WORDS.get(server["connection"], "DISCONNECTED") if runs else "DISCONNECTED" for server in servers}
        before, self._last = self._last, now
        for name, state in now.items():
            if before.get(name) != state:
                log = listener()
                if log is not None:
                    log.info("connection to %s: %s", name, _TEXTS[state])
                _tell(name, state)
        if runs:
            self._warn(servers)
        return now

    def _warn(self, servers: "List[Dict[str, Any]]") -> None:
        """Logs what a person must put right, once for as long as it lasts."""
        troubles = dict([trouble for server in servers for trouble in _troubles_of(server)])
        before, self._troubles = self._troubles, set(troubles)
        for trouble, text in troubles.items():
            log = listener()
            if trouble not in before and log is not None:
                log.warning("%s: %s; its messages wait in the spool", trouble[0], text)


def is_wanted() -> bool:
    """Whether anybody would notice a change."""
    log = listener()
    return bool(observers) or (log is not None and log.isEnabledFor(20))


def _troubles_of(server: "Dict[str, Any]") -> "Iterator[Tuple[Tuple[str, Optional[str]], str]]":
    """What time does not heal: a refused login, and exchanges that are suspended."""
    reason = server.get("lastError")
    if server["connection"] == "reconnecting" and reason and _REFUSED.search(reason):
        yield (server["name"], None), "the login is refused: {}".format(reason)
    for suspended in server.get("suspensions") or ():
        if not suspended.get("key"):  # a routing key in trouble holds up nobody else's messages
            yield (server["name"], suspended["exchange"]), "the exchange '{}' is suspended: {}".format(suspended["exchange"], suspended["reason"])


def _tell(name: str, state: str) -> None:
    for observer in list(observers):
        try:
            observer(name, state)
        except Exception:
            log = listener()
            if log is not None:
                log.exception("a function given to on_connection_change failed for %s", name)
