"""``python -m quickq``: publishes from the shell where ``quickq-spool`` is not installed, with the same options and exit codes."""

import argparse
import os
import sys
from typing import Any, Dict, List, Optional, Tuple

from . import Spool, __version__
from .errors import InvalidMessage, SpoolError
from .intake import Recipe, publish_lines

_EXIT = {
    "IdConflict": 65, "InvalidMessage": 65, "NotASpool": 65, "NotFound": 66, "CannotCreate": 73, "InputOutput": 74, "Damaged": 74,
    "Full": 75, "Busy": 75, "PermissionDenied": 77, "NewerFormat": 78, "UnsuitableFileSystem": 78,
}
_DESCRIPTION = """\
Stores MESSAGE, or --file F, or standard input, to be delivered to every server, and prints its id when it is safe on disk.
A message that begins with '-' goes after '--'."""
_EPILOG = """\
exit codes: 0 stored (with --wait: delivered everywhere); 64 wrong use; 65 bad data; 66 no such file; 69 rejected by a server;
73 the spool cannot be made; 74 input/output error; 75 try later (full, locked, wait timed out); 77 no permission;
78 spool of a newer version."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.exit(64, "quickq: {} (--help lists the options)\n".format(message))


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the program; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BrokenPipeError:
        # What was read is stored; nobody reads the ids any more. Else the interpreter complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 74
    except (SpoolError, InvalidMessage) as failure:
        return _fail(_EXIT.get(failure.fault, 74), str(failure))
    except ValueError as failure:
        return _fail(65, str(failure))
    except FileNotFoundError as failure:
        return _fail(66, "{}: {}".format(failure.filename, failure.strerror))
    except PermissionError as failure:
        return _fail(77, "{}: {}".format(failure.filename, failure.strerror))
    except OSError as failure:
        return _fail(74, str(failure))


def _run(options: argparse.Namespace) -> int:
    if options.message is not None and (options.file is not None or options.lines):
        return _fail(64, "MESSAGE does not go with --file or --lines")
    if options.lines and options.id is not None:
        return _fail(64, "--lines does not go with --id: each message has an id of its own")
    recipe = Recipe(
        topic=options.topic, ssec=options.ssec, exchange=options.exchange, metadata=dict(options.metadata), must_be_json=options.json,
        headers=dict(options.header) or None, content_type=options.content_type, ttl=options.ttl, priority=options.priority,
        message_id=options.id, transient=options.transient)
    with Spool(options.spool) as spool:
        if options.lines:
            ids = publish_lines(spool, recipe, _open(options.file), options.wait is not None)
        else:
            message = recipe.make(_payload(options))
            ids = spool.publish_many([message])
            sys.stdout.write(ids[0] + "\n")
            sys.stdout.flush()
        return 0 if options.wait is None or not ids else _wait(spool, ids, options.wait)


def _wait(spool: Spool, ids: List[str], seconds: float) -> int:
    if spool.wait(ids, seconds):
        return 0
    for message_id in ids:
        refused = sorted(server for server, state in spool.status(message_id).items() if state in ("REJECTED", "DROPPED"))
        if refused:
            return _fail(69, "{} will not get the message {}".format(" and ".join(refused), message_id))
    return _fail(75, "not delivered everywhere within {:g} s; the messages are kept and go on being tried".format(seconds))


def _payload(options: argparse.Namespace) -> bytes:
    if options.message is not None:
        return os.fsencode(options.message).decode("utf-8").encode("utf-8")  # refuses what is not UTF-8
    descriptor = _open(options.file)
    with os.fdopen(descriptor, "rb") as source:
        return source.read()


def _open(file: Optional[str]) -> int:
    if file is None or file in ("-", "/dev/stdin"):
        return os.dup(0)
    return os.open(file, os.O_RDONLY | os.O_CLOEXEC)


def _pair(text: str) -> Tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError("'{}' is not k=v".format(text))
    return name, value


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}  # type: Dict[str, float]
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        return float(number) * units[text[len(number):]]
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError("'{}' is not a duration; write for example 30s, 7d or 500ms".format(text)) from None


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="quickq", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("message", metavar="MESSAGE", nargs="?", help="the payload, byte for byte")
    add("--file", metavar="F", help="read the payload from F ('-' for standard input)")
    add("--lines", action="store_true", help="one message a line, stored as they come in, at most 100 ms after they were read")
    add("-t", "--topic", metavar="KEY", default="", help="the topic (routing key), or a template of it: {satellite_ID}.reserved")
    add("--ssec", action="store_true", help="derive the topic of nine words from the payload")
    add("-x", "--exchange", metavar="NAME", help="the exchange (default: each server's own)")
    add("-m", "--metadata", metavar="K=V", action="append", type=_pair, default=[], help="put a member into the JSON object")
    add("-H", "--header", metavar="K=V", action="append", type=_pair, default=[], help="set an AMQP header")
    add("--json", action="store_true", help="refuse a payload that is not JSON")
    add("--content-type", metavar="TYPE", help="default: application/json for a JSON object or array, else application/octet-stream")
    add("--ttl", metavar="DURATION", type=_seconds, help="give up what is not sent after this time")
    add("--priority", metavar="N", type=int, help="AMQP priority, 0 to 255")
    add("--transient", action="store_true", help="let a broker lose it when it restarts")
    add("--id", metavar="ID", help="an id of your own; the same id and content again stores nothing")
    add("--wait", metavar="30s", nargs="?", const=30.0, type=_seconds, help="wait until every server has it")
    add("--spool", metavar="PATH", help="the spool (default: $QUICKQ_SPOOL, else /var/lib/quickq/spool.db)")
    add("--version", action="version", version="quickq " + __version__)
    return parser


def _fail(code: int, message: str) -> int:
    sys.stderr.write("quickq: {}\n".format(message))
    return code


if __name__ == "__main__":
    sys.exit(main())
