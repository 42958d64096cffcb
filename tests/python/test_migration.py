"""docs/migration.md is true: each row of its table "Every difference" has a test here. The agent is played by SQL and a lock."""

import inspect
import io
import logging
import os
import re
import threading
import time
import unittest
import unittest.mock

import quickq
import quickq.amqp
import quickq.api as mq
import quickq.utils
from quickq import quickmq
from spools import ROOT, WithAgent


def read_page():
    with open(os.path.join(ROOT, "docs", "migration.md"), encoding="utf-8") as text:
        return text.read()


def read_rows():
    """What Quickq does (the last cell), by the first cell."""
    table = read_page().split("## Every difference")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {each[0]: each[2] for each in cells[1:] if not each[0].startswith("-")}


def row(name, *words):
    """A test of the row with this first cell, whose last one has these words."""
    def mark(test):
        def run(self):
            for word in words:
                self.assertIn(word, read_rows()[name])
            test(self)
        run.row = name
        return run
    return mark


class Differences(WithAgent):

    def setUp(self):
        super().setUp()
        self.log = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.log.append((record.name, record.levelname))
        logging.getLogger().addHandler(self.handler)

    def tearDown(self):
        logging.getLogger().removeHandler(self.handler)
        super().tearDown()

    def last(self, column):
        return self.rows("SELECT {} FROM message ORDER BY seq DESC LIMIT 1".format(column))[0][0]

    def test_every_row_has_a_test_and_every_test_a_row(self):
        tested = [getattr(getattr(self, name), "row", None) for name in dir(self) if name.startswith("test_")]
        self.assertEqual(sorted(read_rows()), sorted([name for name in tested if name]))

    def test_the_imports_are_there(self):
        imports = re.findall(r"\| `(?:from|import) (quickq\.\w+)[^`]*` \|$", read_page(), re.MULTILINE)
        self.assertEqual(["quickq.api", "quickq.api", "quickq.amqp", "quickq.utils"], imports)
        for name in ("AmqpClient", "AmqpConnection", "AmqpExchange", "AMQPConnectionError", "ClusteredConnection", "ConnectionStatus", "DeliveryStatus", "StateError"):
            self.assertTrue(hasattr(mq, name), name)
        for name in ("AmqpConnection", "AmqpExchange", "AMQPConnectionError", "ClusteredConnection", "StateError", "URIFormatError"):
            self.assertTrue(hasattr(quickq.amqp, name), name)
        for name in ("INJECTOR_SCRIPT", "SERVER_NAME", "CURRENT_USER", "PAYLOAD_DATETIME_FORMAT", "format_datetime"):
            self.assertTrue(hasattr(quickq.utils, name), name)
        for option in re.findall(r"`(--?[\w-]+)`", read_page().split("takes QuickMQ's options")[1].splitlines()[0]):
            with self.assertRaises(SystemExit) as ended, unittest.mock.patch("sys.stderr", io.StringIO()) as said:
                quickmq.main([option])
            self.assertNotIn("unrecognized", said.getvalue(), (option, ended.exception))

    @row("keys of the dictionaries", "names of the agent's servers")
    def test_keys(self):
        self.assertEqual(["mq1", "mq2"], sorted(mq.publish({})))
        self.assertEqual(["mq1", "mq2"], sorted(mq.status()))

    @row("a server that is away", "`PENDING`", "Never publish it again")
    def test_away(self):
        self.start_agent(mq1="reconnecting")
        mq.connect("mq1")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({}))
        self.settle("mq1", "delivered")  # as the agent does when the server is back
        self.assertEqual({"mq1": "DELIVERED"}, quickq.status(self.last("id")))

    @row("`DROPPED`", "expired", "cancelled")
    def test_dropped(self):
        self.check_states("DROPPED", "expired", "cancelled")

    @row("`REJECTED`", "an operator must decide", "park")
    def test_rejected(self):
        self.check_states("REJECTED", "rejected")

    def check_states(self, word, *states):
        mid = quickq.publish({})
        for state in states:
            self.settle("mq1", state)
            self.assertEqual(word, quickq.status(mid)["mq1"])

    @row("no queue is bound for the routing key", "`DELIVERED`")
    def test_unrouted(self):
        mid = quickq.publish({})
        self.run_sql("UPDATE delivery SET state = 'delivered', reason = 'no queue received it'")
        self.assertEqual("DELIVERED", quickq.status(mid)["mq1"])

    @row("`connect`", "opens nothing", "not kept")
    def test_connect(self):
        before = self.count()
        mq.connect("mq1", user="oper", password="hunter2", vhost="/v")
        self.assertEqual(before, self.count())
        self.assertEqual({"mq1": "PENDING"}, mq.publish({}))
        self.assertNotIn("hunter2", repr(vars(mq._client._connected[0])))

    @row("a host that is not known", "a warning, once", "all servers", "`configure(strict=True)`", "`SpoolError`")
    def test_unknown(self):
        mq.connect("mq9")
        mq.publish({})
        self.assertEqual(["mq1", "mq2"], sorted(mq.publish({})))
        self.assertEqual([("quickq", "WARNING")], [each for each in self.log if each[1] == "WARNING"])
        mq.connect("mq2")
        self.assertEqual(["mq2"], sorted(mq.publish({})))
        mq.configure(strict=True)
        self.assertRaises(quickq.SpoolError, mq.publish, {})

    @row("`connect` without `exchange`", "each server's own `exchange`")
    def test_own_exchange(self):
        mq.connect("mq1")
        mq.publish({})
        self.assertIsNone(self.last("exchange"))

    @row("`publish` without `connect`", "every server of the agent")
    def test_without_connect(self):
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({}))

    @row("`publish(exchange=)`", "the exchange of `connect`")
    def test_exchange_of_publish(self):
        mq.connect("mq1", exchange="a")
        for given, stored in (("x", "x"), ("", "a"), (None, "a")):
            mq.publish({}, exchange=given)
            self.assertEqual(stored, self.last("exchange"))

    @row("two connections to one server with two exchanges", "one answer")
    def test_two_exchanges(self):
        mq.connect("mq1", exchange="a")
        mq.connect("mq1", exchange="b")
        self.start_agent(mq1="connected")
        mq.configure(confirm_wait=30)
        agent = threading.Thread(target=lambda: (self.settle_once_stored("mq1", "delivered")))
        agent.start()
        self.assertEqual({"mq1": "DELIVERED"}, mq.publish({}))
        agent.join()
        self.run_sql("UPDATE server SET connection = 'reconnecting'")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({}))
        self.assertEqual([("a",), ("b",)] * 2, self.rows("SELECT exchange FROM message ORDER BY seq"))

    @row("a cluster", "one server of the agent")
    def test_cluster(self):
        self.run_sql("UPDATE server SET hosts = '[\"c1:5672\", \"c2:5672\"]' WHERE name = 'mq2'")
        mq.connect("c2", "c1", cluster=True)
        self.assertEqual({"mq2": "PENDING"}, mq.publish({}))

    @row("`status()` before the agent has run", "`DISCONNECTED`", "`PENDING`", "`{}`")
    def test_status_before(self):
        self.run_sql("DELETE FROM server")
        self.assertEqual(({}, {}), (mq.status(), mq.publish({})))
        mq.connect("mq1")
        self.assertEqual(({"mq1": "DISCONNECTED"}, {"mq1": "PENDING"}), (mq.status(), mq.publish({})))

    @row("`status()`", "`RECONNECTING`", "blocks", "`DISCONNECTED`", "paused", "no agent runs")
    def test_status(self):
        mq.connect("mq1")
        self.assertEqual({"mq1": "DISCONNECTED"}, mq.status())
        self.start_agent()
        for state, word in (("connected", "CONNECTED"), ("reconnecting", "RECONNECTING"), ("blocked", "RECONNECTING"), ("paused", "DISCONNECTED")):
            self.run_sql("UPDATE server SET connection = ?", state)
            self.assertEqual({"mq1": word}, mq.status())

    @row("how long `publish` takes", "0.25 s", "`configure(confirm_wait=)`", "connected")
    def test_time(self):
        self.assertEqual(0.25, mq.CONFIRM_WAIT)
        self.start_agent(mq1="connected", mq2="reconnecting")
        mq.configure(confirm_wait=0.5)
        start = time.monotonic()
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({}))
        self.assertGreater(time.monotonic() - start, 0.45)

    @row("`AMQPConnectionError`, `StateError`, `TimeoutError`", "never raised")
    def test_errors_that_no_longer_come(self):
        mq.configure(reconnect_window=0.001, reconnect_interval=0.001)
        connection = mq.AmqpConnection("mq1")
        connection.close()
        connection.produce({})
        mq.publish({})
        self.assertTrue(issubclass(mq.AMQPConnectionError, ConnectionError) and issubclass(mq.StateError, Exception))
        for module in (quickq.amqp, mq):
            self.assertNotRegex(inspect.getsource(module), "raise (AMQPConnectionError|StateError|TimeoutError)")

    @row("a full or broken disk, no spool service", "`SpoolFull`", "`SpoolBusy`", "`SpoolError`")
    def test_new_errors(self):
        self.run_sql("UPDATE setting SET value = '1' WHERE name = 'maxSize'")
        self.assertRaises(quickq.SpoolFull, mq.publish, {})
        self.assertTrue(issubclass(quickq.SpoolFull, quickq.SpoolError) and issubclass(quickq.SpoolBusy, quickq.SpoolError))

    @row("a payload that is not JSON", "`InvalidMessage`", "`TypeError`", "`ValueError`", "names the member", "NaN")
    def test_not_json(self):
        for payload in ({"x": object()}, {"x": float("nan")}):
            for kind in (quickq.InvalidMessage, TypeError, ValueError):
                with self.assertRaisesRegex(kind, "'x'"):
                    mq.publish(payload)

    @row("a payload of `bytes`", "as it is")
    def test_bytes(self):
        mq.publish(b"\0\xff")
        self.assertEqual(b"\0\xff", bytes(self.last("body")))

    @row("properties of a message", "persistent", "`json.dumps`")
    def test_properties(self):
        mq.publish({"a": "\xfc"})
        self.assertEqual((b'{"a": "\\u00fc"}', '{"contentType":"application/json"}'), (bytes(self.last("body")), self.last("properties")))

    @row("`configure(reconnect_window=, reconnect_interval=)`", "without a meaning")
    def test_configure(self):
        mq.configure(reconnect_window=3, reconnect_interval=1)
        self.assertEqual((3, 1), (mq._client.reconnect_window, mq._client.reconnect_interval))

    @row("a refused login, an exchange that is missing", "a warning, once", "`PENDING`")
    def test_troubles(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        self.run_sql("UPDATE server SET last_error = 'x refused user y' WHERE name = 'mq2'")
        self.run_sql("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) SELECT id, 'late', 'no exchange', 0, 0 FROM server WHERE name = 'mq1'")
        for _ in range(2):
            self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({}, exchange="late"))
            mq.status()
        self.assertEqual([("quickq", "WARNING")] * 2, [each for each in self.log if each[1] == "WARNING"])

    @row("`disconnect()`, the end of the script", "is delivered")
    def test_disconnect(self):
        mq.connect("mq1")
        mq.publish({})
        mq.disconnect()
        self.assertEqual([("pending",)], self.rows("SELECT state FROM delivery"))

    @row("`refresh_pools()`, `refresh()`, `connected`, `primary`", "do nothing", "between `connect` and `close`")
    def test_connections(self):
        cluster = mq.ClusteredConnection([mq.AmqpConnection("mq1")])
        mq.AmqpClient().refresh_pools()
        cluster.refresh()
        self.assertEqual((False, None), (cluster.connected, cluster.primary))
        cluster.connect()
        self.assertEqual((True, mq.AmqpConnection("mq1")), (cluster.connected, cluster.primary))
        cluster.close()
        self.assertFalse(cluster.connected)

    @row("`produce` of a connection", "True", "the server that the connection names")
    def test_produce(self):
        self.assertTrue(mq.AmqpConnection("mq2").produce({}))
        self.assertEqual(" mq2 ", self.last("servers"))

    @row("URIs", "parameters", "no password")
    def test_uris(self):
        self.assertEqual("amqp://u@h:5672//", str(mq.AmqpConnection.from_uri("amqp://u:p@h//?heartbeat=5")))
        with self.assertRaises(mq.URIFormatError) as raised:
            mq.AmqpConnection.from_uri("amqp://u:hunter2@h:x")
        self.assertNotIn("hunter2", str(raised.exception))

    @row("logs", "`quickq`")
    def test_logs(self):
        logging.getLogger("quickq").setLevel(logging.INFO)
        self.start_agent(mq1="connected")
        mq.status()
        logging.getLogger("quickq").setLevel(logging.NOTSET)
        self.assertEqual({"quickq"}, {name for name, _ in self.log})


if __name__ == "__main__":
    unittest.main()
