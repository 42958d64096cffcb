"""Appends messages. What it returns from is durable: committed with ``synchronous=FULL``, safe from a power cut."""

import os
import sqlite3
import time
from typing import List, Tuple

from . import checkpoint, lock, paths
from .watching import ConnectionWatch
from .database import SpoolFile
from .errors import InvalidMessage
from .limits import Limits
from .messages import BoundRow, Row, bind, check_size, content_of
from .notices import log

_INSERT = (
    "INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_LOOK_EVERY = 1.0  # seconds between two looks at the agent and the servers


class Appender:
    """The writing side of one spool in one process; threads take turns in ``SpoolFile``."""

    def __init__(self, file: SpoolFile, watch: ConnectionWatch) -> None:
        self._file = file
        self._watch = watch
        self._limits = Limits(file.path)
        self._next_look = 0.0
        self._log_limit = checkpoint.LARGEST_LOG
        self._told_about_agent = False

    def append(self, rows: List[Row]) -> List[str]:
        """Appends the messages in their order in one transaction: all or none. Returns their ids when they are durable."""
        if not rows:
            return []
        bound = bind(rows)
        sizes = [len(row.body) for row in rows]
        chosen = any([row.message_id for row in rows])
        look = time.monotonic() >= self._next_look

        def transaction(cursor: sqlite3.Cursor) -> Tuple[int, object]:
            self._limits.read(cursor)
            check_size(max(sizes), self._limits.max_message_size)
            log_size = self._limits.require_room(cursor, sum(sizes))
            if chosen:
                self._insert_new(cursor, bound, rows)
            elif len(bound) == 1:
                cursor.execute(_INSERT, bound[0])
            else:
                cursor.executemany(_INSERT, bound)
            return log_size, self._watch.read(cursor) if look else None

        log_size, seen = self._file.write(transaction)
        if look:
            self._next_look = time.monotonic() + _LOOK_EVERY
            try:
                self._look(seen)
            except OSError as failure:
                # The message is stored: a trouble with looking around must not read as a publish that failed.
                log().warning("cannot look for the agent of the spool %s: %s", self._file.path, failure)
        if log_size > self._log_limit:
            checkpoint.run_if_needed(self._file)
            self._limits.look_again()
        return [row[0] for row in bound]

    def _insert_new(self, cursor: sqlite3.Cursor, bound: List[BoundRow], rows: List[Row]) -> None:
        """Stores what is not there yet; an id that is there with other content is refused."""
        for row, given in zip(bound, rows):
            if given.message_id is None or not self._is_stored(cursor, row):
                cursor.execute(_INSERT, row)

    def _is_stored(self, cursor: sqlite3.Cursor, row: BoundRow) -> bool:
        message_id, exchange, routing_key, properties, _, _, body = row
        found = cursor.execute("SELECT exchange, routing_key, properties, body FROM message WHERE id = ?", (message_id,)).fetchone()
        if found is None:
            return False
        if (found[0], found[1], found[3]) == (exchange, routing_key, body) and content_of(found[2]) == content_of(properties):
            return True
        raise InvalidMessage(
            "IdConflict", "a message with the id {} and other content is already in the spool".format(message_id),
            "give each message an id of its own, or leave the id out")

    def _look(self, seen: object) -> None:
        """What need not happen at each append: news of the agent and its connections."""
        agent = lock.find_agent(self._file.path)
        self._watch.compare(seen, agent is not None)
        self._log_limit = checkpoint.limit(self._file)
        if agent is None and not self._told_about_agent:
            self._told_about_agent = True
            if not os.path.exists(paths.agent_file(self._file.path)):
                log().warning("no agent has ever run on the spool %s: messages are kept until one does", self._file.path)
