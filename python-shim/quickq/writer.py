"""Adds messages through the service. What it returns from is on disk and synced, safe from a power cut."""

import json

from .errors import InvalidMessage, QuickqError
from .link import LARGEST_FRAME, frame, json_frame
from .messages import new_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional, Tuple

    from .client import Client
    from .connection_watch import ConnectionWatch
    from .link import Answer
    from .messages import Prepared

_encode = json.JSONEncoder(separators=(",", ":")).encode


def add(client: "Client", watch: "ConnectionWatch", messages: "List[Prepared]") -> "List[str]":
    """Stores the messages in their order in one transaction, all or none, and returns their ids."""
    return add_and_wait(client, watch, messages, None)[0]


def add_and_wait(client: "Client", watch: "ConnectionWatch", messages: "List[Prepared]",
                 seconds: "Optional[float]") -> "Tuple[List[str], Optional[Answer]]":
    """Stores messages and waits up to ``seconds`` until the connected servers have them (None: waits for none).

    Returns the ids, and the answer to the wait if there is one.
    """
    if not messages:
        return [], None
    ids = _identify(messages)
    requests = [_frame_of(messages)]
    if seconds is not None:
        requests.append(json_frame(b"w", {"ids": ids, "servers": "connected", "timeout": seconds}))
    looks = watch.is_due()
    if looks:
        requests.append(json_frame(b"c", {}))
    named = any(["servers" in message.fields for message in messages])
    answers = client.ask(requests, seconds or 0.0, ids, 2 if named else 1)
    if isinstance(answers[0], QuickqError):
        raise answers[0]
    if looks and len(answers) == len(requests) and not isinstance(answers[-1], QuickqError):
        # The message is stored: what the program does with the news must not look like a failed publish.
        watch.look(answers[-1], client.path)
    return ids, answers[1] if seconds is not None and len(answers) > 1 else None


def _identify(messages: "List[Prepared]") -> "List[str]":
    """Gives each message the id that it brought, or a new one. A repeat after a lost answer has the same ids."""
    made = iter(new_ids(len([message for message in messages if message.message_id is None])))
    for message in messages:
        message.fields["id"] = message.message_id or next(made)
    return [message.fields["id"] for message in messages]


def _frame_of(messages: "List[Prepared]") -> bytes:
    described = _encode([message.fields for message in messages]).encode("ascii")
    bodies = [message.body for message in messages]
    size = 5 + len(described) + sum([len(body) for body in bodies])
    if size > LARGEST_FRAME:
        raise InvalidMessage(
            "InvalidMessage", "{} {:,} bytes, at most {:,} can be added at once".format(
                "the message has" if len(messages) == 1 else "the {:,} messages have".format(len(messages)), size, LARGEST_FRAME),
            "send its path instead" if len(messages) == 1 else "publish them in several calls")
    return frame(b"a", len(described).to_bytes(4, "big"), described, *bodies)
