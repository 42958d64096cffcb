"""What the options of ``python -m quickq`` say about every message, and the intake of one message a line."""

import os
import select
import signal
import time
from typing import Any, Dict, List, Optional, Tuple

from . import Message, Spool, SpoolError, SpoolFull, jsontext, ssec, template
from .arguments import BAD_DATA, INPUT_OUTPUT, WRONG_USE, CommandFailure, Options, exit_code_of
from .errors import InvalidMessage

_AGE = 0.1
_PAUSE = 0.002
_BATCH_LINES = 1000
_BATCH_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = 512 * 1024 * 1024
_CHUNK = 65536


class Recipe:
    """Makes a message from a payload."""

    def __init__(self, options: Options) -> None:
        self._ssec = options.has("--ssec")
        if self._ssec and options.has("--topic"):
            raise CommandFailure(WRONG_USE, "both --topic and --ssec are given; --ssec makes the topic from the payload, give one of them")
        self._topic = options.text("--topic") or ""
        try:
            self._places = template.has_places(self._topic)
        except ValueError as failure:
            raise CommandFailure(WRONG_USE, "--{}".format(failure)) from None
        self._metadata = options.pairs("--metadata")
        self._must_be_json = options.has("--json")
        self._content_type = options.text("--content-type")
        ttl = options.duration("--ttl")
        if ttl is not None and not ttl:
            raise CommandFailure(WRONG_USE, "--ttl '{}' must be longer than nothing; write for example 30s".format(options.text("--ttl")))
        self._rest = {
            "exchange": options.text("--exchange"), "headers": options.pairs("--header") or None, "ttl": ttl,
            "priority": options.whole("--priority", 255), "message_id": options.text("--id"), "transient": options.has("--transient"),
        }  # type: Dict[str, Any]

    def make(self, payload: bytes) -> Message:
        """The message for one payload. What does not fit the options is a ``ValueError``."""
        content_type = self._content_type
        parsed = None  # type: Any
        if self._must_be_json or self._metadata or self._places or self._ssec:
            parsed = jsontext.parse(payload)
            if self._metadata or self._must_be_json:
                content_type = content_type or "application/json"
        if self._metadata:
            if not isinstance(parsed, dict):
                raise ValueError("the message is not a JSON object (--metadata needs one to merge into)")
            parsed.update(self._metadata)
            payload = jsontext.merge(payload.decode("utf-8"), self._metadata).encode("utf-8")
        key = ssec.topic_for(parsed) if self._ssec else template.expand(self._topic, parsed)
        return Message(payload, route_key=key, content_type=content_type, **self._rest)


def write_ids(ids: List[str]) -> None:
    """Ids to standard output, past Python's buffer: what was written has left the process."""
    rest = "".join([message_id + "\n" for message_id in ids]).encode("ascii")
    while rest:
        rest = rest[os.write(1, rest):]


def publish_lines(spool: Spool, recipe: Recipe, descriptor: int, keep_ids: bool) -> List[str]:
    """Stores one message a line as they come in, and prints an id a line once its message is safe.

    A batch is committed as soon as the input pauses, and at the latest 100 ms after its first line. A line that cannot be stored
    ends it with its number, the lines before it stored and printed. SIGTERM and SIGINT end it as the end of the input does, but
    for an unfinished line, which may be half a message; a second one ends the process as it would without us.
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
        self._stored = 0
        self._rest = bytearray()
        self._stopping = False

    def run(self) -> List[str]:
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGTERM, self._stop)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._stop)
        while not self._stopping:
            ready, _, _ = select.select([self._descriptor, wake], [], [], _PAUSE if self._batch else None)
            if self._stopping:
                break
            if self._descriptor not in ready:
                self._store()
                continue
            chunk = os.read(self._descriptor, _CHUNK)
            if not chunk:
                if self._rest:
                    self._take(bytes(self._rest))
                self._store()
                return self._ids
            self._split(chunk)
            if self._batch and (
                    time.monotonic() >= self._store_at or len(self._batch) >= _BATCH_LINES or self._batch_bytes >= _BATCH_BYTES):
                self._store()
        self._store()
        os.write(2, "quickq: stopped by a signal after line {}; {} messages are stored{}\n".format(
            self._number, self._stored, "; an unfinished line was not" if self._rest else "").encode())
        return self._ids

    def _stop(self, number: int, _: Any) -> None:
        if self._stopping:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self._stopping = True

    def _split(self, chunk: bytes) -> None:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            whole = bytes(self._rest + line)
            self._rest.clear()
            self._take(whole[:-1] if whole.endswith(b"\r") else whole)
        self._rest += rest
        if len(self._rest) > _LONGEST_LINE:
            self._store()
            raise CommandFailure(BAD_DATA, "line {}: longer than 512 MiB; no RabbitMQ server takes such a message, is the input really lines?".format(
                self._number + 1))

    def _take(self, line: bytes) -> None:
        self._number += 1
        if not line:
            return
        try:
            message = self._recipe.make(line)
        except ValueError as failure:
            self._store()
            raise _refused(self._number, failure) from None
        if not self._batch:
            self._store_at = time.monotonic() + _AGE
        self._batch.append((self._number, message))
        self._batch_bytes += len(line)

    def _store(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if not batch:
            return
        try:
            self._print(self._spool.publish_many([message for _, message in batch]))
        except (InvalidMessage, SpoolFull):
            # All or none: one by one, so that those before the one that is too much are stored.
            for number, message in batch:
                try:
                    self._print(self._spool.publish_many([message]))
                except (InvalidMessage, SpoolError) as failure:
                    raise _refused(number, failure) from None
        except SpoolError as failure:
            raise _refused(batch[0][0], failure) from None

    def _print(self, ids: List[str]) -> None:
        self._stored += len(ids)
        if self._keep_ids:
            self._ids.extend(ids)
        try:
            write_ids(ids)
        except OSError as failure:
            raise CommandFailure(
                INPUT_OUTPUT, "standard output: {}; stopped after line {}: all {} messages up to there are stored, the last {} ids may not "
                "have been printed".format(failure.strerror, self._number, self._stored, len(ids))) from None


def _refused(number: int, failure: Exception) -> CommandFailure:
    return CommandFailure(exit_code_of(failure), "line {}: {}; what stands before this line is stored".format(number, failure))
