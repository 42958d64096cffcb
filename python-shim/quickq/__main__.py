"""``python -m quickq``: publishes from the shell where ``quickq-spool`` is not installed, with the options and exit codes of its ``add``."""

import logging
import os
import signal
import stat
import sys
from typing import List, Optional

from . import Spool, SpoolError, __version__
from .arguments import (
    BAD_DATA, INPUT_OUTPUT, NO_INPUT, NO_PERMISSION, REJECTED, TRY_LATER, WRONG_USE, CommandFailure, Options, decode, exit_code_of)
from .intake import Recipe, publish_lines, write_ids

_MOST = 512 * 1024 * 1024  # RabbitMQ takes no larger body whatever its settings
_WAIT = 30.0
_HELP = """\
usage: python3 -m quickq [options] [MESSAGE]

Stores MESSAGE, or --file F, or standard input up to its end, to be delivered to every server, and prints its id when it is
safe on disk. No agent, server or network is needed for that.

  --file F             read the payload from F ('-' for standard input)
  -t, --topic KEY      the topic (routing key), or a template of it: {satellite_ID}.reserved, {a[b]}, {{ and }} for braces
  --ssec               derive the SSEC's nine-word topic from the JSON payload
  -x, --exchange NAME  the exchange (default: each server's own)
  -m, --metadata K=V   put a member into the JSON object; may be repeated
  -H, --header K=V     set an AMQP header; may be repeated
  --json               refuse a payload that is not JSON
  --content-type TYPE  default: application/json for a JSON object or array, else application/octet-stream
  --ttl DURATION       give up what is not sent after this time (default: never)
  --priority N         AMQP priority, 0 to 255
  --transient          let a broker lose it when it restarts (delivery mode 1)
  --id ID              an id of your own; the same id and content again stores nothing
  --lines              one message a line, stored as they come in, at most 100 ms after they were read; an id a line
  --wait[=30s]         wait until every server has it (value only after '=')
  --spool PATH         the spool to use (default: $QUICKQ_SPOOL, else /var/lib/quickq/spool.db)
  --version            show the version
  -h, --help           show this text

A word that begins with '-' is an option. A message that does goes after '--'.

exit codes: 0 stored (with --wait: delivered everywhere); 64 wrong use; 65 bad data; 66 no such file; 69 rejected by a server;
73 the spool cannot be made; 74 input/output error; 75 try later (full, locked, wait timed out); 77 no permission;
78 spool of a newer version.
"""


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the program; returns its exit code."""
    _show_warnings_about_topics()
    try:
        return _run(Options(decode(sys.argv[1:]) if arguments is None else arguments))
    except KeyboardInterrupt:
        # Ends as every program does that does not know the signal.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 128 + signal.SIGINT
    except (CommandFailure, SpoolError, ValueError, OSError) as failure:
        # What was typed is quoted: it must neither break the line nor steer the terminal.
        sys.stderr.write("quickq: {}\n".format("".join(c if c.isprintable() else "?" for c in str(failure))))
        return exit_code_of(failure)


def _run(options: Options) -> int:
    if options.has("--help"):
        sys.stdout.write(_HELP)
        return 0
    if options.has("--version"):
        sys.stdout.write("quickq {}\n".format(__version__))
        return 0
    recipe = Recipe(options)
    seconds = None if not options.has("--wait") else _seconds(options)
    _require_one_source(options)
    with Spool(options.text("--spool")) as spool:
        if options.has("--lines"):
            ids = publish_lines(spool, recipe, _open(options.text("--file")), seconds is not None)
        else:
            message = recipe.make(_payload(options))
            ids = spool.publish_many([message])
            try:
                write_ids(ids)
            except OSError as failure:
                raise CommandFailure(INPUT_OUTPUT, "standard output: {}; the message is stored, its id is {}".format(failure.strerror, ids[0])) from None
        return 0 if seconds is None or not ids else _wait(spool, ids, seconds)


def _seconds(options: Options) -> float:
    given = options.duration("--wait")
    return _WAIT if given is None else given.total_seconds()


def _require_one_source(options: Options) -> None:
    if len(options.messages) > 1:
        raise CommandFailure(WRONG_USE, "{} messages are given, one is taken; put quotes around it, or give one message a line with --lines".format(
            len(options.messages)))
    if options.messages and options.has("--file"):
        raise CommandFailure(WRONG_USE, "both MESSAGE and --file are given; give one of them")
    if options.has("--lines") and (options.messages or options.has("--id")):
        raise CommandFailure(WRONG_USE, "--lines does not go with {}".format(
            "MESSAGE; lines come from standard input or --file" if options.messages else "--id; each message has an id of its own"))


def _wait(spool: Spool, ids: List[str], seconds: float) -> int:
    if spool.wait(ids, seconds):
        return 0
    for message_id in ids:
        refused = sorted(server for server, state in spool.status(message_id).items() if state in ("REJECTED", "DROPPED"))
        if refused:
            raise CommandFailure(REJECTED, "{} will not get the message {}".format(" and ".join(refused), message_id))
    raise CommandFailure(TRY_LATER, "not delivered everywhere within {:g} s; the messages are kept, and delivery goes on".format(seconds))


def _payload(options: Options) -> bytes:
    if options.messages:
        return options.messages[0].encode("utf-8")
    with os.fdopen(_open(options.text("--file")), "rb") as source:
        payload = source.read(_MOST + 1)
    if len(payload) > _MOST:
        raise CommandFailure(BAD_DATA, "the payload is larger than 512 MiB; no RabbitMQ server takes such a message, send where it lies instead")
    return payload


def _open(file: Optional[str]) -> int:
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write("quickq: reading from the terminal; end with Ctrl-D, or give up with Ctrl-C\n")
    if file is None or file in ("-", "/dev/stdin"):
        return os.dup(0)
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as failure:
        code = NO_INPUT if isinstance(failure, (FileNotFoundError, NotADirectoryError)) \
            else NO_PERMISSION if isinstance(failure, PermissionError) else INPUT_OUTPUT
        raise CommandFailure(code, "cannot open {}: {}".format(file, failure.strerror)) from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CommandFailure(NO_INPUT, "--file {} is a folder; name a file".format(file))
    return descriptor


def _show_warnings_about_topics() -> None:
    """The other messages of the logger are for programs: a script that runs every minute must not mail what it already knows."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("quickq: warning: %(message)s"))
    handler.addFilter(lambda record: record.module == "ssec")
    logging.getLogger("quickq").addHandler(handler)


if __name__ == "__main__":
    sys.exit(main())
