"""Which servers ``quickq.api.connect`` means, and what a script sees of them. The agent is played by SQL and a lock."""

import logging
import unittest

import quickq
import quickq.api as mq
from quickq.choosing import choose, choose_known, matching
from spools import WithAgent


def known(**servers):
    return [{"name": name, "hosts": hosts} for name, hosts in servers.items()]


TWO = known(mq1=["mq1.ssec.wisc.edu:5672"], mq2=["mq2.ssec.wisc.edu:5671"])


class Matching(unittest.TestCase):

    def test_a_host_is_a_name_or_a_configured_host(self):
        addresses = known(a=["10.1.2.3:5672", "[2001:db8::1]:5672"], b=["localhost:5673"], c=[])
        twins = known(x=["mq.ssec.wisc.edu:5672"], y=["mq.cimss.wisc.edu:5672"])
        same = known(x=["both.ssec.wisc.edu:5672"], y=["both.ssec.wisc.edu:5673"])
        short = known(mq1=["10.1.2.3:5672"], y=["node2:5672"])
        for servers, host, port, expected in (
                (TWO, "mq1", None, ["mq1"]), (TWO, "MQ1", None, ["mq1"]), (TWO, "mq1.", 5672, ["mq1"]), (TWO, "mq1", 5671, []),
                (TWO, "mq2.SSEC.wisc.edu.", None, ["mq2"]), (TWO, "mq2.ssec.wisc.edu", 5671, ["mq2"]), (TWO, "mq2.ssec.wisc.edu", 5672, []),
                (TWO, "mq1.cimss.wisc.edu", None, []), (TWO, "mq3", None, []), (TWO, "mq", None, []), (TWO, "", None, []),
                (addresses, "10.1.2.3", None, ["a"]), (addresses, "10", None, []), (addresses, "2001:db8::1", 5672, ["a"]), (addresses, "[2001:db8::1]", None, ["a"]),
                (addresses, "localhost", 5672, []), (addresses, "localhost", 5673, ["b"]), (addresses, "c", 1234, ["c"]),
                (twins, "mq", None, []), (twins, "mq.cimss.wisc.edu", None, ["y"]),
                (same, "both.ssec.wisc.edu", None, ["x", "y"]), (same, "both.ssec.wisc.edu", 5673, ["y"]), (same, "both", 5672, ["x"]),
                (short, "mq1.ssec.wisc.edu", None, ["mq1"]), (short, "node2.ssec.wisc.edu", 5672, ["y"]), (short, "node2.ssec.wisc.edu", 1, []),
                (known(mq1=["mq1:5672"], mq2=["mq2"]), "mq2", 7, ["mq2"]), ([{"name": "old"}], "old", None, ["old"])):
            self.assertEqual(expected, matching(host, port, servers), (host, port, servers))

    def test_connections_choose_servers_and_exchanges(self):
        one, other = mq.AmqpConnection("mq1", exchange="a"), mq.AmqpConnection("mq2", exchange="b")
        bare, unknown = mq.AmqpConnection("mq2"), mq.AmqpConnection("mq9", exchange="c")
        cluster = mq.ClusteredConnection([unknown, mq.AmqpConnection("mq2"), one])
        for connections, exchange, groups, servers, missing in (
                ([], None, [(None, None)], None, []), ([], "x", [("x", None)], None, []), ([], "", [("", None)], None, []),
                ([one], None, [("a", ["mq1"])], ["mq1"], []), ([one], "", [("a", ["mq1"])], ["mq1"], []), ([one], "x", [("x", ["mq1"])], ["mq1"], []),
                ([one, other], None, [("a", ["mq1"]), ("b", ["mq2"])], ["mq1", "mq2"], []), ([one, other], "x", [("x", ["mq1", "mq2"])], ["mq1", "mq2"], []),
                ([one, bare], None, [("a", ["mq1"]), (None, ["mq2"])], ["mq1", "mq2"], []),
                ([one, mq.AmqpConnection("mq1", exchange="b")], None, [("a", ["mq1"]), ("b", ["mq1"])], ["mq1"], []),
                ([one, mq.AmqpConnection("MQ1", exchange="a")], None, [("a", ["mq1"])], ["mq1"], []),
                ([unknown, one], None, [("a", ["mq1"])], ["mq1"], ["mq9"]), ([unknown], None, [("c", None)], None, ["mq9"]),
                ([cluster], None, [("c", ["mq2"])], ["mq2"], [])):
            choice = choose(connections, TWO, exchange)
            self.assertEqual((groups, servers, missing), (choice.groups, choice.servers, list(choice.unknown)), (connections, exchange))
        self.assertEqual([("a", None), ("b", None)], choose([one, other, bare], []).groups)


class Scripts(WithAgent):

    def setUp(self):
        super().setUp()
        self.run_sql("UPDATE server SET hosts = json_array(name || '.ssec.wisc.edu:5672')")
        self.warnings = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.warnings.append(record.getMessage()) if record.levelno == logging.WARNING else None
        logging.getLogger("quickq").addHandler(self.handler)

    def tearDown(self):
        logging.getLogger("quickq").removeHandler(self.handler)
        super().tearDown()

    def test_only_the_servers_that_were_connected_get_messages(self):
        mq.connect("MQ1.ssec.wisc.edu.", exchange="satellite")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({"n": 1}))
        self.assertEqual({"mq1": "DISCONNECTED"}, mq.status())
        mq.connect("mq2", port=5672, exchange="himawari")
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({"n": 2}))
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({"n": 3}, exchange="other"))
        mq.disconnect()
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({"n": 4}))
        self.assertEqual(
            [("satellite", "mq1"), ("satellite", "mq1"), ("himawari", "mq2"), ("other", "mq1 mq2"), (None, None)],
            self.rows("SELECT exchange, trim(servers) FROM message ORDER BY seq"))
        self.assertEqual([], self.warnings)

    def test_an_unknown_host_is_one_warning_and_an_error_where_the_script_is_strict(self):
        mq.connect("mq9", exchange="satellite")
        for _ in range(2):
            self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({}))
        self.assertEqual(
            ["no server of the agent has the host 'mq9': all servers get the messages; the servers are: "
             "mq1 (mq1.ssec.wisc.edu:5672), mq2 (mq2.ssec.wisc.edu:5672)"], self.warnings)
        mq.connect("mq2", exchange="satellite")
        self.assertEqual({"mq2": "PENDING"}, mq.publish({}))
        mq.configure(strict=True)
        stored = self.count()
        for call in (mq.publish, lambda _: mq.connect("mq1", "mq8"), lambda _: mq.status()):
            with self.assertRaisesRegex(quickq.SpoolError, "no server of the agent has the host 'mq[89]'"):
                call({})
        self.assertEqual(stored, self.count())
        self.assertEqual(1, len(self.warnings))

    def test_it_is_told_when_no_chosen_server_is_left_and_all_get_the_messages(self):
        class Agent:
            path = None
            servers = TWO

            def known_servers(self, again=False):
                return self.servers

        agent, told = Agent(), set()
        for servers, added in ((TWO, ["mq9"]), (TWO, []), (known(other=[]), ["mq1", "mq9"]), (known(other=[]), []), (TWO, [])):
            agent.servers = servers
            del self.warnings[:]
            choose_known(agent, [mq.AmqpConnection("mq1"), mq.AmqpConnection("mq9")], None, False, told)
            self.assertEqual(added, [warning.split("'")[1] for warning in self.warnings], (servers, self.warnings))

    def test_a_uri_is_a_host_too_and_no_password_is_shown(self):
        mq.connect("amqp://oper:hunter2@mq1//?heartbeat=5", exchange="satellite")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({}))
        mq.connect("amqp://oper:hunter2@mq9//")
        with self.assertRaises(ValueError) as raised:
            mq.connect("oper:hunter2@mq1")
        with self.assertRaisesRegex(TypeError, "a host is a string, not list"):
            mq.connect(["mq1", "mq2"])
        self.assertIn("'mq9'", self.warnings[0])
        self.assertNotIn("hunter2", str(self.warnings) + str(raised.exception))

    def test_a_port_that_no_server_has_is_named(self):
        mq.connect("mq1", port=5671)
        mq.publish({})
        self.assertIn("the host 'mq1:5671'", self.warnings[0])

    def test_a_connection_alone_publishes_to_the_server_that_it_names(self):
        mq.AmqpConnection("mq2", exchange="satellite").produce({"n": 1})
        mq.ClusteredConnection.from_uris("amqp://u:p@mq8//", "amqp://u:p@mq1.ssec.wisc.edu:5672").produce({"n": 2}, "k", "himawari")
        self.assertEqual([("satellite", "", "mq2"), ("himawari", "k", "mq1")], self.rows("SELECT exchange, routing_key, trim(servers) FROM message ORDER BY seq"))

    def test_while_no_server_is_known_what_was_connected_is_disconnected_and_pending(self):
        self.stop_service()
        self.run_sql("DELETE FROM server")
        mq.connect("mq1", "mq2", exchange="satellite")
        mq.connect("c1", "c2", cluster=True)
        self.assertEqual({"mq1": "DISCONNECTED", "mq2": "DISCONNECTED", "c1": "DISCONNECTED"}, mq.status())
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING", "c1": "PENDING"}, mq.publish({}))
        self.assertEqual([("satellite", None)], self.rows("SELECT exchange, servers FROM message"))
        mq.configure(strict=True)
        with self.assertRaisesRegex(quickq.SpoolError, "'mq1' is not known: the spool knows no server yet\nhint: start the agent"):
            mq.publish({})

    def test_before_there_is_a_spool_what_was_connected_is_disconnected(self):
        with self.another_spool():
            mq.connect("mq1")
            self.assertEqual({"mq1": "DISCONNECTED"}, mq.status())

    def test_a_server_that_is_no_longer_configured_is_not_chosen(self):
        self.run_sql("UPDATE server SET active = 0 WHERE name = 'mq2'")
        mq.connect("mq2")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({}))
        self.assertEqual(1, len(self.warnings))

    def test_a_server_that_was_forgotten_since_the_last_look_costs_no_message(self):
        mq.connect("mq1", "mq2")
        mq.publish({"n": 1})
        self.run_sql("DELETE FROM delivery WHERE server = (SELECT id FROM server WHERE name = 'mq2')")
        self.run_sql("DELETE FROM server WHERE name = 'mq2'")
        self.assertEqual({"mq1": "PENDING"}, mq.publish({"n": 2}))
        self.assertEqual(2, self.count())

    def test_a_suspended_exchange_and_a_refused_login_are_one_warning_each_while_they_last(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        self.run_sql("UPDATE server SET last_error = ?", "10.1.2.3:5672 refused user 'oper' for vhost '/': wrong user name or password")
        self.run_sql("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) SELECT id, 'late', 'no exchange', 0, 0 FROM server WHERE name = 'mq1'")
        expected = ["mq1: the exchange 'late' is suspended: no exchange; its messages wait in the spool",
                    "mq2: the login is refused: 10.1.2.3:5672 refused user 'oper' for vhost '/': wrong user name or password; its messages wait in the spool"]
        for _ in range(2):
            mq.status()
            self.assertEqual(expected, self.warnings)
        self.run_sql("DELETE FROM suspension")
        mq.status()
        self.run_sql("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) SELECT id, 'late', 'again', 0, 0 FROM server WHERE name = 'mq1'")
        mq.status()
        self.assertEqual(expected + ["mq1: the exchange 'late' is suspended: again; its messages wait in the spool"], self.warnings)

    def test_publish_does_not_wait_for_an_exchange_that_is_suspended_nor_for_other_servers(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        self.run_sql("INSERT INTO suspension (server, exchange, reason, since, next_probe_at) SELECT id, 'late', 'no exchange', 0, 0 FROM server WHERE name = 'mq1'")
        mq.configure(confirm_wait=3600)  # the test would never end
        self.assertEqual({"mq1": "PENDING", "mq2": "PENDING"}, mq.publish({}, exchange="late"))
        mq.connect("mq2")
        self.assertEqual({"mq2": "PENDING"}, mq.publish({}))


if __name__ == "__main__":
    unittest.main()
