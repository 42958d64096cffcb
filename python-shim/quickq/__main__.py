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
        spool = resolve(line.spool)
        target = None if line.skipped is None else (_open_skipped(line.skipped, source, spool), line.skipped)
        client = Client(spool, os.environ.get(SOCKET_VARIABLE), line.spool is not None)
        return run(client, line.command, line.words, source, target)
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


def _open_skipped(path: str, source: "Optional[int]", spool: str) -> int:
    """The file that skipped lines are appended to, opened with the rights of this account; a new one is for this account alone."""
    if path in ("", "-"):
        raise QuickqError(
            "Usage", "--skip-invalid='{}' names no file".format(path), "give a path: --skip-invalid=skipped.ndjson, or ./- for a file of that name")
    for ending in ("", "-wal", "-shm", ".lock"):
        if os.path.abspath(path) == spool + ending or (os.path.exists(path) and os.path.exists(spool + ending) and os.path.samefile(path, spool + ending)):
            raise QuickqError("Usage", "{} belongs to the spool".format(path), "keep the skipped lines in another file")
    try:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        fault = "PermissionDenied" if isinstance(failure, PermissionError) else "CannotCreate"
        raise QuickqError(fault, "cannot open {}: {}".format(path, failure.strerror)) from None
    if stat.S_ISREG(os.fstat(target).st_mode):
        if source is not None and os.path.sameopenfile(source, target):
            raise QuickqError("Usage", "{} is the input itself".format(path), "keep the skipped lines in another file")
        _end_last_line(path, target)
    return target


def _end_last_line(path: str, target: int) -> None:
    """An input may lack the end of its last line, and that line may have been kept: the next one must not be joined to it."""
    try:
        with open(path, "rb") as kept:
            if kept.seek(0, os.SEEK_END) and kept.seek(-1, os.SEEK_END) >= 0 and kept.read(1) != b"\n":
                os.write(target, b"\n")
    except OSError:
        pass  # what is there need not be readable


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
