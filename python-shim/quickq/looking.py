"""What became of messages: reads only, works while the agent runs and while it does not."""

import sqlite3
import time
from typing import Dict, List, Optional, Sequence, Tuple

from . import database
from .errors import SpoolError, spool_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .spool import Spool

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.05
_LOOK_ANYWAY_AFTER = 1.0

_WORDS = {
    "delivered": "DELIVERED", "pending": "PENDING", "deferred": "PENDING", "held": "PENDING",
    "rejected": "REJECTED", "expired": "DROPPED", "cancelled": "DROPPED",
}

#: server, active, state, attempts, next attempt, settled, endpoint, reason
Delivery = Tuple[str, int, str, int, Optional[int], Optional[int], Optional[str], Optional[str]]


def deliveries(file: "database.SpoolFile", message_id: str) -> List[Delivery]:
    """One row for each server that the message is for. Raises ``SpoolError`` for an unknown id."""
    def read(cursor: sqlite3.Cursor) -> List[Delivery]:
        found = cursor.execute("SELECT seq FROM message WHERE id = ?", (message_id,)).fetchone()
        if found is None:
            raise spool_error(
                "NotFound", file.path, "there is no message {} in the spool {}".format(message_id, file.path),
                "it is forgotten some time after its delivery (retention), or was stored in another spool")
        return cursor.execute(
            "SELECT s.name, s.active, d.state, d.attempts, d.next_attempt_at, d.settled_at, d.endpoint, d.reason"
            " FROM delivery AS d JOIN server AS s ON s.id = d.server WHERE d.message = ? ORDER BY s.name", found).fetchall()
    return file.read(read)


def status(file: "database.SpoolFile", message_id: str, servers: Sequence[str]) -> Dict[str, str]:
    """The state at each active server, or at those that are named. A name that no server has is a ``SpoolError``."""
    if servers:
        _require_known(file, servers)
    return {
        row[0]: _WORDS[row[2]] for row in deliveries(file, message_id)
        if (row[0] in servers if servers else row[1])
    }


def wait_for(spool: "Spool", message_id: str, seconds: float) -> Dict[str, str]:
    """The states once no connected server still has to answer, after ``seconds`` at the latest. Costs no wait without an agent."""
    file = spool.open_file()
    states = status(file, message_id, ())
    if "PENDING" not in states.values() or seconds <= 0:
        return states
    connected = [server for server, state in spool.connections().items() if state == "CONNECTED"]
    end = time.monotonic() + seconds
    version = None
    while any(states.get(server) == "PENDING" for server in connected) and time.monotonic() < end:
        # SQLite tells other processes of a commit by data_version only, which has to be asked for.
        time.sleep(max(0.0, min(_FIRST_PAUSE, end - time.monotonic())))  # between two looks: no signal crosses from the agent
        changed = file.read(_data_version)
        if changed != version:
            version, states = changed, _states_now(file, message_id, states)
    return _states_now(file, message_id, states)


def wait(spool: "Spool", message_ids: Sequence[str], servers: Sequence[str], timeout: Optional[float]) -> bool:
    """True when every server has them all; False when one never will, or at the timeout. Sees connections change meanwhile."""
    end = None if timeout is None else time.monotonic() + timeout
    open_ids = list(message_ids)
    version, looked_at, pause = None, 0.0, _FIRST_PAUSE
    while True:
        now = time.monotonic()
        file = spool.open_file()
        changed = file.read(_data_version)
        if changed != version or now - looked_at > _LOOK_ANYWAY_AFTER:
            version, looked_at, pause = changed, now, _FIRST_PAUSE
            spool.connections()
            for message_id in list(open_ids):
                states = set(status(file, message_id, servers).values())
                if states & {"REJECTED", "DROPPED"}:
                    return False
                if states == {"DELIVERED"}:
                    open_ids.remove(message_id)
            if not open_ids:
                return True
        if end is not None and time.monotonic() >= end:
            return False
        # As above: asked for, at growing intervals.
        time.sleep(pause if end is None else max(0.0, min(pause, end - time.monotonic())))  # between two looks, growing
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _states_now(file: "database.SpoolFile", message_id: str, before: Dict[str, str]) -> Dict[str, str]:
    try:
        return status(file, message_id, ())
    except SpoolError as failure:
        if failure.fault == "NotFound":
            return before  # settled everywhere and removed already: where retention is that short nobody can tell any more
        raise


def _require_known(file: "database.SpoolFile", servers: Sequence[str]) -> None:
    known = [name for name, in file.read(lambda cursor: cursor.execute("SELECT name FROM server ORDER BY name").fetchall())]
    for name in servers:
        if name not in known:
            raise spool_error(
                "NotFound", file.path, "there is no server {} in the spool {}".format(name, file.path),
                "the agent's configuration names them: {}".format(", ".join(known)) if known else "start the agent: its configuration names them")


def _data_version(cursor: sqlite3.Cursor) -> object:
    # Changes with every commit of another connection, and costs a microsecond.
    return cursor.execute("PRAGMA data_version").fetchone()
