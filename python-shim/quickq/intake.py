"""What the options of ``python -m quickq`` say about every message, and the intake of one message a line."""

import json
import os
import select
import signal
import sys
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import InvalidMessage, Message, Spool, ssec, template

_BATCH_SECONDS = 0.1
_BATCH_BYTES = 1024 * 1024
_CHUNK = 65536


class Recipe:
    """Makes a message from a payload."""

    def __init__(self, topic: str, ssec: bool, exchange: Optional[str], metadata: Mapping[str, str], must_be_json: bool,
                 headers: Optional[Dict[str, str]], content_type: Optional[str], ttl: Optional[float], priority: Optional[int],
                 message_id: Optional[str], transient: bool) -> None:
        if ssec and topic:
            raise ValueError("--ssec derives the topic: it does not go with --topic")
        self._topic = topic
        self._places = template.has_places(topic)
        self._ssec = ssec
        self._metadata = metadata
        self._must_be_json = must_be_json
        self._content_type = content_type
        self._rest = {
            "exchange": exchange, "headers": headers, "ttl": ttl, "priority": priority, "message_id": message_id, "transient": transient,
        }  # type: Dict[str, Any]

    def make(self, payload: bytes) -> Message:
        """The message for one payload. What does not fit the options is a ``ValueError``."""
        content_type = self._content_type
        parsed = None  # type: Any
        if self._must_be_json or self._metadata or self._places or self._ssec:
            parsed = _parse(payload)
            if self._metadata or self._must_be_json:
                content_type = content_type or "application/json"
        if self._metadata:
            if not isinstance(parsed, dict):
                raise ValueError("the message is no JSON object: --metadata has no place in it")
            parsed.update(self._metadata)
            payload = json.dumps(parsed, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        if self._ssec and not isinstance(parsed, dict):
            raise ValueError("the message is no JSON object: no topic can be derived")
        key = ssec.topic_for(parsed) if self._ssec else template.expand(self._topic, parsed)
        return Message(payload, route_key=key, content_type=content_type, **self._rest)


def publish_lines(spool: Spool, recipe: Recipe, descriptor: int, keep_ids: bool) -> List[str]:
    """Stores one message a line as they come in, and prints an id a line. A bad line is a ``ValueError`` with its number.

    Lines are stored at most 100 ms after they were read. SIGTERM ends the intake as the end of the input does: what was read
    whole is stored.
    """
    return _LineIntake(spool, recipe, descriptor, keep_ids).run()


class _LineIntake:
    def __init__(self, spool: Spool, recipe: Recipe, descriptor: int, keep_ids: bool) -> None:
        self._spool = spool
        self._recipe = recipe
        self._descriptor = descriptor
        self._keep_ids = keep_ids
        self._ids = []  # type: List[str]
        self._batch = []  # type: List[Tuple[int, Message]]
        self._batch_bytes = 0
        self._store_at = 0.0
        self._number = 0
        self._stopping = False

    def run(self) -> List[str]:
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGTERM, self._stop)
        rest = b""
        while not self._stopping:
            timeout = max(0.0, self._store_at - time.monotonic()) if self._batch else None
            ready, _, _ = select.select([self._descriptor, wake], [], [], timeout)
            if self._descriptor in ready and not self._stopping:
                chunk = os.read(self._descriptor, _CHUNK)
                if not chunk:
                    self._take(rest)
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
            if self._batch and (time.monotonic() >= self._store_at or self._batch_bytes >= _BATCH_BYTES):
                self._store()
        self._store()
        return self._ids

    def _stop(self, *_: Any) -> None:
        self._stopping = True

    def _take(self, line: bytes) -> None:
        self._number += 1
        line = line[:-1] if line.endswith(b"\r") else line
        if not line:
            return
        try:
            message = self._recipe.make(line)
        except ValueError as failure:
            self._store()
            raise ValueError("line {}: {}".format(self._number, failure)) from None
        if not self._batch:
            self._store_at = time.monotonic() + _BATCH_SECONDS
        self._batch.append((self._number, message))
        self._batch_bytes += len(line)

    def _store(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if not batch:
            return
        try:
            self._print(self._spool.publish_many([message for _, message in batch]))
        except InvalidMessage:
            # One of them is refused, and with it the transaction: one by one, so that those before it are stored.
            for number, message in batch:
                try:
                    self._print(self._spool.publish_many([message]))
                except InvalidMessage as failure:
                    raise ValueError("line {}: {}".format(number, failure)) from None

    def _print(self, ids: List[str]) -> None:
        if self._keep_ids:
            self._ids.extend(ids)
        sys.stdout.write("".join(message_id + "\n" for message_id in ids))
        sys.stdout.flush()


def _parse(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the message is not JSON (not UTF-8)") from None
    except (ValueError, RecursionError) as failure:
        raise ValueError("the message is not JSON ({})".format(failure)) from None
