"""Topics and payload members as the Satellite Data Services group of the SSEC writes them.

A topic has nine words: ``satellite_type.satellite_family.satellite_id.satellite_instrument.medium.server_type.format.classification.status``.

>>> topic_for({"satellite_ID": "G16", "satellite_family": "GOES", "instrument": "ABI", "medium": "adde",
...            "server_type": "realtime", "message_type": "band", "status": "end"})
'geo.goes.g16.abi.adde.realtime.ncdf.band.end'
>>> topic_for({"satellite_ID": "NPP", "satellite_family": "JPSS", "instrument": "VIIRS", "medium": "file",
...            "server_type": "realtime", "message_type": "image", "status": "complete"})
'leo.jpss.npp.viirs.file.realtime.hdf5.image.complete'
>>> topic("geo", "himawari", "9", "ahi", "file", "delta", "hsf", "image", "complete")
'geo.himawari.9.ahi.file.delta.hsf.image.complete'

A word that is missing is a ``ValueError`` with its name; a value that is not among the known ones passes, with a warning
to the logger ``quickq``.
"""

import json
import os
import re
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Set

_FORBIDDEN = set(". \t\r\n*#")


def _read_table() -> Dict[str, Any]:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "topics.json"), encoding="utf-8") as text:
        table = json.load(text)
    assert isinstance(table, dict)
    return table


_TABLE = _read_table()
_told = set()  # type: Set[str]

#: The nine words, in order.
WORDS = tuple(_TABLE["words"])


def topic(satellite_type: str, satellite_family: str, satellite_id: str, satellite_instrument: str, medium: str,
          server_type: str, format: str, classification: str, status: str) -> str:
    """The topic of nine words, each checked."""
    given = (satellite_type, satellite_family, satellite_id, satellite_instrument, medium, server_type, format, classification, status)
    for name, word in zip(WORDS, given):
        _check_word(name, word)
    text = ".".join(given)
    _warn(validate_topic(text))
    return text


def topic_for(payload: Mapping[str, Any]) -> str:
    """The topic of an event, derived from its members (see the table in ``docs/python.md``)."""
    if not isinstance(payload, Mapping):
        raise ValueError("the payload is no JSON object: no topic can be derived")
    words = {}  # type: Dict[str, str]
    for name in ("satellite_family", "satellite_id") + WORDS:
        if name not in words:
            words[name] = _derive(name, payload, words)
    return topic(*(words[name] for name in WORDS))


def validate_topic(topic: str) -> List[str]:
    """What is unusual about a topic: a text for each word that is not among the known ones, none for a perfect topic.

    >>> validate_topic("geo.goes.g16.abi.adde.realtime.ncdf.band.end")
    []
    >>> validate_topic("geo.goes.g20.abi.adde.realtime.ncdf.band.end")
    ["the satellite_id 'g20' is not among the known ones (g16, g17, g18, g19)"]
    >>> validate_topic("geo.goes.g16")
    Traceback (most recent call last):
    ...
    ValueError: the topic 'geo.goes.g16' has no satellite_instrument (3 words of 9)
    """
    words = topic.split(".")
    if len(words) < len(WORDS):
        raise ValueError("the topic '{}' has no {} ({} words of {})".format(topic, WORDS[len(words)], len(words), len(WORDS)))
    if len(words) > len(WORDS):
        raise ValueError("the topic '{}' has {} words, not {}: '{}' is one too many".format(topic, len(words), len(WORDS), words[len(WORDS)]))
    unusual = []
    family = _TABLE["families"].get(words[WORDS.index("satellite_family")], {})
    for name, word in zip(WORDS, words):
        _check_word(name, word)
        known = _TABLE["known"].get(name) or (list(_TABLE["families"]) if name == "satellite_family" else family.get("known", {}).get(name))
        if known and word not in known:
            unusual.append("the {} '{}' is not among the known ones ({})".format(name, word, ", ".join(known)))
    return unusual


def format_datetime(when: datetime) -> str:
    """A time as payloads have it, with one decimal, cut off. The digits are those of the time itself: convert one of another zone to UTC first.

    >>> format_datetime(datetime(2024, 6, 27, 15, 30, 54, 699999))
    '2024-06-27 15:30:54.6'
    """
    return "{:%Y-%m-%d %H:%M:%S}.{}".format(when, when.microsecond // 100000)


def injector_script(path: Optional[str] = None) -> str:
    """What ``__injector_script__`` holds: ``user@host:/path/of/script``, of the running script unless another is given.

    The host is the full name if the host's name service has one; never ``localhost``, which is every host's.
    """
    import pwd
    import socket
    import sys

    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    host = socket.gethostname()
    full = host if "." in host else socket.getfqdn(host)
    return "{}@{}:{}".format(user, host if full.split(".")[0].startswith("localhost") else full, os.path.abspath(path or sys.argv[0]))


def _derive(name: str, payload: Mapping[str, Any], words: Mapping[str, str]) -> str:
    family = _TABLE["families"].get(words.get("satellite_family"), {})
    member = _TABLE["members"][name]
    decided = _decided(name, family, words.get("satellite_id", ""))
    if decided is not None and name == "satellite_type":
        return decided
    given = payload.get(member)
    if given is not None and (isinstance(given, bool) or not isinstance(given, (str, int))):
        raise ValueError("the payload's {} is neither text nor a whole number: the topic's word {} cannot be derived".format(member, name))
    word = None if given is None or str(given).strip().lower() in _TABLE["unavailable"] else str(given)
    if word is None:
        word = decided or family.get("unavailable", {}).get(name)
    if word is None:
        raise ValueError("the payload{}: the topic's word {} cannot be derived".format(
            " has no " + member if given is None else "'s {} is '{}'".format(member, given), name))
    if name in _TABLE["lowerCase"]:
        word = word.lower()
    if name == "satellite_id":
        word = _name_satellite(word, family.get("numbered", {}))
    return str(_TABLE["synonyms"].get(name, {}).get(word, word))


def _decided(name: str, family: Mapping[str, Any], satellite: str) -> Optional[str]:
    """What family and satellite say about a word."""
    for beginning, decided in family.get("satellites", {}).items():
        if satellite.startswith(beginning) and name in decided:
            return str(decided[name])
    found = family.get("decides", {}).get(name)
    return None if found is None else str(found)


def _name_satellite(satellite: str, numbered: Mapping[str, str]) -> str:
    """A satellite's name as its word: ``himawari-9`` and ``h09`` are ``9``."""
    for before, instead in numbered.items():
        number = satellite[len(before):]
        if satellite.startswith(before) and re.match(r"[0-9]+\Z", number):
            return instead + (number.lstrip("0") or "0")
    return satellite


def _check_word(name: str, word: str) -> None:
    if not isinstance(word, str) or not word:
        raise ValueError("the topic's word {} is missing".format(name))
    if _FORBIDDEN.intersection(word):
        raise ValueError("the topic's word {} is '{}': a word has no dots, spaces or wildcards".format(name, word))


def _warn(unusual: List[str]) -> None:
    if not unusual:
        return
    from .log import listener

    log = listener()
    for text in unusual:
        if text not in _told:
            _told.add(text)
            if log is not None:
                log.warning("%s", text)
