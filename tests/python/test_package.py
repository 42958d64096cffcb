"""The package as it is shipped: copies that must equal their masters, doctests, start-up time, the shell face."""

import doctest
import glob
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import unittest

import quickq
from spools import PACKAGE, ROOT, SpoolTest

SHIM = os.path.join(ROOT, "python-shim")


def read(*names):
    with open(os.path.join(*names), "rb") as file:
        return file.read()


class Copies(unittest.TestCase):

    def test_the_schema_is_that_of_the_spool_library(self):
        (master,) = glob.glob(os.path.join(ROOT, "spool", "Schema", "*.sql"))
        self.assertEqual(read(master), read(PACKAGE, "schema.sql"), "cp {} python-shim/quickq/schema.sql".format(master))

    def test_the_table_of_topics_is_that_of_the_spool_library(self):
        self.assertEqual(read(ROOT, "spool", "Ssec", "topics.json"), read(PACKAGE, "topics.json"))

    def test_the_version_and_the_licence_are_those_of_the_project(self):
        version = re.search(b"<Version>(.*)</Version>", read(ROOT, "Directory.Build.props")).group(1).decode()
        self.assertEqual(version, quickq.__version__)
        self.assertEqual(read(ROOT, "LICENSE"), read(SHIM, "LICENSE"))


class Documentation(unittest.TestCase):

    def test_the_examples_of_every_module_are_true(self):
        tried = 0
        for path in sorted(glob.glob(os.path.join(PACKAGE, "*.py"))):
            name = os.path.basename(path)[:-3]
            module = importlib.import_module("quickq" if name == "__init__" else "quickq." + name)
            outcome = doctest.testmod(module)
            self.assertEqual(0, outcome.failed, module.__name__)
            tried += outcome.attempted
        self.assertGreater(tried, 20)


class Start(unittest.TestCase):

    def test_importing_brings_in_nothing_that_takes_time(self):
        # The time itself is measured by tests/bench; here only what would cost it: modules that most scripts do not have yet.
        code = "import sys; before = set(sys.modules); import quickq; print(' '.join(sorted(set(sys.modules) - before)))"
        output = subprocess.check_output([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        new = output.decode().split()
        self.assertIn("quickq", new)
        self.assertFalse({"sqlite3", "json", "logging", "subprocess", "asyncio", "ctypes", "uuid"} & set(new), new)
        self.assertLess(len(new), 20, new)


class Shell(SpoolTest):

    def run_shell(self, *arguments, **options):
        child = subprocess.Popen(
            [sys.executable, "-m", "quickq", "--spool", self.path] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        out, err = child.communicate(options.get("stdin", b""), timeout=60)
        return child.returncode, out.decode(), err.decode()

    def test_a_message_is_stored_as_quickq_spool_would(self):
        code, out, err = self.run_shell("-t", "{satellite_ID}.reserved", "-x", "satellite", "-m", "a=b", "-H", "h=v", '{"satellite_ID": "G16"}')
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(
            [(out.strip(), "satellite", "G16.reserved", b'{"satellite_ID":"G16","a":"b"}')],
            self.rows("SELECT id, exchange, routing_key, body FROM message"))

    def test_exit_codes_are_those_of_quickq_spool(self):
        for expected, arguments in (
                (64, ["--bogus"]), (64, ["x", "--file", "y"]), (64, ["--ttl", "5", "x"]), (65, ["--json", "{"]), (65, ["-t", "{a}", "{}"]),
                (65, ["-t", "k" * 256, "x"]), (65, ["--priority", "300", "x"]), (66, ["--file", self.path + ".none"]),
                (73, ["--spool", self.path + "/no/spool.db", "x"]), (75, ["--wait=50ms", "x"]), (0, ["--help"])):
            code, _, err = self.run_shell(*arguments)
            self.assertEqual(expected, code, (arguments, err))

    def test_lines_are_stored_up_to_the_bad_one_which_is_named(self):
        code, out, err = self.run_shell("--lines", "-t", "{t}", stdin=b'{"t":"a"}\r\n\n{"t":"b"}\n{"t":"%s"}\n{"t":"c"}' % (b"k" * 256))
        self.assertEqual(65, code)
        self.assertIn("line 4: the routing key has 256 bytes", err)
        self.assertEqual(self.rows("SELECT id FROM message ORDER BY seq"), [(line,) for line in out.split()])
        self.assertEqual([("a",), ("b",)], self.rows("SELECT routing_key FROM message ORDER BY seq"))

    def test_lines_are_stored_while_the_input_stays_open_and_sigterm_loses_none(self):
        child = subprocess.Popen(
            [sys.executable, "-m", "quickq", "--spool", self.path, "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        child.stdin.write(b"one\ntwo\nhal")
        child.stdin.flush()
        ids = [child.stdout.readline().decode().strip() for _ in range(2)]
        child.send_signal(signal.SIGTERM)
        self.assertEqual(0, child.wait(30))
        child.stdin.close()
        child.stdout.close()
        self.assertEqual([(ids[0], b"one"), (ids[1], b"two")], self.rows("SELECT id, body FROM message ORDER BY seq"))

    def test_a_reader_that_goes_away_ends_the_intake_without_a_traceback(self):
        child = subprocess.Popen(
            [sys.executable, "-m", "quickq", "--spool", self.path, "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        child.stdout.close()
        child.stdout = None
        _, err = child.communicate(b"one\ntwo\n", timeout=60)
        self.assertEqual((74, b""), (child.returncode, err))
        self.assertEqual(2, self.count())

    def test_ssec_topics_are_derived(self):
        lines = read(ROOT, "tests", "data", "ssec-events.ndjson").split(b"\n")[:50]
        code, _, err = self.run_shell("--lines", "--ssec", stdin=b"\n".join(lines))
        self.assertEqual((0, ""), (code, err))
        self.assertEqual([json.loads(line.decode())["__topic__"] for line in lines], [key for key, in self.rows("SELECT routing_key FROM message ORDER BY seq")])


if __name__ == "__main__":
    unittest.main()
