"""Reads the command line of ``python -m quickq`` as ``quickq-spool add`` does: a mistyped option never becomes a message."""

import os
import re
from datetime import timedelta
from typing import Any, Dict, List, Optional

from .errors import InvalidMessage, SpoolError

WRONG_USE, BAD_DATA, NO_INPUT, REJECTED, INPUT_OUTPUT, TRY_LATER, NO_PERMISSION = 64, 65, 66, 69, 74, 75, 77

_OF_FAULT = {
    "IdConflict": BAD_DATA, "InvalidMessage": BAD_DATA, "NotASpool": BAD_DATA, "NotFound": NO_INPUT, "CannotCreate": 73,
    "InputOutput": INPUT_OUTPUT, "Damaged": INPUT_OUTPUT, "Full": TRY_LATER, "Busy": TRY_LATER, "PermissionDenied": NO_PERMISSION,
    "NewerFormat": 78, "UnsuitableFileSystem": 78,
}
_FLAGS = ("--ssec", "--json", "--transient", "--lines", "--help", "--version")
_VALUES = ("--file", "--topic", "--exchange", "--content-type", "--ttl", "--priority", "--id", "--spool")
_REPEATED = ("--metadata", "--header")
_WITH_EQUALS_ONLY = ("--wait",)
_SHORT = {"-t": "--topic", "-x": "--exchange", "-m": "--metadata", "-H": "--header", "-h": "--help"}

_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*([a-z]+)\s*")
_MICROSECONDS = {
    "w": 604800000000, "d": 86400000000, "h": 3600000000, "m": 60000000, "min": 60000000, "s": 1000000, "ms": 1000, "us": 1,
}
_LONGEST = 1 << 63  # microseconds; more than any time to live


class CommandFailure(Exception):
    """The command cannot go on: its exit code, and what to tell."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def exit_code_of(failure: Exception) -> int:
    """The exit code of what went wrong with a message or the spool."""
    if isinstance(failure, CommandFailure):
        return failure.code
    if isinstance(failure, (SpoolError, InvalidMessage)):
        return _OF_FAULT.get(failure.fault, INPUT_OUTPUT)
    return INPUT_OUTPUT if isinstance(failure, OSError) else BAD_DATA


def decode(arguments: List[str]) -> List[str]:
    """The arguments as UTF-8, whatever the locale says. Others would be stored altered, and are refused."""
    decoded = []
    for number, argument in enumerate(arguments, 1):
        try:
            decoded.append(os.fsencode(argument).decode("utf-8"))
        except UnicodeDecodeError:
            raise CommandFailure(BAD_DATA, "argument {} is not valid UTF-8; give bytes that are not UTF-8 text through --file or standard input".format(
                number)) from None
    return decoded


class Options:
    """What was typed: values by the long names of options, and the messages."""

    def __init__(self, arguments: List[str]) -> None:
        self.messages = []  # type: List[str]
        self._given = {}  # type: Dict[str, Any]
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.messages += rest
                break
            if word.startswith("-"):
                self._take(word, rest)
            else:
                self.messages.append(word)

    def has(self, name: str) -> bool:
        """Whether the option is given."""
        return name in self._given

    def text(self, name: str) -> Optional[str]:
        """The option's value; None where it is not given, or without a value."""
        value = self._given.get(name)
        return value if isinstance(value, str) else None

    def duration(self, name: str) -> Optional[timedelta]:
        """The option's value as a span of time."""
        text = self.text(name)
        if text is None:
            return None
        microseconds = _read_duration(text.strip())
        if microseconds is None or microseconds >= _LONGEST:
            raise CommandFailure(WRONG_USE, "{} '{}' is not a duration; write for example 30s, 7d, 500ms or 1h30m".format(name, text))
        return timedelta(microseconds=microseconds)

    def whole(self, name: str, most: int) -> Optional[int]:
        """The option's value as a whole number from 0."""
        text = self.text(name)
        if text is None:
            return None
        if not re.match(r"[0-9]{1,9}\Z", text) or int(text) > most:
            raise CommandFailure(WRONG_USE, "{} '{}' is not a whole number from 0 to {}".format(name, text, most))
        return int(text)

    def pairs(self, name: str) -> Dict[str, str]:
        """The option's values as names with texts: a name ends at the first ``=``."""
        pairs = {}  # type: Dict[str, str]
        for given in self._given.get(name, ()):
            key, equals, value = given.partition("=")
            if not key or not equals:
                raise CommandFailure(WRONG_USE, "{} '{}' is not a name and a value; write {} name=value".format(name, given, name))
            if key in pairs:
                raise CommandFailure(WRONG_USE, "{} gives '{}' twice; give each name once".format(name, key))
            pairs[key] = value
        return pairs

    def _take(self, word: str, rest: List[str]) -> None:
        typed, equals, value = word.partition("=")
        name = _SHORT.get(typed, typed)
        if name in self._given and name not in _REPEATED:
            raise CommandFailure(WRONG_USE, "{} is given twice; give it once".format(name))
        if name in _FLAGS:
            if equals:
                raise CommandFailure(WRONG_USE, "{} takes no value; write {} alone".format(typed, typed))
            self._given[name] = True
        elif name in _WITH_EQUALS_ONLY:
            self._given[name] = value if equals else True
        elif name in _VALUES:
            self._given[name] = value if equals else self._next(typed, name, rest)
        elif name in _REPEATED:
            self._given.setdefault(name, []).append(value if equals else self._next(typed, name, rest))
        elif word == "-":
            raise CommandFailure(WRONG_USE, "'-' alone is no option; standard input is read when no message is given, or with --file -")
        else:
            raise CommandFailure(WRONG_USE, "unknown option {}; --help lists them. A message that begins with '-' goes after '--'".format(typed))

    @staticmethod
    def _next(typed: str, name: str, rest: List[str]) -> str:
        # A lone '-' is the usual name of standard input, and the only value with a dash that can be meant.
        if not rest or (rest[0].startswith("-") and not (rest[0] == "-" and name == "--file")):
            hint = "; a value that begins with '-' is written {}={}".format(typed, rest[0]) if rest else ""
            raise CommandFailure(WRONG_USE, "{} needs a value{}".format(typed, hint))
        return rest.pop(0)


def _read_duration(text: str) -> Optional[float]:
    """Terms from large to small; a number without a unit is refused, for one reader takes it for seconds and the next for milliseconds."""
    if text == "0":
        return 0.0
    total, previous, at = 0.0, _LONGEST, 0
    while at < len(text):
        term = _TERM.match(text, at)
        unit = _MICROSECONDS.get(term.group(2)) if term else None
        if term is None or unit is None or unit >= previous:
            return None
        total, previous, at = total + float(term.group(1)) * unit, unit, term.end()
    return total if text else None
