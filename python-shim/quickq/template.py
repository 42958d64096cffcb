"""Topics with places for members of the payload: ``{satellite_ID}.reserved``, ``{a[b]}``, ``{{`` and ``}}`` for braces.

>>> expand("{satellite_ID}.{a[b]}.{{x}}", {"satellite_ID": "G16", "a": {"b": 7}})
'G16.7.{x}'
"""

import re
from typing import Any, List

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PLACE = re.compile(r"([^\[\]]+)((?:\[[^\[\]]+\])*)\Z")
_SYNTAX = "a place is {member} or {member[inner]}; a brace itself is written twice"


def has_places(template: str) -> bool:
    """Whether the payload is needed. A wrong template is a ``ValueError``."""
    return any(_path(template, found) for found in _PART.finditer(template))


def expand(template: str, payload: Any) -> str:
    """The topic for one payload. A member that is missing is a ``ValueError`` with its name."""
    def value(found: "re.Match[str]") -> str:
        path = _path(template, found)
        return _text(payload, found.group(), path) if path else found.group()[0]
    return _PART.sub(value, template)


def _path(template: str, found: "re.Match[str]") -> List[str]:
    if found.group(1) is None:
        if len(found.group()) == 1:
            fault = "a '{' has no '}'" if found.group() == "{" else "a '}' has no '{'"
            raise ValueError("topic '{}': {} ({})".format(template, fault, _SYNTAX))
        return []
    place = _PLACE.match(found.group(1))
    if place is None:
        raise ValueError("topic '{}': '{}' is not a place ({})".format(template, found.group(), _SYNTAX))
    return [place.group(1)] + re.findall(r"\[([^\[\]]+)\]", place.group(2))


def _text(payload: Any, place: str, path: List[str]) -> str:
    value = payload
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and re.match(r"[0-9]{1,9}\Z", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise ValueError("the topic needs {}, and the message has no '{}' there".format(place, name))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return getattr(value, "text", None) or str(value)  # a number as it was written
    kind = "null" if value is None else "an object" if isinstance(value, dict) else "an array"
    raise ValueError("the topic needs {}, and the message has {} there (a place takes a text, a number, true or false)".format(place, kind))
