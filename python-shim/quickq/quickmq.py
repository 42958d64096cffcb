"""QuickMQ's command line: ``python -m quickq.quickmq -H amqp://mq1 -X satellite -T '{satellite_ID}.x' -D '{"satellite_ID": "G16"}'``.

Messages go into the spool, and from there to the servers of the agent that the URIs name, so what is accepted is delivered whatever
becomes of this process. Exit codes: 0 all is stored, 1 ``--fast-fail`` found no connection, 64 a usage error, 65 data that is not a
JSON object or lacks a member of the topic, else those of ``quickq-spool``.
"""

import argparse
import json
import logging
import sys
from typing import Any, Dict, List, Optional, Tuple, Union

from . import __version__
from .api import AmqpClient, AmqpConnection, ClusteredConnection, ConnectionStatus, URIFormatError
from .errors import InvalidMessage, QuickqError
from .template import TopicTemplate

_log = logging.getLogger("quickq")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.print_usage(sys.stderr)
        self.exit(64, "{}: {}\n".format(self.prog, message))


def _pair(text: str) -> Tuple[str, str]:
    name, _, value = text.partition("=")
    if not value:
        raise ValueError
    return name, value


def _template(text: str) -> TopicTemplate:
    try:
        return TopicTemplate(text)
    except InvalidMessage as failure:
        raise argparse.ArgumentTypeError(str(failure)) from None


def _parse(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = _Parser(prog="quickmq", allow_abbrev=False, description="Publish JSON objects with the command line of QuickMQ, through the spool.")
    parser.add_argument("-V", "--version", action="version", version="quickmq: quickq {}".format(__version__))
    parser.add_argument("-H", "--host", dest="hosts", metavar="URI", nargs="+", default=[], action="append",
                        help="AMQP URIs of servers of the agent; may be repeated")
    parser.add_argument("-C", "--cluster", dest="clusters", metavar="URI", nargs="+", default=[], action="append",
                        help="AMQP URIs of one cluster, which is one server of the agent; may be repeated")
    parser.add_argument("-X", "--exchange", default="", help="default: each server's own exchange")
    parser.add_argument("-T", "--topic", metavar="FORMAT", type=_template, default="", help="the routing key, with the payload's members in braces: '{satellite_ID}.x'")
    parser.add_argument("-m", "--metadata", metavar="NAME=VALUE", type=_pair, nargs="+", default=[], action="append",
                        help="members to add to each payload; may be repeated")
    parser.add_argument("-D", "--data", metavar="JSON", help="one JSON object; without it one a line from standard input")
    parser.add_argument("--fast-fail", action="store_true", help="exit with 1 if the agent is connected to none of the servers")
    for unused in ("--reconnect-delay", "--reconnect-window"):
        parser.add_argument(unused, type=float, metavar="SECONDS", help="accepted; the agent reconnects by itself")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("-v", "--verbose", dest="level", type=str.upper, choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], default="WARNING")
    output.add_argument("-q", "--quiet", dest="level", action="store_const", const=None, help="no log on standard error")
    found = parser.parse_args(arguments)
    if not found.hosts and not found.clusters:
        parser.error("at least one server is needed: use --host or --cluster")
    return found


def _publish(client: AmqpClient, text: Union[str, bytes], given: argparse.Namespace, passes_by: bool) -> None:
    try:
        payload = json.loads(text)  # type: Dict[str, Any]
        payload.update(pair for pairs in given.metadata for pair in pairs)
    except (ValueError, AttributeError):
        raise InvalidMessage("InvalidMessage", "not a JSON object: {!r:.100}".format(text)) from None
    try:
        topic = given.topic(payload)
    except InvalidMessage as failure:
        if not passes_by:
            raise
        _log.warning("passed by: %s: %r", failure, text)
        return
    _log.info("stored for topic %s: %s", topic, client.publish(payload, topic, given.exchange))


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command with these arguments, by default those of the process; returns the exit code."""
    given = _parse(arguments)
    if given.level is not None:
        logging.basicConfig(level=given.level)
    client = AmqpClient(name="CLI-CLIENT")
    client.confirm_wait = client.confirm_wait if given.level in ("DEBUG", "INFO") else 0.0  # nobody sees what became of it
    try:
        client.connect_all([AmqpConnection.from_uri(uri) for uris in given.hosts for uri in uris]
                           + [ClusteredConnection.from_uris(*uris) for uris in given.clusters])
        if given.fast_fail and ConnectionStatus.CONNECTED not in client.connections.values():
            sys.stderr.write("quickmq: not connected to {}\n".format(", ".join(sorted(client.connections))))
            return 1
        if given.data is not None:
            _publish(client, given.data, given, False)
            return 0
        if sys.stdin is None:
            sys.stderr.write("quickmq: standard input is closed; give the message with --data\n")
            return 74
        for line in sys.stdin.buffer:
            if line.strip():
                _publish(client, line.strip(), given, True)
    except (QuickqError, URIFormatError) as failure:
        sys.stderr.write("quickmq: {}\n".format(failure))
        return getattr(failure, "code", 64)
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
