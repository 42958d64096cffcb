"""``python -m quickq.quickmq``: QuickMQ's own command line."""

import json
import os
import subprocess
import sys
import unittest

import quickq
from spools import PACKAGE, WithAgent


class Command(WithAgent):

    def run_command(self, *arguments, lines=b""):
        child = subprocess.Popen(
            [sys.executable, "-m", "quickq.quickmq"] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE), PYTHONDONTWRITEBYTECODE="1"))
        out, err = child.communicate(lines, timeout=120)
        self.assertEqual(b"", out)
        return child.returncode, err.decode()

    def stored(self):
        return [(exchange, key, json.loads(body.decode()), servers) for exchange, key, body, servers in
                self.rows("SELECT exchange, routing_key, body, trim(servers) FROM message ORDER BY seq")]

    def test_one_object_with_metadata_goes_to_the_servers_of_the_uris(self):
        self.assertEqual((0, ""), self.run_command(
            "-H", "amqp://oper:secret@mq1//", "-X", "satellite", "-T", "{satellite_ID}.{a}.x", "-m", "a=1", "b=x=y", "-D", '{"satellite_ID": "G16"}'))
        self.assertEqual((0, ""), self.run_command("--cluster", "amqp://mq9", "amqp://mq2", "-D", "{}", "--reconnect-delay", "3", "--reconnect-window=-1"))
        self.assertEqual([("satellite", "G16.1.x", {"satellite_ID": "G16", "a": "1", "b": "x=y"}, "mq1"), (None, "", {}, "mq2")], self.stored())

    def test_a_line_without_a_member_of_the_topic_is_passed_by_with_a_warning(self):
        lines = '{"a": "1"}\n\n{"b": "2"}\n{"a": "ü"}'.encode()
        code, err = self.run_command("-H", "amqp://mq1", "-T", "{a}", lines=lines)
        self.assertEqual(0, code)
        self.assertIn("passed by: ", err)
        self.assertIn("'a'", err)
        self.assertEqual(["1", "ü"], [key for _, key, _, _ in self.stored()])
        self.assertEqual((0, ""), self.run_command("-q", "-H", "amqp://mq1", "-T", "{a}", lines=b'{"b": 1}\n'))
        self.assertIn("stored for topic 3: {'mq1': PENDING}", self.run_command("-v", "info", "-H", "amqp://mq1", "-T", "{a}", lines=b'{"a": 3}')[1])

    def test_what_is_no_object_ends_it_and_what_came_before_is_stored(self):
        for line in (b"5", b"{", b'{"a": "\xff"}', b"[]"):
            code, err = self.run_command("-H", "amqp://mq1", lines=b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
            self.assertEqual((65, True), (code, "quickmq: not a JSON object: " in err), err)
        self.assertEqual(4, self.count())
        self.assertEqual(65, self.run_command("-H", "amqp://mq1", "-T", "{a}", "-D", "{}")[0])

    def test_mistakes_in_the_command_line_are_64_and_name_no_password(self):
        for arguments in ((), ("-H", "amqp://mq1", "-m", "a"), ("-H", "amqp://mq1", "-m", "a="), ("-H", "http://u:hunter2@mq1"), ("-v", "loud"), ("--no-such",)):
            code, err = self.run_command(*arguments)
            self.assertEqual(64, code, err)
            self.assertNotIn("hunter2", err)
        self.assertEqual(0, self.count())
        child = subprocess.run([sys.executable, "-m", "quickq.quickmq", "--version"], stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        self.assertEqual("quickmq: quickq {}\n".format(quickq.__version__), child.stdout.decode())

    def test_a_wrong_template_stores_and_reads_nothing(self):
        for template in ("{a", "{a:d}{}", "{a:>9223372036854775800}"):
            code, err = self.run_command("-H", "amqp://mq1", "-T", template, lines=b'{"a": 1}\n')
            self.assertEqual((64, 0), (code, self.count()), err)
            self.assertNotIn("Traceback", err)

    def test_options_may_be_repeated(self):
        self.assertEqual((0, ""), self.run_command("-H", "amqp://mq1", "-H", "amqp://mq2", "-m", "a=1", "-m", "b=2", "-D", "{}"))
        self.assertEqual([(None, "", {"a": "1", "b": "2"}, "mq1 mq2")], self.stored())
        self.assertEqual(65, self.run_command("-H", "amqp://mq1", "-D", "")[0])

    def test_a_closed_standard_input_is_an_error(self):
        child = subprocess.run(["sh", "-c", "exec \"$0\" -m quickq.quickmq -H amqp://mq1 <&-", sys.executable], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        self.assertEqual((74, True), (child.returncode, b"standard input is closed" in child.stderr), child.stderr)

    def test_fast_fail_is_1_without_a_connection_and_nothing_is_stored(self):
        arguments = ("--fast-fail", "-H", "amqp://mq1", "amqp://mq2", "-D", "{}")
        self.assertEqual((1, "quickmq: not connected to mq1, mq2\n"), self.run_command(*arguments))
        self.start_agent(mq1="reconnecting", mq2="connected")
        self.assertEqual((0, ""), self.run_command(*arguments))
        self.assertEqual(1, self.count())

    def test_a_full_spool_is_75(self):
        self.run_sql("UPDATE setting SET value = '1' WHERE name = 'maxSize'")
        code, err = self.run_command("-H", "amqp://mq1", "-D", "{}")
        self.assertEqual((75, True), (code, err.startswith("quickmq: the spool is full")), err)


if __name__ == "__main__":
    unittest.main()
