"""What became of messages and connections; the functions of QuickMQ's API; topics. The agent is played by SQL and a lock."""

import datetime
import os
import threading
import time
import traceback
import unittest

import quickq
import quickq.api as mq
from quickq import ssec, watching
from spools import SpoolTest, events, run_python, start_python

AGENT = (
    "import fcntl, os, struct, sys\n"
    "d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o660)\n"
    "fcntl.fcntl(d, fcntl.F_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))\n"
    "print('runs', flush=True)\n"
    "sys.stdin.read()\n")


class WithAgent(SpoolTest):

    def setUp(self):
        super().setUp()
        os.environ["QUICKQ_SPOOL"] = self.path
        self.make_spool("mq1", "mq2")
        self.agent = None

    def tearDown(self):
        mq.disconnect()
        mq.configure(confirm_wait=0.25)
        watching.observers[:] = []
        self.stop_agent()
        quickq.close()
        del os.environ["QUICKQ_SPOOL"]
        super().tearDown()

    def start_agent(self, **connections):
        self.agent = start_python(AGENT, self.path + ".agent")
        self.agent.stdout.readline()
        for server, state in connections.items():
            self.run_sql("UPDATE server SET connection = ? WHERE name = ?", state, server)

    def stop_agent(self):
        if self.agent is not None:
            self.agent.communicate()
            self.agent = None

    def settle(self, server, state):
        self.run_sql("UPDATE delivery SET state = ? WHERE server = (SELECT id FROM server WHERE name = ?)", state, server)


class Status(WithAgent):

    def test_states_read_as_documented(self):
        message_id = quickq.publish({})
        for state, word in (("pending", "PENDING"), ("deferred", "PENDING"), ("held", "PENDING"), ("delivered", "DELIVERED"),
                            ("rejected", "REJECTED"), ("expired", "DROPPED"), ("cancelled", "DROPPED")):
            self.settle("mq1", state)
            self.assertEqual({"mq1": word, "mq2": "PENDING"}, quickq.status(message_id))

    def test_a_removed_server_is_left_out_unless_it_is_named(self):
        message_id = quickq.publish({})
        self.run_sql("UPDATE server SET active = 0 WHERE name = 'mq2'")
        self.assertEqual({"mq1": "PENDING"}, quickq.status(message_id))
        self.assertEqual({"mq2": "PENDING"}, quickq.status(message_id, "mq2"))

    def test_wait_ends_with_the_delivery_the_refusal_or_the_time(self):
        ids = quickq.publish_many([1, 2])
        self.assertFalse(quickq.wait(ids, 0.05))
        self.settle("mq1", "delivered")
        timer = threading.Timer(0.1, self.settle, ("mq2", "delivered"))
        timer.start()
        self.assertTrue(quickq.wait(ids, 30))
        timer.join()
        self.settle("mq2", "rejected")
        self.assertFalse(quickq.wait(ids))
        self.assertTrue(quickq.wait(ids, None, "mq1"))

    def test_connections_read_as_documented_and_disconnected_without_an_agent(self):
        self.run_sql("UPDATE server SET connection = 'connected'")
        self.assertEqual({"mq1": "DISCONNECTED", "mq2": "DISCONNECTED"}, quickq.connections())
        for state, word in (("connected", "CONNECTED"), ("reconnecting", "RECONNECTING"), ("blocked", "RECONNECTING"),
                            ("paused", "DISCONNECTED"), ("disconnected", "DISCONNECTED")):
            self.stop_agent()
            self.start_agent(mq1=state)
            self.assertEqual(word, quickq.connections()["mq1"])

    def test_a_script_that_only_publishes_hears_of_connections(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        seen = []
        quickq.on_connection_change(lambda server, state: seen.append((server, state)))
        with self.assertLogs("quickq", "INFO") as logs:
            quickq.publish({})
        self.assertEqual([("mq1", "CONNECTED"), ("mq2", "RECONNECTING")], seen)
        self.assertEqual(["INFO:quickq:connection to mq1: established", "INFO:quickq:connection to mq2: reconnecting"], logs.output)
        self.run_sql("UPDATE server SET connection = 'connected'")
        quickq.publish({})
        self.assertEqual(2, len(seen))  # at most once a second
        quickq.connections()
        self.assertEqual(("mq2", "CONNECTED"), seen[2])

    def test_an_observer_that_fails_does_not_fail_the_publish(self):
        @quickq.on_connection_change
        def failing(server, state):
            raise RuntimeError("observer")
        with self.assertLogs("quickq", "ERROR"):
            self.assertTrue(quickq.publish({}))

    def test_the_first_publish_says_once_that_no_agent_ever_ran(self):
        with self.assertLogs("quickq", "WARNING") as logs:
            quickq.publish({})
            quickq._spool()._side().appender._next_look = 0
            quickq.publish({})
        self.assertEqual(1, len([line for line in logs.output if "no agent has ever run" in line]))

    def test_nothing_is_printed_unless_the_program_asks(self):
        code, out, err = run_python("import quickq; quickq.publish({}); quickq.connections()")
        self.assertEqual((0, "", ""), (code, out, err))


class QuickMqScripts(WithAgent):

    def test_what_was_dropped_is_pending_and_enums_equal_their_texts(self):
        mq.connect("mq1", "mq2", user="oper", password="hunter2", exchange="satellite")
        states = mq.publish({"msg": "hi"}, route_key="my.topic")
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, states)
        self.assertEqual("PENDING", str(states["mq1"]))
        self.assertEqual("PENDING PENDING", "{} {!r}".format(states["mq1"], states["mq1"]))
        self.assertIs(mq.DeliveryStatus.PENDING, states["mq1"])
        self.assertEqual({"mq1": "DISCONNECTED", "mq2": "DISCONNECTED"}, mq.status())
        self.assertEqual([("satellite", "my.topic")], self.rows("SELECT exchange, routing_key FROM message"))
        mq.disconnect()
        mq.publish({"msg": "hi"})
        self.assertEqual([(None, "")], self.rows("SELECT exchange, routing_key FROM message WHERE seq > 2"))

    def test_publish_waits_shortly_for_the_connected_servers_only(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        mq.configure(reconnect_window=10, reconnect_interval=1, confirm_wait=20)
        timer = threading.Timer(0.1, self.settle, ("mq1", "delivered"))
        timer.start()
        start = time.monotonic()
        self.assertEqual({"mq1": "DELIVERED", "mq2": "PENDING"}, mq.publish({}))
        self.assertLess(time.monotonic() - start, 15)
        timer.join()

    def test_publish_does_not_wait_where_nobody_can_answer(self):
        mq.configure(confirm_wait=20)
        start = time.monotonic()
        mq.publish({})
        self.assertLess(time.monotonic() - start, 15)

    def test_two_exchanges_are_refused_and_no_password_is_kept(self):
        mq.connect("mq1", user="oper", password="hunter2", exchange="satellite")
        self.assert_no_password(
            "two exchanges are named, 'himawari' and 'satellite'",
            lambda: mq.connect("mq2", user="oper", password="hunter2", exchange="himawari"))
        self.assert_no_password("'x' is of the type object", lambda: mq.publish({"x": object()}))
        self.assert_no_password("two exchanges are named", lambda: mq._client.connect(
            mq.ClusteredConnection([mq.AmqpConnection("mq3", "oper", "hunter2", exchange) for exchange in ("a", "b")])))
        self.assertNotIn("hunter2", repr(vars(mq._client)) + repr([vars(known) for known in mq._client._connected]))

    def assert_no_password(self, expected, call):
        try:
            call()
        except ValueError as failure:
            # assertRaises would have cleared the variables of the frames.
            frames = [frame for frame, _ in traceback.walk_tb(failure.__traceback__) if frame.f_globals["__name__"].startswith("quickq")]
            shown = str(failure) + repr([{name: repr(value) for name, value in frame.f_locals.items()} for frame in frames])
            self.assertTrue(frames)
        self.assertIn(expected, shown)
        self.assertNotIn("hunter2", shown)

    def test_the_classes_are_faces_of_the_same_spool(self):
        client = mq.AmqpClient(name="my_client")
        for server in ("server1", "server2"):
            client.connect(mq.AmqpConnection(server, user="user", password="pass", exchange="satellite"))
        client.connect(mq.ClusteredConnection([mq.AmqpConnection(server, user="user", password="pass") for server in ("c1", "c2")]))
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, client.publish({"msg": "hi"}, route_key="my.topic"))
        self.assertEqual({"mq1": "DISCONNECTED", "mq2": "DISCONNECTED"}, client.connections)
        self.assertEqual("AmqpClient<my_client>", repr(client))
        client.disconnect()
        self.assertEqual([("satellite",)], self.rows("SELECT exchange FROM message"))
        with self.assertRaises(ValueError):
            mq.ClusteredConnection([])


class Topics(unittest.TestCase):

    def test_the_topic_of_every_captured_event_is_derived_from_its_payload(self):
        captured = events()
        self.assertEqual(2000, len(captured))
        for event in captured:
            self.assertEqual(event["__topic__"], ssec.topic_for(event))

    def test_an_unknown_word_passes_with_one_warning(self):
        with self.assertLogs("quickq", "WARNING") as logs:
            for _ in range(3):
                ssec.topic("geo", "goes", "g99", "abi", "file", "realtime", "ncdf", "image", "end")
        self.assertEqual(1, len(logs.output))

    def test_times_are_utc_with_one_decimal(self):
        east = datetime.timezone(datetime.timedelta(hours=2))
        self.assertEqual("2024-06-27 13:30:00.9", ssec.format_datetime(datetime.datetime(2024, 6, 27, 15, 30, 0, 999999, east)))

    def test_the_injector_script_is_user_host_and_path(self):
        self.assertRegex(ssec.injector_script("x.py"), r"^\S+@\S+:/.*/x\.py$")


if __name__ == "__main__":
    unittest.main()
