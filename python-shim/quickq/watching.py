"""The agent's connections as a producer sees them, and who wants to hear of their changes."""

import sqlite3
from typing import Callable, Dict, List, Tuple

from .notices import log

Observer = Callable[[str, str], None]

_WORDS = {"connected": "CONNECTED", "reconnecting": "RECONNECTING", "blocked": "RECONNECTING"}
_TEXTS = {"CONNECTED": "established", "RECONNECTING": "reconnecting", "DISCONNECTED": "disconnected"}

#: Called with the server and its new state at each change, in any spool of this process.
observers = []  # type: List[Observer]


class ConnectionWatch:
    """Remembers the last state of each connection of one spool, and reports what changed."""

    def __init__(self) -> None:
        self._last = {}  # type: Dict[str, str]

    def read(self, cursor: sqlite3.Cursor) -> List[Tuple[str, str]]:
        """Name and stored state of every active server."""
        return cursor.execute("SELECT name, connection FROM server WHERE active = 1 ORDER BY name").fetchall()

    def compare(self, seen: object, agent_runs: bool) -> Dict[str, str]:
        """The states in words for users; reports the changes since the last call. When no agent runs every server is disconnected."""
        assert isinstance(seen, list)
        now = {name: _WORDS.get(state, "DISCONNECTED") if agent_runs else "DISCONNECTED" for name, state in seen}
        before, self._last = self._last, now
        for name, state in now.items():
            if before.get(name) != state:
                log().info("connection to %s: %s", name, _TEXTS[state])
                _tell(name, state)
        return now


def _tell(name: str, state: str) -> None:
    for observer in list(observers):
        try:
            observer(name, state)
        except Exception:
            # What the program does with the news must not look like a failed publish: the message is stored.
            log().exception("a function given to on_connection_change failed for %s", name)
