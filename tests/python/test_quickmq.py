"""Scripts written for QuickMQ: its functions, classes and errors. The agent is played by SQL and a lock."""

import inspect
import threading
import time
import traceback
import unittest
import warnings

import quickq
import quickq.api as mq
from spools import WithAgent


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
        self.assertEqual([(None, "")], self.rows("SELECT exchange, routing_key FROM message ORDER BY seq DESC LIMIT 1"))

    def test_publish_waits_shortly_for_the_connected_servers_only(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        mq.configure(reconnect_window=10, reconnect_interval=1, confirm_wait=20)
        agent = threading.Thread(target=self.settle_once_stored, args=("mq1", "delivered"))
        agent.start()
        start = time.monotonic()
        self.assertEqual({"mq1": "DELIVERED", "mq2": "PENDING"}, mq.publish({}))
        self.assertLess(time.monotonic() - start, 15)
        agent.join()

    def test_publish_does_not_wait_where_nobody_can_answer(self):
        mq.configure(confirm_wait=20)
        start = time.monotonic()
        mq.publish({})
        self.assertLess(time.monotonic() - start, 15)

    def test_no_password_is_kept(self):
        mq.connect("mq1", user="oper", password="hunter2", exchange="satellite")
        mq.connect("mq1", "mq2", user="oper", password="hunter2", exchange="himawari", cluster=True)
        assert_no_password(self, "'x' is of the type object", lambda: mq.publish({"x": object()}))
        mq.configure(strict=True)
        assert_no_password(self, "no server of the agent has the host 'mq9'", lambda: mq.connect("mq9", user="oper", password="hunter2"))
        members = [vars(member) for known in mq._client._connected for member in known.members]
        self.assertEqual(3, len(members))
        self.assertNotIn("hunter2", repr(vars(mq._client)) + repr([vars(known) for known in mq._client._connected]) + repr(members))

    def test_an_empty_exchange_is_that_of_connect_as_it_was(self):
        mq.publish({}, "default.of.amqp", exchange="")
        mq.connect("mq1", exchange="satellite")
        mq.publish({}, exchange="")
        mq.publish({}, exchange="himawari")
        self.assertEqual([("",), ("satellite",), ("himawari",)], self.rows("SELECT exchange FROM message ORDER BY seq"))

    def test_a_script_may_look_before_anything_was_published(self):
        with self.another_spool():
            self.assertEqual({}, mq.status())
            self.assertEqual({}, mq.AmqpClient().connections)

    def test_what_is_given_in_vain_reads_as_in_quickmq(self):
        mq.configure(reconnect_window=7, reconnect_interval=3)
        self.assertEqual((7, 3), (mq._client.reconnect_window, mq._client.reconnect_interval))
        mq.configure()
        self.assertEqual((-1.0, 15), (mq._client.reconnect_window, mq._client.reconnect_interval))
        for wrong in (-1, float("nan")):
            with self.assertRaises(ValueError):
                mq.configure(confirm_wait=wrong)
        self.assertTrue(issubclass(mq.AMQPConnectionError, ConnectionError))
        self.assertTrue(issubclass(mq.URIFormatError, ValueError))

    def test_a_delivered_message_that_is_removed_at_once_does_not_fail_the_publish(self):
        self.start_agent(mq1="connected")
        timer = threading.Timer(0.1, self.run_sql, ("DELETE FROM message",))
        timer.start()
        mq.configure(confirm_wait=0.5)
        self.assertIn(mq.publish({}), ({}, {"mq1": "PENDING", "mq2": "PENDING"}))
        timer.join()


class Classes(WithAgent):

    def test_they_are_faces_of_the_same_spool(self):
        client = mq.AmqpClient(name="my_client")
        for server in ("server1", "server2"):
            client.connect(mq.AmqpConnection(server, user="user", password="pass", exchange="satellite"))
        client.connect(mq.ClusteredConnection([mq.AmqpConnection(server, user="user", password="pass") for server in ("c1", "c2")]))
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, client.publish({"msg": "hi"}, route_key="my.topic"))
        self.assertEqual({"mq1": "DISCONNECTED", "mq2": "DISCONNECTED"}, client.connections)
        self.assertEqual(("AmqpClient<my_client>", "my_client"), (repr(client), client.name))
        client.refresh_pools()
        client.disconnect()
        self.assertEqual([("satellite",)], self.rows("SELECT exchange FROM message"))
        mq.publish({"msg": "hi"})
        self.assertEqual([("satellite",), (None,)], self.rows("SELECT exchange FROM message ORDER BY seq"))

    def test_a_connection_says_what_it_was_given_but_for_the_password(self):
        connection = mq.AmqpConnection("h", "u", "hunter2", "e", "/v", 99)
        self.assertEqual(("h", "u", "e", "/v", 99), (connection.host, connection.user, connection.exchange, connection.vhost, connection.port))
        self.assertEqual("amqp://u@h:99/v/e", connection.identifier)
        self.assertEqual("amqp://guest@h:5672//", str(mq.AmqpConnection("h")))
        for uri, expected in (
                ("amqp://u:hunter2@h:99/%2Fv", "amqp://u@h:99/v/"), ("amqp://", "amqp://guest@localhost:5672//"),
                ("amqp://h/", "amqp://guest@h:5672//"), ("amqp://u:hunter2@h//", "amqp://u@h:5672//"),
                ("AMQPS://h:5671//?heartbeat=30&cacertfile=/x", "amqp://guest@h:5671//"), ("amqp://h?heartbeat=5", "amqp://guest@h:5672//"),
                ("amqps://u%40x:hun@ter2@[::1]:1/v", "amqp://u@x@[::1]:1v/")):
            connection = mq.AmqpConnection.from_uri(uri)
            self.assertEqual(expected, connection.identifier)
            self.assertNotIn("hunter2", repr(vars(connection)))

    def test_connections_compare_as_in_quickmq(self):
        one, same = mq.AmqpConnection("h", "u", "a", "e"), mq.AmqpConnection("h", "u", "b", "e")
        self.assertEqual((one, hash(one)), (same, hash(same)))
        self.assertNotEqual(one, mq.AmqpConnection("h", "u", "a", "f"))
        others = [mq.AmqpConnection("x"), mq.AmqpConnection("y")]
        self.assertEqual(mq.ClusteredConnection(others), mq.ClusteredConnection(reversed(others)))
        self.assertNotEqual(mq.ClusteredConnection(others), mq.ClusteredConnection(others[:1]))
        client = mq.AmqpClient()
        client.connect(one)
        client.connect(same)
        client.disconnect(same)
        with self.assertRaisesRegex(ValueError, "not connected to amqp://u@h:5672//e"):
            client.disconnect(one)

    def test_a_connection_alone_publishes_to_every_server_too(self):
        cluster = mq.ClusteredConnection.from_uris("amqp://u:p@c1", "amqp://u:p@c2")
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            old = mq.AmqpExchange("h", exchange="satellite")
        self.assertEqual([DeprecationWarning], [warning.category for warning in warned])
        for connection in (cluster, old):
            self.assertFalse(connection.connected)
            connection.connect()
            connection.refresh()
            self.assertTrue(connection.connected)
            self.assertTrue(connection.produce({"msg": "hi"}, route_key="k"))
            connection.close()
            self.assertFalse(connection.connected)
        self.assertIsNone(cluster.primary)
        self.assertEqual([(None, "k"), ("satellite", "k")], self.rows("SELECT exchange, routing_key FROM message ORDER BY seq"))
        self.assertEqual([(4,)], self.rows("SELECT count(*) FROM delivery"))

    def test_what_is_no_uri_is_refused_without_its_password(self):
        for wrong in ("http://u:hunter2@h", "amqp://u:hunter2@h:port", "amqp://u:hunter2@h:65536", "amqp://u:hunter2@h/a/b", "amqp://u:hunter2@h///", "amqp://u:hunter2@h/#v", 5):
            assert_no_password(self, "this is no AMQP URI", lambda: mq.AmqpConnection.from_uri(wrong))
            assert_no_password(self, "this is no AMQP URI", lambda: mq.ClusteredConnection.from_uris("amqp://u:hunter2@h", wrong))
        with self.assertRaisesRegex(ValueError, "a cluster needs at least one connection"):
            mq.ClusteredConnection([])


class Contract(unittest.TestCase):

    def test_names_parameters_and_defaults_are_as_promised(self):
        for function, expected in (
                (quickq.publish, "(message, route_key='', exchange=None, *, servers=None, headers=None, content_type=None, ttl=None, priority=None, "
                                 "message_id=None, transient=False, routing_key=None)"),
                (quickq.Spool.publish, "(self, message, route_key='', exchange=None, *, servers=None, headers=None, content_type=None, ttl=None, "
                                       "priority=None, message_id=None, transient=False, routing_key=None)"),
                (quickq.status, "(message_id, *servers)"), (quickq.wait, "(message_id, timeout=None, *servers)"),
                (quickq.connections, "()"), (quickq.on_connection_change, "(observer)"),
                (mq.configure, "(reconnect_window=None, reconnect_interval=None, confirm_wait=None, strict=None)"),
                (mq.connect, "(host, *hosts, user=None, password=None, exchange=None, port=None, vhost=None, cluster=False)"),
                (mq.publish, "(message, route_key=None, exchange=None)"), (mq.status, "()"), (mq.disconnect, "()"),
                (mq.AmqpClient, "(max_reconnect_time=None, time_between_reconnects=None, name=None)"),
                (mq.AmqpClient.connect, "(self, exchange)"), (mq.AmqpClient.disconnect, "(self, exchange=None)"),
                (mq.AmqpClient.publish, "(self, message, route_key=None, exchange=None)"),
                (mq.AmqpConnection, "(host, user=None, password=None, exchange=None, vhost=None, port=None)"),
                (mq.ClusteredConnection, "(connections)")):
            signature = inspect.signature(function)
            bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
            shown = signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
            self.assertEqual(expected, str(shown), function)

    def test_members_equal_their_texts(self):
        self.assertEqual(["DELIVERED", "PENDING", "REJECTED", "DROPPED"], list(mq.DeliveryStatus))
        self.assertEqual(["CONNECTED", "RECONNECTING", "DISCONNECTED"], list(mq.ConnectionStatus))
        for member in list(mq.DeliveryStatus) + list(mq.ConnectionStatus):
            self.assertEqual((member.name, hash(member.name)), (str(member), hash(member)))


def assert_no_password(test, expected, call):
    failure = None
    try:
        call()
    except (ValueError, quickq.SpoolError) as raised:
        # assertRaises would have cleared the variables of the frames.
        failure = raised
    seen = []
    while failure is not None:
        seen.append(str(failure))
        frames = [frame for frame, _ in traceback.walk_tb(failure.__traceback__) if frame.f_globals["__name__"].startswith("quickq")]
        seen += [repr({name: repr(value) for name, value in frame.f_locals.items()}) for frame in frames]
        test.assertTrue(frames)
        failure = failure.__cause__ or failure.__context__
    test.assertIn(expected, "".join(seen))
    test.assertNotIn("hunter2", "".join(seen))


if __name__ == "__main__":
    unittest.main()
