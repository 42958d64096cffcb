"""Routing keys made from a payload, as ``quickq-spool add -t`` makes them.

>>> key = TopicTemplate("{satellite_ID}.{band:>03}.reserved")
>>> key({"satellite_ID": "G16", "band": "8"})
'G16.008.reserved'

A place is ``{member}``, ``{member[inner]}`` or ``{list[0]}``, each with a conversion and a format as Python's ``str.format`` has
them (``{x!r}``, ``{x:>5}``); a brace itself is written twice. A dot belongs to the member's name. The same template gives the same
key here, on every supported Python, and in ``quickq-spool``.
"""

import re
from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from .errors import InvalidMessage

_SYNTAX = "a place is {member}, {member[inner]} or {member:format}; write a brace twice: {{"
_FORMAT_SYNTAX = "as in Python: {member!conversion:[[fill]align][sign][#][0][width][,][.precision][type]}"
_LONGEST_KEY = 255
_MOST_DIGITS = 4300
_SPECIFICATION = re.compile(
    r"(?:(?P<fill>.)(?P<align>[<>=^])|(?P<only>[<>=^]))?(?P<sign>[+\- ])?(?P<alternate>\#)?(?P<zero>0)?(?P<width>[0-9]+)?"
    r"(?P<grouping>[,_])?(?P<point>\.(?P<precision>[0-9]+)?)?(?P<type>[sdnboxXceEfFgG%])?", re.DOTALL)
_PLACE = re.compile(r"([^\[:!}]*)((?:\[[^\]]*\])*)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

_Specification = NamedTuple("_Specification", [
    ("fill", str), ("align", str), ("zero", bool), ("sign", str), ("alternate", str), ("width", str), ("grouping", str),
    ("precision", str), ("type", str)])

#: A literal text (without a path), or a place with the way to its value and its format.
_Part = NamedTuple("_Part", [
    ("text", str), ("path", Optional[List[str]]), ("conversion", str), ("specification", Optional[_Specification])])


class _Fault(Exception):
    """Why a value cannot be formatted."""


class TopicTemplate:
    """A function from a payload to its routing key: for ``publish(message, key(message))`` and ``publish_many(messages, key)``.

    A template without the form of one, and a payload without a value that it needs, are an ``InvalidMessage``.
    """

    def __init__(self, text: str) -> None:
        self._parts = []  # type: List[_Part]
        literal, i = "", 0
        while i < len(text):
            if text[i] in "{}" and text[i:i + 2] == 2 * text[i]:
                literal += text[i]
                i += 2
            elif text[i] == "{":
                place = text[i:_end_of_place(text, i)]
                self._parts += [_Part(literal, None, "", None), _read_place(text, place)]
                literal, i = "", i + len(place)
            elif text[i] == "}":
                raise _wrong(text, "a '}' has no '{'")
            else:
                literal += text[i]
                i += 1
        self._parts.append(_Part(literal, None, "", None))

    def __call__(self, payload: Mapping[str, Any]) -> str:
        """The routing key for one payload."""
        return "".join(part.text if part.path is None else _value_at(payload, part, part.path) for part in self._parts)


def _end_of_place(text: str, start: int) -> int:
    """Where a place ends. Within square brackets all characters belong to the member's name."""
    in_brackets = False
    for i in range(start + 1, len(text)):
        if text[i] == "}" and not in_brackets:
            return i + 1
        if text[i] in ":!" and not in_brackets:
            end = text.find("}", i)
            if end < 0:
                break
            return end + 1
        in_brackets = text[i] == "[" or (in_brackets and text[i] != "]")
    raise _wrong(text, "a '{' has no '}'")


def _read_place(text: str, place: str) -> _Part:
    inside = place[1:-1]
    found = _PLACE.match(inside)
    assert found is not None
    first, rest = found.groups()
    path, form = [first] + re.findall(r"\[([^\]]*)\]", rest), inside[found.end():]
    if "" in path or "{" in first or "]" in first or form[:1] not in ("", ":", "!"):
        raise _wrong(text, "'{}' is not a place".format(place))
    conversion = ""
    if form[:1] == "!":
        if not re.match(r"![sra](:|\Z)", form):
            raise _cannot_format(place, "a conversion is !s, !r or !a")
        conversion, form = form[1], form[2:]
    try:
        return _Part(place, path, conversion, _read_specification(form[1:]))
    except _Fault as fault:
        raise _cannot_format(place, str(fault)) from None


def _read_specification(text: str) -> Optional[_Specification]:
    if "{" in text:
        raise _Fault("a place within a format is not supported")
    if not text:
        return None
    found = _SPECIFICATION.match(text)
    assert found is not None
    given = {name: value or "" for name, value in found.groupdict().items()}
    for number in (given["width"], given["precision"]):
        if number and int(number) > 0x7FFFFFFF:
            raise _Fault("'{}' is too large a number".format(number))
    if given["point"] == ".":
        raise _Fault("a precision is missing after '.'")
    if found.end() < len(text):
        raise _Fault("'{}' is not part of a specification".format(text[found.end():]))
    if int(given["width"] or 0) > _LONGEST_KEY:
        raise _Fault("the width is larger than the {} bytes of a routing key".format(_LONGEST_KEY))
    grouping, kind = given["grouping"], given["type"]
    if grouping and kind and kind not in ("deEfFgG%" if grouping == "," else "deEfFgG%boxX"):
        raise _Fault("'{}' does not go with the type '{}'".format(grouping, kind))
    zero = bool(given["zero"]) and not given["fill"]
    return _Specification(
        given["fill"] or ("0" if zero else " "), given["align"] or given["only"], zero, given["sign"], given["alternate"], given["width"],
        grouping, given["precision"], kind)


def _value_at(payload: Any, part: _Part, path: List[str]) -> str:
    value = payload
    for name in path:
        found, value = _step(value, name)
        if not found:
            raise InvalidMessage(
                "InvalidMessage", "the topic needs {}, and the message has no '{}' there".format(part.text, name),
                "put it into the payload, or give it with --metadata")
    if value is not None and not isinstance(value, (str, int, float)):
        raise InvalidMessage(
            "InvalidMessage", "the topic needs {}, and the message has {} there".format(part.text, _named(value)),
            "a place takes a string, a number, true, false or null")
    if isinstance(value, str) and _SURROGATE.search(value):
        raise InvalidMessage(
            "InvalidMessage", "the topic needs {}, and the message has half a character there".format(part.text), "correct the payload")
    try:
        if part.conversion:
            text = _plain(value)
            if isinstance(value, str) and part.conversion != "s":
                text = repr(text) if part.conversion == "r" else ascii(text)
            return _format_text(text, part.specification)
        if isinstance(value, str):
            return _format_text(_plain(value), part.specification)
        if part.specification is None:
            return _plain(value)
        if value is None:
            raise _Fault("null takes no specification; write !s before it")
        return _format_number(value, part.specification)
    except _Fault as fault:
        raise _cannot_format(part.text, str(fault)) from None


def _step(value: Any, name: str) -> Tuple[bool, Any]:
    if isinstance(value, Mapping):
        return name in value, value.get(name)
    if isinstance(value, (list, tuple)) and re.match(r"[0-9]{1,10}\Z", name) and int(name) < len(value):
        return True, value[int(name)]
    return False, None


def _named(value: Any) -> str:
    return "an object" if isinstance(value, Mapping) else "an array" if isinstance(value, (list, tuple)) else "a " + type(value).__name__


def _plain(value: Any) -> str:
    """The value as ``str`` writes it; subclasses as JSON has them."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return str(value)
    return _digits(int(value)) if isinstance(value, int) else float.__repr__(value)


def _digits(value: int) -> str:
    if abs(value) >= 10 ** _MOST_DIGITS:
        raise _Fault("an integer has at most 4,300 digits")
    return int.__repr__(value)


def _format_text(text: str, specification: Optional[_Specification]) -> str:
    if specification is None:
        return text
    if specification.type not in ("", "s"):
        raise _unknown(specification.type, "text")
    for_numbers = specification.sign or specification.alternate or specification.grouping or ("=" if specification.align == "=" else "")
    if for_numbers:
        raise _Fault("'{}' is for numbers, and the value is text".format(for_numbers))
    # Written out: what a 0 before the width means for text changed in Python 3.10.
    cut = text[:int(specification.precision)] if specification.precision else text
    return format(cut, specification.fill + (specification.align or "<") + specification.width)


def _format_number(value: Any, specification: _Specification) -> str:
    kind = specification.type
    if isinstance(value, int):
        if kind in tuple("eEfFgG%"):
            try:
                value = float(int(value))
            except OverflowError:
                raise _Fault("the integer is too large for a number with a decimal point") from None
        else:
            return _format_integer(value, specification)
    if kind and kind not in "eEfFgGn%":
        raise _unknown(kind, "a number with a decimal point or an exponent")
    if int(specification.precision or 0) > _LONGEST_KEY and (kind in tuple("eEfF%") or specification.alternate):
        raise _Fault("the precision is larger than the {} bytes of a routing key".format(_LONGEST_KEY))
    return format(float(value), _rebuild(specification, "g" if kind == "n" else kind))


def _format_integer(value: int, specification: _Specification) -> str:
    kind = specification.type or "d"
    if kind not in "dnboxXc":
        raise _unknown(kind, "true or false" if isinstance(value, bool) else "an integer")
    if specification.precision:
        raise _Fault("an integer takes no precision")
    _digits(int(value))
    if kind == "c":
        if specification.sign or specification.alternate:
            raise _Fault("the type 'c' takes neither a sign nor '#'")
        if not 0 <= value <= 0x10FFFF or 0xD800 <= value <= 0xDFFF:
            raise _Fault("the type 'c' takes the number of a character")
    return format(int(value), _rebuild(specification, "d" if kind == "n" else kind))


def _rebuild(specification: _Specification, kind: str) -> str:
    align = specification.align or ("=" if specification.zero else ">")
    precision = specification.precision and "." + str(min(int(specification.precision), 1100))
    return "".join((
        specification.fill, align, specification.sign, specification.alternate, specification.width, specification.grouping, precision, kind))


def _unknown(kind: str, what: str) -> _Fault:
    return _Fault("the type '{}' is not for {}".format(kind, what))


def _cannot_format(place: str, fault: str) -> InvalidMessage:
    return InvalidMessage("InvalidMessage", "the topic has {}: {}".format(place, fault), _FORMAT_SYNTAX)


def _wrong(text: str, fault: str) -> InvalidMessage:
    return InvalidMessage("Usage", "'{}': {}".format(text, fault), _SYNTAX)
