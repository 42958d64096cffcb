"""``python -m quickq``: the command line that it shares with ``quickq-spool add``, and its intake of lines."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from quickq import __main__ as shell
from spools import PACKAGE, ROOT, SpoolTest, eventually, vectors


class Vectors(SpoolTest):

    def run_here(self, vector):
        """In this process, with files for its streams: a process for each would take a minute."""
        with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
            source.write(vector.get("stdin", "").encode())
            source.seek(0)
            with standing_in(0, source), standing_in(1, output), contextlib.redirect_stderr(io.StringIO()) as errors:
                code = shell.main(vector["arguments"])
            output.seek(0)
            return code, output.read().decode().split(), errors.getvalue()

    def test_a_command_line_does_what_the_vector_says(self):
        for vector in vectors("command-lines.json")["commands"]:
            with self.subTest(vector["name"]):
                self.tearDown()
                self.setUp()
                os.environ["QUICKQ_SPOOL"] = self.path
                self.addCleanup(os.environ.pop, "QUICKQ_SPOOL", None)
                code, ids, errors = self.run_here(vector)
                self.assertEqual(vector.get("code", 0), code, errors)
                self.assertIn(vector.get("says", ""), errors)
                self.assertEqual("says" in vector, bool(errors), errors)
                self.assertEqual([self.expected(row) for row in vector["rows"]], self.stored())
                self.assertEqual([row[0] for row in self.rows("SELECT id FROM message ORDER BY seq")] if vector["rows"] else [], ids)

    @staticmethod
    def expected(row):
        return row["exchange"], row["routing_key"], row["properties"], row["body"].encode(), row.get("lifetime")

    def stored(self):
        if self.count() == 0:
            return []
        return [(exchange, key, json.loads(properties), body, lifetime) for exchange, key, properties, body, lifetime in self.rows(
            "SELECT exchange, routing_key, properties, body, expires_at - created_at FROM message ORDER BY seq")]


class Processes(SpoolTest):

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "quickq", "--spool", self.path] + list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE), PYTHONDONTWRITEBYTECODE="1", **options))

    def run_shell(self, *arguments, **options):
        stdin = options.pop("stdin", b"")
        child = self.start(*arguments, **options)
        out, err = child.communicate(stdin, timeout=120)
        return child.returncode, out.decode(), err.decode()

    def test_a_message_is_stored_and_its_id_printed(self):
        code, out, err = self.run_shell("-t", "ü".encode(), "é".encode(), LC_ALL="C")
        self.assertEqual((0, ""), (code, err))
        self.assertEqual([(out.strip(), "ü", "é".encode())], self.rows("SELECT id, routing_key, body FROM message"))

    def test_what_is_not_utf8_is_refused(self):
        code, out, err = self.run_shell(b"\xff")
        self.assertEqual((65, ""), (code, out))
        self.assertIn("argument 3 is not valid UTF-8; give bytes that are not UTF-8 text through --file", err)

    def test_help_and_version_are_shown(self):
        from quickq import __version__

        self.assertEqual((0, "quickq {}\n".format(__version__), ""), self.run_shell("--version"))
        code, out, err = self.run_shell("-h")
        self.assertEqual((0, ""), (code, err))
        self.assertIn("usage: python3 -m quickq [options] [MESSAGE]", out)

    def test_lines_are_stored_while_the_input_stays_open_and_a_signal_loses_none(self):
        stored = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            child = self.start("--lines")
            child.stdin.write(b"one\ntwo\nhal")
            child.stdin.flush()
            ids = [child.stdout.readline().decode().strip() for _ in range(2)]
            child.send_signal(number)
            self.assertEqual(0, child.wait(60))
            err = child.stderr.read().decode()
            for stream in (child.stdin, child.stdout, child.stderr):
                stream.close()
            self.assertEqual("quickq: stopped by a signal after line 2; 2 messages are stored; an unfinished line was not\n", err)
            self.assertEqual([(ids[0], b"one"), (ids[1], b"two")], self.rows("SELECT id, body FROM message WHERE seq > ? ORDER BY seq", stored))
            stored += 2

    def test_a_second_signal_ends_it_as_it_would_without_us(self):
        child = self.start("--lines")
        child.stdin.write(b"one\n")
        child.stdin.flush()
        child.stdout.readline()
        holder = subprocess.Popen(["flock", self.path + ".lock", "sh", "-c", "echo held; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdout.readline()
        child.stdin.write(b"two\n")
        child.stdin.flush()
        eventually("the second line waits for the lock, in a thread of its own", lambda: len(os.listdir("/proc/%d/task" % child.pid)) > 1)
        eventually("signals end it", lambda: child.send_signal(signal.SIGTERM) or child.poll() is not None, 20)
        self.assertEqual(-signal.SIGTERM, child.returncode)
        holder.communicate()
        child.communicate()
        self.assertEqual([(b"one",)], self.rows("SELECT body FROM message"))

    def test_when_standard_output_breaks_it_says_up_to_where_all_is_stored(self):
        child = self.start("--lines")
        child.stdout.close()
        child.stdout = None
        _, err = child.communicate(b"one\ntwo\n", timeout=60)
        self.assertEqual(74, child.returncode)
        self.assertIn("standard output: Broken pipe; stopped after line 2: all 2 messages up to there are stored", err.decode())
        self.assertEqual(2, self.count())

    def test_ssec_topics_are_derived(self):
        with open(os.path.join(ROOT, "tests", "data", "ssec-events.ndjson"), "rb") as events:
            lines = events.read().split(b"\n")[:50]
        code, _, err = self.run_shell("--lines", "--ssec", stdin=b"\n".join(lines))
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(
            [json.loads(line.decode())["__topic__"] for line in lines], [key for key, in self.rows("SELECT routing_key FROM message ORDER BY seq")])


@contextlib.contextmanager
def standing_in(descriptor, file):
    """The file has the number of a standard stream."""
    kept = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)


if __name__ == "__main__":
    unittest.main()
