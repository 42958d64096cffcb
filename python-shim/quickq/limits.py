"""The limits that every producer honours, read from the spool in each write transaction."""

import math
import os
import sqlite3
import time
from typing import Dict, List, Tuple

from . import paths, rooms
from .creation import FORMAT
from .errors import spool_error

_MEBIBYTE = 1024 * 1024
_ROOMY_FOR = 0.1  # seconds for which a disk with twice the room that must be left is not looked at again
_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_DEFAULTS = {
    "format": FORMAT, "oldestWriter": 1, "maxSize": 10240 * _MEBIBYTE, "maxMessageSize": 16 * _MEBIBYTE, "minFreeDisk": -1,
    "reserveMissing": 0,
}  # type: Dict[str, int]


class Limits:
    """The settings as they stood at the last reading; parsed again only when they changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._folder = os.path.dirname(path)
        self._log_path = paths.write_ahead_log(path)
        self._values = dict(_DEFAULTS)
        self._page_size = 0
        self._log_size = 0
        self._roomy_until = 0.0
        self._read_from = None  # type: object
        self._read_at = None  # type: object

    def read(self, cursor: sqlite3.Cursor) -> None:
        """Reads the settings, and refuses a spool that this package must not write. Needs the transaction."""
        # Moves with every commit of another connection: while it stands still, what was read in the last transaction is still so.
        data_version = cursor.execute("PRAGMA data_version").fetchone()
        if data_version == self._read_at and cursor is self._read_from:
            return
        self._read_at, self._roomy_until = None, 0.0
        self._values = self._parse(cursor.execute("SELECT name, value FROM setting").fetchall())
        self._page_size = cursor.execute("PRAGMA page_size").fetchone()[0]
        self.require_known_format(cursor)
        self._read_from, self._read_at = cursor, data_version

    def look_again(self) -> None:
        """The room is looked at by the next message whatever was seen last."""
        self._roomy_until = 0.0

    def require_known_format(self, cursor: sqlite3.Cursor) -> None:
        """Refuses a format that is newer than this package, unless the spool says that it may still write."""
        version = cursor.execute("PRAGMA user_version").fetchone()[0]
        if version == FORMAT:
            return
        self._values = self._parse(cursor.execute("SELECT name, value FROM setting").fetchall())

        # A newer format may say that this package can still write. Both places must agree, else the file is not understood at all.
        understood = version == self._values["format"] and self._values["oldestWriter"] <= FORMAT
        if version < 1 or not understood:
            raise spool_error(
                "NewerFormat", self._path,
                "the spool {} has format {}, this program knows format {}".format(self._path, version, FORMAT),
                "install the Quickq version that made it, or a newer one")

    @property
    def max_message_size(self) -> int:
        """Bytes of one body."""
        return self._values["maxMessageSize"]

    def require_room(self, cursor: sqlite3.Cursor, incoming: int) -> int:
        """Refuses ``incoming`` new bytes while there is still room to record what becomes of the old messages.

        Returns the size of the write-ahead log. Needs the transaction.
        """
        live = cursor.execute("PRAGMA page_count").fetchone()[0] * self._page_size
        max_size = self._values["maxSize"]
        if live + incoming > max_size:
            # Free pages count only here: far from the limit they make no difference.
            live -= cursor.execute("PRAGMA freelist_count").fetchone()[0] * self._page_size
        if live + incoming > max_size:
            raise spool_error(
                "Full", self._path,
                "the spool is full: {} of {} (maxSize) are in use; nothing was stored".format(describe_size(live), describe_size(max_size)),
                "'quickq-spool status' says which server is behind; raise spool.maxSize, or cancel what nobody needs")

        now = time.monotonic()
        if now < self._roomy_until:
            return self._log_size
        total, available = rooms.sizes(self._folder)
        reserve = self._values["minFreeDisk"]
        if reserve < 0:
            reserve = min(512 * _MEBIBYTE, total // 20)
        reserve += self._values["reserveMissing"]  # the agent gave its reserve up: that room is not for new messages

        # What stands in the WAL will need its place in the main file too when it is checkpointed.
        log = rooms.size_of(self._log_path)
        free = available - log
        if free - incoming < reserve:
            raise spool_error(
                "Full", self._path,
                "the disk is nearly full: {} are free, {} (minFreeDisk) are kept; nothing was stored".format(
                    describe_size(max(0, free)), describe_size(reserve)),
                "free some space on the file system of {}".format(self._folder))
        self._log_size = log
        if free - incoming > 2 * reserve:
            self._roomy_until = now + _ROOMY_FOR
        return log

    def _parse(self, rows: List[Tuple[str, str]]) -> Dict[str, int]:
        values = dict(_DEFAULTS)
        for name, value in rows:
            try:
                number = int(value)
            except (TypeError, ValueError):
                raise spool_error(
                    "Damaged", self._path, "the spool {} is damaged: the setting {} is not a number".format(self._path, name or ""),
                    "run 'quickq-spool check --repair'; an agent does it when it starts") from None
            if name in values:
                values[name] = number
        return values


def describe_size(size: int) -> str:
    """The size as a person says it, rounded.

    >>> describe_size(5452595), describe_size(12)
    ('5.2 MiB', '12 bytes')
    """
    for unit, scale in _UNITS:
        if size >= scale:
            return "{:.1f} {}".format(math.floor(size / scale * 10 + 0.5) / 10, unit)
    return "{} bytes".format(size)
