"""Publishing: what is stored, what comes back, and what is refused."""

import contextlib
import datetime
import json
import os
import pickle
import re
import signal
import socket
import sqlite3
import threading
import time
import traceback
import unittest

import quickq
from quickq import client
from spools import SpoolTest, events, pause


class Publishing(SpoolTest):

    def test_the_id_is_a_uuid_of_version_7_of_this_moment(self):
        message_id = self.spool.publish({})
        self.assertRegex(message_id, r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        made = int(message_id[:8] + message_id[9:13], 16) / 1000
        self.assertLess(abs(time.time() - made), 60)

    def test_a_payload_is_stored_byte_for_byte_as_json_dumps_writes_it(self):
        payloads = events()[:200] + [{"text": "ü \U0001f680 \u2028"}, [1, 2.5, None, True], "text", 17, None, {"nested": {"a": [{}]}}, {1: "one"}]
        self.spool.publish_many(payloads)
        stored = [row[0] for row in self.rows("SELECT body FROM message ORDER BY seq")]
        self.assertEqual([json.dumps(payload).encode() for payload in payloads], stored)
        self.assertEqual([('{"contentType":"application/json"}',)], self.rows("SELECT DISTINCT properties FROM message"))

    def test_bytes_go_as_they_are_and_their_type_is_seen(self):
        for body, kind in ((b'{"a": 1}', "application/json"), (b" [1]\n", "application/json"), (b"{not json}", "application/octet-stream"),
                           (b"17", "application/octet-stream"), (b"[NaN]", "application/octet-stream"), (b"", "application/octet-stream"),
                           (b"\x00\xff", "application/octet-stream"), (bytearray(b"x"), "application/octet-stream")):
            message_id = self.spool.publish(body)
            ((stored, properties),) = self.rows("SELECT body, properties FROM message WHERE id = ?", message_id)
            self.assertEqual((bytes(body), kind), (stored, json.loads(properties)["contentType"]))

    def test_many_have_their_order_and_their_own_keys(self):
        ids = self.spool.publish_many(
            [{"key": "a"}, quickq.Message({"key": "b"}, route_key="own", message_id="mine", headers={"h": 1}), {"key": "c"}],
            lambda payload: payload["key"])
        self.assertEqual([(ids[0], "a"), ("mine", "own"), (ids[2], "c")], self.rows("SELECT id, routing_key FROM message ORDER BY seq"))
        self.assertEqual([], self.spool.publish_many([]))

    def test_of_many_with_a_bad_one_none_is_stored(self):
        self.make_spool()
        for bad in ({"x": object()}, quickq.Message(b"x" * (16 * 1024 * 1024 + 1)), quickq.Message({}, message_id="a b")):
            with self.assertRaises(ValueError):
                self.spool.publish_many([{"good": 1}, bad, {"good": 2}])
        self.assertEqual(0, self.count())

    def test_a_time_to_live_is_seconds_or_a_timedelta(self):
        for ttl in (1.5, datetime.timedelta(milliseconds=1500)):
            message_id = self.spool.publish({}, ttl=ttl)
            self.assertEqual([(1500000,)], self.rows("SELECT expires_at - created_at FROM message WHERE id = ?", message_id))

    def test_the_module_functions_use_the_spool_of_the_environment(self):
        os.environ["QUICKQ_SPOOL"] = self.path
        self.addCleanup(os.environ.pop, "QUICKQ_SPOOL", None)
        self.addCleanup(quickq.close)
        self.assertEqual({}, quickq.status(quickq.publish({"a": 1}, route_key=None)))
        self.assertEqual(2, len(quickq.publish_many([1, 2])))
        self.assertEqual({}, quickq.connections())
        self.assertEqual(3, self.count())

    def test_an_empty_file_counts_as_no_spool(self):
        open(self.path, "w").close()
        with self.assertRaises(quickq.SpoolError):
            self.spool.status("x")
        self.spool.publish({})
        self.assertEqual(1, self.count())

    def test_the_routing_key_has_two_names(self):
        self.spool.publish({}, routing_key="a")
        self.spool.publish_many([{}, quickq.Message({}, routing_key="c")], routing_key=lambda _: "b")
        self.assertEqual([("a",), ("b",), ("c",)], self.rows("SELECT routing_key FROM message ORDER BY seq"))
        with self.assertRaisesRegex(quickq.InvalidMessage, "both route_key and routing_key are given"):
            self.spool.publish({}, "a", routing_key="b")

    def test_a_message_goes_to_the_servers_that_are_named(self):
        self.make_spool("mq1", "mq2", "mq3")
        self.run_sql("UPDATE server SET active = 0 WHERE name = 'mq3'")
        one = self.spool.publish({}, servers=["mq3", "mq1"])
        many = self.spool.publish_many([{}, quickq.Message({}, servers="mq2")], servers=(name for name in ["mq1"]))
        self.assertEqual({"mq1": "PENDING", "mq3": "PENDING"}, self.spool.status(one))
        self.assertEqual([{"mq1": "PENDING"}, {"mq2": "PENDING"}], [self.spool.status(message_id) for message_id in many])
        self.assertEqual(["mq1", "mq3"], self.spool.details(one)["servers"])
        self.assertEqual(os.geteuid(), self.spool.details(one)["addedBy"])
        with self.assertRaisesRegex(quickq.SpoolError, "(?s)no server 'mq9'.*mq1, mq2, mq3") as caught:
            self.spool.publish({}, servers=["mq1", "mq9"])
        self.assertEqual(("UnknownServer", 66), (caught.exception.fault, caught.exception.code))
        for none in ([], [""], [1]):
            with self.assertRaises(quickq.InvalidMessage):
                self.spool.publish({}, servers=none)
        self.assertEqual(3, self.rows("SELECT count(*) FROM message")[0][0])

    def test_a_service_that_knows_no_servers_gets_no_message_for_some(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(self.folder, "spool.sock"))
        listener.listen()
        received = []

        def serve():
            connection = listener.accept()[0]
            received.append(connection.recv(65536))
            answer = b'{"protocol": 1, "version": "0.2.0", "spool": "s", "rights": "use"}'
            connection.sendall((len(answer) + 1).to_bytes(4, "big") + b"j" + answer)
            received.append(connection.recv(65536))
            connection.close()
            listener.close()
            os.unlink(os.path.join(self.folder, "spool.sock"))

        old = threading.Thread(target=serve)
        old.start()
        with self.assertRaisesRegex(quickq.SpoolError, "older than this package"):
            self.spool.publish({}, servers=["mq1"])
        old.join()
        self.assertEqual(b"h", received[0][4:5])
        self.assertEqual(b"", received[1])

    def test_a_spool_in_a_deep_folder_is_reached(self):
        folder = os.path.join(self.folder, "f" * 100, "g" * 100)
        os.makedirs(folder, 0o700)
        deep = quickq.Spool(os.path.join(folder, "spool.db"))
        message_id = deep.publish({})
        self.assertEqual({}, deep.status(message_id))
        deep.close()
        self.folder, outer, here = folder, self.folder, os.getcwd()
        os.chdir(folder)  # the name is too long for a socket
        self.stop_service()
        self.folder = outer
        os.chdir(here)

    def test_the_same_id_and_content_is_stored_once(self):
        self.assertEqual(["i", "i"], [self.spool.publish({"a": 1}, message_id="i") for _ in range(2)])
        self.assertEqual(1, self.count())


class BadInput(SpoolTest):

    def refused(self, pattern, *arguments, **options):
        self.make_spool()
        with self.assertRaises(ValueError) as caught:
            self.spool.publish(*arguments, **options)
        self.assertRegex(str(caught.exception), pattern)
        self.assertEqual(0, self.count())

    def test_what_is_not_json_is_named(self):
        loop = {}
        loop["self"] = loop
        deep = []
        for _ in range(100000):
            deep = [deep]
        for pattern, payload in (
                ("member 'a.b\\[1\\]' is of the type set", {"a": {"b": [1, set()]}}), ("member 'x' is nan", {"x": float("nan")}),
                ("member '\\[0\\]' is inf", [float("inf")]), ("it is of the type datetime", datetime.datetime.now()),
                ("member 'a' contains an unpaired surrogate", {"a": "\ud800"}), ("an unpaired surrogate", {"\udfff": 1}),
                ("has a name that is not text", {(1, 2): 3}), ("member 'self' contains itself", loop), ("nested too deeply", deep)):
            with self.subTest(pattern):
                self.refused("the payload is not JSON: .*" + pattern, payload)
                self.tearDown()
                self.setUp()

    def test_what_amqp_cannot_carry_is_refused(self):
        self.refused("the routing key has 256 bytes, AMQP allows 255", {}, "k" * 256)
        self.refused("the routing key is of the type int, not text", {}, 5)
        self.refused("the value of header 'when' is not valid in AMQP", {}, headers={"when": datetime.datetime.now()})
        self.refused("the value of header 'big' is not valid in AMQP", {}, headers={"big": 1 << 63})
        self.refused("the value of header 'x' is not valid in AMQP", {}, headers={"x": float("inf")})
        self.refused("the header name is of the type int", {}, headers={1: 1})
        self.refused("the priority must be a whole number from 0 to 255", {}, priority=256)
        self.refused("the time to live must be more than zero", {}, ttl=-1)
        self.refused("the id must have 1 to 255 characters", {}, message_id="x" * 256)

    def test_what_cannot_be_added_at_once_is_refused(self):
        self.refused("the message has 67,1[0-9]{2},[0-9]{3} bytes, at most 67,108,864 can be added at once", b"x" * 67108864)

    def test_every_error_has_the_one_base_and_can_be_sent_to_another_process(self):
        for kind in (quickq.InvalidMessage, quickq.SpoolBusy, quickq.SpoolError, quickq.SpoolFull):
            self.assertTrue(issubclass(kind, quickq.QuickqError))
            error = pickle.loads(pickle.dumps(kind("Fault", "it failed", "do that", "/path")))
            self.assertEqual((kind, "Fault", "it failed", "do that", "/path"), (type(error), error.fault, error.message, error.hint, error.path))
        self.assertTrue(issubclass(quickq.InvalidMessage, ValueError) and issubclass(quickq.InvalidMessage, TypeError))


class Trouble(SpoolTest):

    def fails(self, kind, fault, pattern, spool=None):
        with self.assertRaises(kind) as caught:
            (spool or self.spool).publish({})
        self.assertEqual(fault, caught.exception.fault)
        self.assertRegex(str(caught.exception), "(?s)" + pattern)
        self.assertTrue(caught.exception.hint)

    def test_a_newer_format_is_neither_written_nor_read(self):
        message_id = self.spool.publish({})
        self.spool.close()
        self.run_sql("PRAGMA user_version=3")
        self.run_sql("UPDATE setting SET value = '3' WHERE name IN ('format', 'oldestWriter')")
        self.fails(quickq.SpoolError, "NewerFormat", "has format 3, this program knows format 2")
        for read in (lambda: self.spool.status(message_id), self.spool.connections):
            with self.assertRaises(quickq.SpoolError) as caught:
                read()
            self.assertEqual("NewerFormat", caught.exception.fault)

    def test_the_folder_is_missing(self):
        self.fails(quickq.SpoolError, "CannotCreate", "the folder .*/none does not exist.*mkdir",
                   quickq.Spool(os.path.join(self.folder, "none", "spool.db")))

    def test_it_is_not_a_spool(self):
        with open(self.path, "w") as file:
            file.write("hello " * 1000)
        self.must_be_sound = False
        self.fails(quickq.SpoolError, "NotASpool", "is not a Quickq spool; it was left as it is")
        os.unlink(self.path)
        with contextlib.closing(sqlite3.connect(self.path)) as theirs:  # what is no spool has no lock
            theirs.execute("CREATE TABLE theirs (x)")
        self.fails(quickq.SpoolError, "NotASpool", "is not a Quickq spool; it was left as it is")

    def test_a_folder_that_others_may_write_is_refused(self):
        os.chmod(self.folder, 0o770)
        self.fails(quickq.SpoolError, "PermissionDenied", "others may write to the folder .*chmod go-w " + self.folder)
        os.chmod(self.folder, 0o755)
        self.spool.publish({})

    def test_an_account_without_a_right_is_told_so(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to become somebody else")
        self.spool.publish({})
        for mode in (0o755, 0o700):
            os.chmod(self.folder, mode)
            child = os.fork()
            if child == 0:
                os.setgroups([])
                os.setgid(61934)
                os.setuid(61934)
                try:
                    self.spool.publish({})
                except quickq.SpoolError as refusal:
                    os._exit(0 if refusal.fault == "PermissionDenied" and "permission denied" in str(refusal) else 1)
                os._exit(2)
            self.assertEqual(0, os.waitpid(child, 0)[1], mode)

    def test_without_the_program_the_package_and_the_wheel_are_named(self):
        os.environ["QUICKQ_PROGRAM"], before = "/no/such/program", os.environ["QUICKQ_PROGRAM"]
        try:
            self.fails(quickq.SpoolError, "NoService", "/no/such/program.*the package quickq .*ssec-quickq.agent.")
        finally:
            os.environ["QUICKQ_PROGRAM"] = before

    def test_a_service_that_cannot_start_says_why(self):
        program = os.path.join(self.folder, "program")
        with open(program, "w") as script:
            script.write("#!/bin/sh\necho the reason >&2\nexit 78\n")
        os.chmod(program, 0o700)
        os.environ["QUICKQ_PROGRAM"], before = program, os.environ["QUICKQ_PROGRAM"]
        client._START, usual = 0.1, client._START
        try:
            self.fails(quickq.SpoolError, "NoService", "could not be started: the reason")
        finally:
            os.environ["QUICKQ_PROGRAM"], client._START = before, usual

    def test_the_socket_of_the_environment_is_asked(self):
        self.spool.publish({})
        os.environ["QUICKQ_SOCKET"] = os.path.join(self.folder, "spool.sock")
        try:
            self.assertEqual({}, quickq.status(quickq.publish({})))
            self.assertEqual(2, self.count())
            self.stop_service()
            client._CONNECT, usual = 0.1, client._CONNECT
            with self.assertRaisesRegex(quickq.SpoolBusy, "no spool service listens at"):
                quickq.publish({})
            client._CONNECT = usual
        finally:
            quickq.close()
            del os.environ["QUICKQ_SOCKET"]

    def test_a_service_that_does_not_answer_is_busy_and_a_repeat_is_stored_once(self):
        self.make_spool()
        pid = self.service()
        client.ANSWER, usual = 0.5, client.ANSWER
        pause(pid)
        try:
            with self.assertRaisesRegex(quickq.SpoolBusy, "may have been stored, its id is mine") as caught:
                self.spool.publish({}, message_id="mine")
            self.assertIn("message_id", caught.exception.hint)
        finally:
            os.kill(pid, signal.SIGCONT)
            client.ANSWER = usual
        self.spool.publish({}, message_id="mine")
        self.assertEqual(1, self.count())

    def test_the_reserve_that_the_agent_gave_up_is_not_for_new_messages(self):
        self.spool.publish({})
        self.run_sql("INSERT INTO setting (name, value) VALUES ('reserveMissing', '4611686018427387904')")
        self.fails(quickq.SpoolFull, "Full", "the disk is nearly full: .*minFreeDisk")
        self.run_sql("DELETE FROM setting WHERE name = 'reserveMissing'")
        self.spool.publish({})

    def test_the_spool_is_full_until_there_is_room_again(self):
        self.make_spool()
        self.run_sql("UPDATE setting SET value = '20000' WHERE name = 'maxSize'")
        self.fails(quickq.SpoolFull, "Full", "the spool is full: .*maxSize")
        self.run_sql("UPDATE setting SET value = '2000000' WHERE name = 'maxSize'")
        self.spool.publish({})

    def test_an_unknown_message_and_a_missing_spool_are_told_apart(self):
        with self.assertRaises(quickq.SpoolError) as caught:
            self.spool.status("none")
        self.assertIn("there is no spool at", str(caught.exception))
        self.spool.publish({})
        with self.assertRaises(quickq.SpoolError) as caught:
            self.spool.status("none")
        self.assertIn("there is no message none", str(caught.exception))

    def test_a_traceback_names_the_file_and_no_payload(self):
        try:
            self.spool.publish({"password": "hunter2", "x": object()})
        except ValueError:
            self.assertNotIn("hunter2", re.sub(r"self\.spool\.publish\(.*", "", traceback.format_exc()))


if __name__ == "__main__":
    unittest.main()
