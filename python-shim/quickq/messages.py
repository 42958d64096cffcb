"""From what a producer hands over to a message of the protocol; refuses what JSON or AMQP cannot carry."""

import json
import math
import re
import time
from os import urandom

from .errors import InvalidMessage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, Union

    Header = Union[None, bool, int, float, str]
    Ttl = Union[None, int, float, timedelta]

#: An AMQP short string: at most this many bytes of UTF-8 (AMQP 0-9-1, section 4.2.5.3).
MAX_SHORT_STRING = 255

_ID = re.compile(r"[A-Za-z0-9._:-]{1,255}\Z")
_MAX_TTL = 36500 * 86400
_JSON = "application/json"
_OCTETS = "application/octet-stream"

# The same bytes as json.dumps, but without NaN, which is not JSON.
_encode = json.JSONEncoder(allow_nan=False).encode


class Prepared:
    """A message that can be sent: what ``add`` says of it (but for its id), and its body."""

    __slots__ = ("body", "fields", "message_id")

    def __init__(self, message_id: "Optional[str]", fields: "Dict[str, Any]", body: bytes) -> None:
        self.message_id = message_id
        self.fields = fields
        self.body = body


def prepare(payload: "Any", route_key: "Optional[str]", exchange: "Optional[str]", headers: "Optional[Mapping[str, Header]]",
            content_type: "Optional[str]", ttl: "Ttl", priority: "Optional[int]", message_id: "Optional[str]", transient: bool,
            routing_key: "Optional[str]", servers: "Optional[Iterable[str]]" = None) -> Prepared:
    """One message for the service. Raises ``InvalidMessage``."""
    if routing_key is not None:
        if route_key:
            raise InvalidMessage("InvalidMessage", "both route_key and routing_key are given", "give one of them")
        route_key = routing_key
    route_key = "" if route_key is None else route_key
    _check_short_string(route_key, "routing key")
    if exchange is not None:
        _check_short_string(exchange, "exchange")
    if message_id is not None and not (isinstance(message_id, str) and _ID.match(message_id)):
        raise InvalidMessage(
            "InvalidMessage", "the id must have 1 to 255 characters of A-Z a-z 0-9 . _ : -",
            "choose another id, or leave it out: then one is made")
    if isinstance(payload, (bytes, bytearray, memoryview)):
        body = bytes(payload)
        guessed = _guess_type(body) if content_type is None else content_type
    else:
        body = encode_json(payload)
        guessed = _JSON if content_type is None else content_type
    fields = {
        "body": len(body), "exchange": exchange, "routingKey": route_key,
        "properties": _properties(guessed, headers, priority, transient), "ttl": None if ttl is None else _lifetime(ttl),
    }  # type: Dict[str, Any]
    if servers is not None:
        fields["servers"] = _servers(servers)
    return Prepared(message_id, fields, body)


def encode_json(payload: "Any") -> bytes:
    """The payload as ``json.dumps`` writes it; refuses NaN, half surrogate pairs and what JSON does not know, naming the member."""
    try:
        text = _encode(payload)
        if "\\ud" in text:
            # Whole pairs pass: those are characters beyond the first 65,536.
            json.JSONEncoder(ensure_ascii=False).encode(payload).encode("utf-8")
        return text.encode("ascii")
    except UnicodeEncodeError:
        reason = "contains an unpaired surrogate and cannot be encoded as UTF-8"
    except RecursionError:
        reason = "is nested too deeply"
    except (TypeError, ValueError) as failure:
        reason = str(failure)
    raise InvalidMessage("InvalidMessage", "the payload is not JSON: {}".format(_fault_of(payload) or reason), "correct the payload, or send bytes")


def _fault_of(payload: "Any") -> "Optional[str]":
    """Which member is at fault, and why."""
    for path, value in _members(payload, "", []):
        where = "member '{}' ".format(path) if path else "it "
        if isinstance(value, str):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                return where + "contains an unpaired surrogate and cannot be encoded as UTF-8"
        elif isinstance(value, float) and not math.isfinite(value):
            return where + "is {}, which JSON does not know".format(value)
        elif value is _CIRCLE:
            return where + "contains itself"
        elif value is _BAD_NAME:
            return where + "has a name that is not text"
        elif value is not None and not isinstance(value, (bool, int, float, dict, list, tuple)):
            return where + "is of the type {}".format(type(value).__name__)
    return None


_CIRCLE, _BAD_NAME = object(), object()


def _members(value: "Any", path: str, above: "List[int]") -> "Iterator[Tuple[str, Any]]":
    if id(value) in above or len(above) > 200:
        yield path, _CIRCLE if id(value) in above else None
        return
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            shown = name.encode("ascii", "backslashreplace").decode() if isinstance(name, str) else repr(name)
            if isinstance(name, str):
                yield "{}.{}".format(path, shown) if path else shown, name
            elif name is not None and not isinstance(name, (bool, int, float)):
                yield "{}.{}".format(path, shown) if path else shown, _BAD_NAME
            for found in _members(inner, "{}.{}".format(path, shown) if path else shown, above + [id(value)]):
                yield found
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            for found in _members(inner, "{}[{}]".format(path, index), above + [id(value)]):
                yield found


def new_ids(count: int) -> "List[str]":
    """UUIDs of version 7, ascending: in the order of acceptance, and cheaper for the index."""
    stamp = "%012x" % max(0, int(time.time() * 1000))
    stamp = stamp[:8] + "-" + stamp[8:] + "-7"
    noise = urandom(10 * count).hex()
    return sorted([
        "".join((stamp, noise[at:at + 3], "-", "89ab"[int(noise[at + 3], 16) & 3], noise[at + 4:at + 7], "-", noise[at + 8:at + 20]))
        for at in range(0, 20 * count, 20)
    ])


def _guess_type(body: bytes) -> str:
    if body.lstrip(b" \t\r\n")[:1] in (b"{", b"["):
        try:
            json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
            return _JSON
        except (ValueError, RecursionError):
            return _OCTETS  # it only looks like JSON
    return _OCTETS


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _properties(content_type: str, headers: "Optional[Mapping[str, Header]]", priority: "Optional[int]", transient: bool) -> "Dict[str, Any]":
    _check_short_string(content_type, "content type")
    properties = {"contentType": content_type}  # type: Dict[str, Any]
    if headers:
        properties["headers"] = {name: _header(name, value) for name, value in headers.items()}
    if priority is not None:
        if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= 255:
            raise InvalidMessage("InvalidMessage", "the priority must be a whole number from 0 to 255", "leave it out for the usual one")
        properties["priority"] = priority
    if transient:
        properties["transient"] = True
    return properties


def _header(name: str, value: "Header") -> "Header":
    _check_short_string(name, "header name")
    fits = value is None or isinstance(value, bool)
    if isinstance(value, int):
        fits = -(1 << 63) <= value < 1 << 63
    elif isinstance(value, float):
        fits = math.isfinite(value)
    elif isinstance(value, str):
        fits = _has_utf8_form(value)
    if not fits:
        raise InvalidMessage(
            "InvalidMessage", "the value of header '{}' is not valid in AMQP".format(name), "use a string, a finite number, true, false or null")
    return value


def _servers(names: "Iterable[str]") -> "List[str]":
    listed = [names] if isinstance(names, str) else list(names)
    if not listed or not all([isinstance(name, str) and name and len(name) <= MAX_SHORT_STRING for name in listed]):
        raise InvalidMessage("InvalidMessage", "servers must name at least one server, each as text", "leave it out for all servers")
    return listed


def _lifetime(ttl: "Ttl") -> int:
    seconds = getattr(ttl, "total_seconds", lambda: ttl)()  # exact to the microsecond up to 270 years
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= _MAX_TTL or seconds < 0.000001:
        raise InvalidMessage(
            "InvalidMessage", "the time to live must be more than zero and at most 100 years", "leave it out for a message that never expires")
    return round(seconds * 1000000)


def _check_short_string(value: str, what: str) -> None:
    if not isinstance(value, str):
        raise InvalidMessage("InvalidMessage", "the {} is of the type {}, not text".format(what, type(value).__name__), "correct the {}".format(what))
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidMessage(
            "InvalidMessage", "the {} contains an unpaired surrogate and cannot be encoded as UTF-8".format(what), "correct the {}".format(what)) from None
    if size > MAX_SHORT_STRING:
        raise InvalidMessage(
            "InvalidMessage", "the {} has {} bytes, AMQP allows {}".format(what, size, MAX_SHORT_STRING), "shorten the {}".format(what))
    if "\0" in value:
        raise InvalidMessage("InvalidMessage", "the {} holds a zero byte, which AMQP does not allow".format(what), "correct the {}".format(what))


def _has_utf8_form(text: str) -> bool:
    try:
        text.encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False
