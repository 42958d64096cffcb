"""What became of messages and connections; topics. The agent is played by SQL and a lock."""

import threading
import unittest

import quickq
from quickq import ssec
from spools import WithAgent, events, run_python

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

    def test_an_outcome_needs_no_waiting_and_details_have_the_reasons(self):
        message_id = quickq.publish({}, "a.b", exchange="e")
        self.assertEqual("waiting", quickq.outcome(message_id))
        self.run_sql("UPDATE delivery SET state = 'rejected', reason = 'too large' WHERE server = 1")
        self.assertEqual("never", quickq.outcome(message_id))
        self.assertEqual("waiting", quickq.outcome(message_id, "mq2"))
        self.settle("mq1", "delivered")
        self.settle("mq2", "delivered")
        self.assertEqual("delivered", quickq.outcome([message_id]))
        found = quickq.details(message_id)
        self.assertEqual((message_id, "e", "a.b"), (found["id"], found["exchange"], found["routingKey"]))
        self.assertEqual([("mq1", "delivered", "too large"), ("mq2", "delivered", None)], [
            (delivery["server"], delivery["state"], delivery["reason"]) for delivery in found["deliveries"]])
        with self.assertRaisesRegex(quickq.SpoolError, "there is no message none"):
            quickq.details("none")

    def test_a_server_that_is_not_there_is_named(self):
        message_id = quickq.publish({})
        for look in (lambda: quickq.status(message_id, "mq1", "mq9"), lambda: quickq.wait(message_id, 5, "mq9")):
            with self.assertRaises(quickq.SpoolError) as caught:
                look()
            self.assertEqual("NotFound", caught.exception.fault)
            self.assertRegex(str(caught.exception), "(?s)there is no server 'mq9'.*mq1, mq2")

    def test_a_wait_sees_connections_change(self):
        self.start_agent(mq1="connected", mq2="reconnecting")
        message_id = quickq.publish({})
        seen = []

        @quickq.on_connection_change
        def settle(server, state):
            seen.append((server, state))
            self.settle("mq1", "delivered")
            self.settle("mq2", "delivered")

        timer = threading.Timer(0.1, self.run_sql, ("UPDATE server SET connection = 'connected'",))
        timer.start()
        self.assertTrue(quickq.wait(message_id, 60))
        timer.join()
        self.assertEqual([("mq2", "CONNECTED")], seen)

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
        self.run_sql("DELETE FROM server")
        with self.assertLogs("quickq", "WARNING") as logs:
            quickq.publish({})
            quickq._spool()._use().watch._next = 0
            quickq.publish({})
        self.assertEqual(1, len([line for line in logs.output if "no agent runs" in line]))

    def test_nothing_is_printed_unless_the_program_asks(self):
        code, out, err = run_python("import logging, quickq; quickq.publish({}); quickq.connections()")
        self.assertEqual((0, "", ""), (code, out, err))


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

    def test_the_injector_script_is_user_host_and_path(self):
        self.assertRegex(ssec.injector_script("x.py"), r"^\S+@\S+:/.*/x\.py$")


if __name__ == "__main__":
    unittest.main()
