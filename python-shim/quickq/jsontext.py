"""JSON texts as they were written: what ``python -m quickq`` reads from a payload, and puts into it.

>>> expand_number = parse(b'{"a": 1.50}')["a"]
>>> expand_number.text
'1.50'
>>> merge('{"a": 1.50, "b": [ ]}', {"a": "x", "c": "y"})
'{"a":"x","b": [ ],"c":"y"}'
"""

import json
import re
from typing import Any, Mapping

_BLANK = re.compile(r"[ \t\r\n]*")


class Fraction(float):
    """A number with a point or an exponent, and its digits as they were written."""

    def __new__(cls, text: str) -> "Fraction":
        made = super().__new__(cls, text)
        made.text = text
        return made

    text = ""


def parse(payload: bytes) -> Any:
    """The value of exactly one JSON text. Anything else is a ``ValueError``."""
    try:
        return _decode(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the message is not JSON (it is not valid UTF-8)") from None
    except (ValueError, RecursionError) as failure:
        raise ValueError("the message is not JSON ({})".format(failure)) from None


def merge(text: str, members: Mapping[str, str]) -> str:
    """Puts members into a JSON object: one of that name is replaced where it stands, others are added at the end.

    What is not replaced keeps its characters: numbers their digits, texts their escapes.
    """
    scan = json.JSONDecoder().raw_decode
    parts, written = [], set()
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] != "}":
        start = at
        name, at = scan(text, at)
        _, at = scan(text, _skip(text, _skip(text, at) + 1))
        if name not in members:
            parts.append(text[start:at])
        elif name not in written:
            written.add(name)
            parts.append(_member(name, members[name]))
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    parts += [_member(name, value) for name, value in members.items() if name not in written]
    return "{" + ",".join(parts) + "}"


def _decode(text: str) -> Any:
    return json.loads(text, parse_float=Fraction, parse_constant=_refuse)


def _refuse(name: str) -> None:
    raise ValueError("{} is no JSON value".format(name))


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()


def _member(name: str, value: str) -> str:
    return "{}:{}".format(json.dumps(name, ensure_ascii=False), json.dumps(value, ensure_ascii=False))
