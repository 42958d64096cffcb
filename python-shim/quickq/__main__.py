"""``python -m quickq ARGUMENTS`` is ``quickq-spool ARGUMENTS`` through the spool service; without a command, ``add``."""

import os
import signal
import stat
import sys

from .address import SOCKET_VARIABLE, resolve
from .client import Client
from .command_line import CommandLine
from .errors import QuickqError
from .running import OutputFailure, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional


def main(words: "Optional[List[str]]" = None) -> int:
    """Runs the command; returns its exit code."""
    _occupy_closed_streams()
    try:
        line = CommandLine(_decode(sys.argv[1:]) if words is None else words)
        source = _open(line) if line.reads_input(os.isatty(0)) else None
        client = Client(resolve(line.spool), os.environ.get(SOCKET_VARIABLE), line.spool is not None)
        return run(client, line.command, line.words, source)
    except KeyboardInterrupt:
        # Ends as every program does that does not know the signal.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 128 + signal.SIGINT
    except OutputFailure as failure:
        if failure.args[0] is None:
            return 0
        _say(failure.args[0])
        return 74
    except QuickqError as failure:
        _say(str(failure))
        return failure.code


def _open(line: CommandLine) -> int:
    """The descriptor to read from: a file is opened here, with the rights of this account."""
    if line.reads_standard_input():
        return 0
    try:
        descriptor = os.open(str(line.file), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as failure:
        fault = "NotFound" if isinstance(failure, (FileNotFoundError, NotADirectoryError)) \
            else "PermissionDenied" if isinstance(failure, PermissionError) else "InputOutput"
        raise QuickqError(fault, "cannot open {}: {}".format(line.file, failure.strerror)) from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        raise QuickqError("NotFound", "--file {} is a folder".format(line.file), "name a file")
    return descriptor


def _decode(arguments: "List[str]") -> "List[str]":
    """The arguments as UTF-8, whatever the locale says. Others would be stored altered, and are refused."""
    decoded = []
    for number, argument in enumerate(arguments, 1):
        try:
            decoded.append(os.fsencode(argument).decode("utf-8"))
        except UnicodeDecodeError:
            raise QuickqError(
                "InvalidMessage", "argument {} is not valid UTF-8".format(number), "use --file or standard input for other bytes") from None
    return decoded


def _occupy_closed_streams() -> None:
    """Whatever is opened later must not get the number of a closed stream. What stands in for it refuses what the stream was for."""
    for stream, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free


def _say(text: str) -> None:
    # What was typed is quoted: it must not steer the terminal.
    lines = "".join(c if c.isprintable() or c == "\n" else "?" for c in "quickq: {}\n".format(text))
    try:
        os.write(2, lines.encode("utf-8", "replace"))
    except OSError:
        pass  # standard error is closed: the exit code remains


if __name__ == "__main__":
    sys.exit(main())
