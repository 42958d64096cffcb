"""The agent's connections as a producer sees them, and the functions that are called when they change."""

import time

from .log import listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    Observer = Callable[[str, str], None]

_WORDS = {"connected": "CONNECTED", "reconnecting": "RECONNECTING", "blocked": "RECONNECTING"}
_TEXTS = {"CONNECTED": "established", "RECONNECTING": "reconnecting", "DISCONNECTED": "disconnected"}
_EVERY = 1.0  # seconds between two looks

#: Called with the server and its new state at each change, in any spool of this process.
observers = []  # type: List[Observer]


class ConnectionWatch:
    """Remembers the last state of each connection of one spool, and reports what changed."""

    def __init__(self) -> None:
        self._last = {}  # type: Dict[str, str]
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
        now = {
            server["name"]: _WORDS.get(server["connection"], "DISCONNECTED") if runs else "DISCONNECTED"
            for server in answer.get("servers", []) if server["active"]
        }
        before, self._last = self._last, now
        for name, state in now.items():
            if before.get(name) != state:
                log = listener()
                if log is not None:
                    log.info("connection to %s: %s", name, _TEXTS[state])
                _tell(name, state)
        return now


def is_wanted() -> bool:
    """Whether anybody would notice a change."""
    log = listener()
    return bool(observers) or (log is not None and log.isEnabledFor(20))


def _tell(name: str, state: str) -> None:
    for observer in list(observers):
        try:
            observer(name, state)
        except Exception:
            log = listener()
            if log is not None:
                log.exception("a function given to on_connection_change failed for %s", name)
