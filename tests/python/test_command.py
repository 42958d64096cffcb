"""``python -m quickq``: a command of quickq-spool through the service, with streams, signals and exit codes of its own."""

import json
import os
import signal
import subprocess
import sys
import unittest

from quickq import QuickqError
from quickq.command_line import COMMANDS, CommandLine
from spools import PACKAGE, ROOT, SpoolTest, command, eventually, pause


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Words(unittest.TestCase):

    def test_a_command_is_never_a_message_and_anything_else_is_one(self):
        for words, expected in (
                (["hello"], ["add", "hello"]), (["--", "status"], ["add", "--", "status"]), (["status"], ["status"]),
                (["--spool", "x", "list", "--json"], ["list", "--json"]), (["-t", "list", "hello"], ["add", "-t", "list", "hello"]),
                (["-t", "a", "status"], ["status", "-t", "a"]), (["--lines"], ["add", "--lines"]), ([], ["add"]), (["--version"], ["--version"]),
                (["--help"], ["--help"]), (["help", "add"], ["help", "add"]), (["add", "status"], ["add", "status"]),
                (["--file", "x", "--json"], ["add", "--file", "-", "--json"]), (["--file=-"], ["add", "--file", "-"])):
            self.assertEqual(expected, CommandLine(words).words, words)
        for name in COMMANDS:
            self.assertEqual(name, CommandLine([name]).command)

    def test_a_mistyped_command_is_refused_unless_it_can_only_be_a_message(self):
        for words, meant in ((["stauts"], "status"), (["--spool", "x", "lits", "--json"], "list"), (["cancle", "--all"], "cancel")):
            with self.assertRaises(QuickqError) as refused:
                CommandLine(words)
            self.assertEqual((64, "did you mean {}? A message goes after '--'".format(meant)), (refused.exception.code, refused.exception.hint))
        for words in (["--", "stauts"], ["-t", "a", "stauts"], ["add", "stauts"], ["true"], ["report"], ['{"stauts": 1}']):
            self.assertEqual(words[-1], CommandLine(words).words[-1])

    def test_standard_input_is_read_only_where_the_command_reads_it(self):
        for words, expected in (
                ([], True), (["hello"], False), (["--lines"], True), (["add", "-t", "a"], True), (["add", "--", "x"], False), (["import"], True),
                (["list"], False), (["--help"], False), (["cancel", "--all"], False), (["--file", "x"], True), (["status"], False)):
            self.assertEqual(expected, CommandLine(words).reads_input(False), words)
        self.assertTrue(CommandLine(["cancel", "--all"]).reads_input(True))
        self.assertFalse(CommandLine(["cancel", "--all", "--yes"]).reads_input(True))

    def test_every_command_of_the_program_is_known(self):
        out = subprocess.run([command(), "--help"], stdout=subprocess.PIPE).stdout.decode()
        indented = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and line[2:3].isalpha()]
        self.assertIn("status", indented)
        self.assertEqual(set(), {word for word in indented if word.islower() and word.isalpha()} - COMMANDS - {"serve"})


class Processes(SpoolTest):

    def start(self, *arguments, **options):
        streams = dict({"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}, **options.pop("streams", {}))
        environment = dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE), PYTHONDONTWRITEBYTECODE="1", QUICKQ_SPOOL=self.path, **options)
        return subprocess.Popen([sys.executable, "-m", "quickq"] + list(arguments), env=environment, **streams)

    def run_command(self, *arguments, **options):
        stdin = options.pop("stdin", b"")
        child = self.start(*arguments, **options)
        out, err = child.communicate(stdin, timeout=120)
        return child.returncode, out.decode(), err.decode()

    def test_a_message_is_stored_and_its_id_printed(self):
        code, out, err = self.run_command("-t", "ü".encode(), "é".encode(), LC_ALL="C")
        self.assertEqual((0, ""), (code, err))
        self.assertEqual([(out.strip(), "ü", "é".encode())], self.rows("SELECT id, routing_key, body FROM message"))

    def test_each_way_of_input_gives_the_same_message(self):
        path = os.path.join(self.folder, "payload")
        with open(path, "w") as file:
            file.write('{"a": "G16"}')
        message = b'{"a": "G16"}'
        for arguments, stdin in (([message], b""), ([], message), (["--file", path], b""), (["add", "--file", "-"], message)):
            code, out, err = self.run_command("-t", "{a}.x", *arguments, stdin=stdin)
            self.assertEqual((0, ""), (code, err), arguments)
            self.assertEqual([("G16.x", message)], self.rows("SELECT routing_key, body FROM message WHERE id = ?", out.strip()))

    def test_the_input_of_a_loop_is_left_alone(self):
        reader, writer = os.pipe()
        os.write(writer, b"one\ntwo\n")
        os.close(writer)
        for arguments in (["hello"], ["status"], ["list"]):
            child = self.start(*arguments, streams={"stdin": reader})
            child.communicate()
            self.assertEqual(0, child.returncode)
        self.assertEqual(b"one\ntwo\n", os.read(reader, 100))
        os.close(reader)

    def test_what_goes_wrong_ends_with_the_code_of_the_command(self):
        self.spool.publish({})
        for code, says, arguments in (
                (64, "unknown option --lins", ["--lins"]), (65, "argument 1 is not valid UTF-8", [b"\xff"]),
                (65, "JSON", ["--json", "{oops}"]), (66, "cannot open /no/such/file: No such file or directory", ["--file", "/no/such/file"]),
                (66, "--file /tmp is a folder", ["--file", "/tmp"]), (66, "no message", ["status", "none"]),
                (73, "the folder /no/such/folder does not exist", ["--spool", "/no/such/folder/spool.db", "x"]),
                (75, "", ["--wait=0", "x"])):
            got, out, err = self.run_command(*arguments)
            self.assertEqual(code, got, (arguments, err))
            self.assertIn(says, err)

    def test_skipped_lines_are_kept_by_this_account_byte_for_byte(self):
        bad = os.path.join(self.folder, "bad")
        for lines, expected in ((b"[1]\noops\r\n[2]\n[3", b"oops\r\n[3"), (b"[4\n", b"oops\r\n[3\n[4\n")):
            code, out, err = self.run_command("--lines", "--json", "--skip-invalid=" + bad, stdin=lines)
            self.assertEqual((65, expected), (code, read(bad)), err)
            self.assertIn("skipped line", err)
            self.assertIn("kept in " + bad, err)
        self.assertEqual([(b"[1]",), (b"[2]",)], self.rows("SELECT body FROM message ORDER BY seq"))
        self.assertEqual(0o600, os.stat(bad).st_mode & 0o777)
        code, out, err = self.run_command("--lines", "--json", "--skip-invalid", stdin=b"[1\n[5]\n")
        self.assertEqual((65, 1), (code, len(out.split())), err)

    def test_a_file_for_skipped_lines_that_cannot_be_used_is_found_first(self):
        path = os.path.join(self.folder, "in")
        with open(path, "wb") as file:
            file.write(b"x\n")
        for code, says, value in (
                (73, "No such file", "/no/such/folder"), (64, "is the input itself", path), (64, "belongs to the spool", self.path),
                (64, "belongs to the spool", self.path + ".lock"), (64, "names no file", ""), (64, "names no file", "-")):
            got, out, err = self.run_command("add", "--lines", "--file", path, "--skip-invalid=" + value)
            self.assertEqual((code, ""), (got, out), err)
            self.assertIn(says, err)
        code, out, err = self.run_command("--lines", "--json", "--skip-invalid=/dev/full", stdin=b"[1]\noops\n")
        self.assertEqual(74, code, err)
        self.assertIn("cannot write /dev/full: No space left", err)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "bad")))

    def test_a_spool_that_is_named_is_used(self):
        other = os.path.join(self.folder, "other")
        os.mkdir(other, 0o700)
        for words in (["--spool", other + "/spool.db", "add", "x"], ["x", "--spool=" + other + "/spool.db"]):
            self.assertEqual(0, self.run_command(*words)[0])
        code, out, _ = self.run_command("--spool", other + "/spool.db", "list", "--json")
        self.assertEqual((0, 2), (code, len(out.splitlines())))
        self.assertFalse(os.path.exists(self.path))
        self.folder, folder = other, self.folder
        self.stop_service()
        self.folder = folder

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
            self.assertIn("stopped by a signal after line 2", err)
            self.assertEqual([(ids[0], b"one"), (ids[1], b"two")], self.rows("SELECT id, body FROM message WHERE seq > ? ORDER BY seq", stored))
            stored += 2

    def test_a_second_signal_ends_it_when_the_service_does_not(self):
        child = self.start("--lines")
        child.stdin.write(b"one\n")
        child.stdin.flush()
        child.stdout.readline()
        pid = self.service()
        pause(pid)
        try:
            eventually("signals end it", lambda: child.send_signal(signal.SIGTERM) or child.poll() is not None, 20)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(-signal.SIGTERM, child.returncode)
        child.communicate()
        self.assertEqual([(b"one",)], self.rows("SELECT body FROM message"))

    def test_a_service_that_dies_is_told_and_no_success(self):
        child = self.start("--lines")
        child.stdin.write(b"one\n")
        child.stdin.flush()
        child.stdout.readline()
        self.stop_service(signal.SIGKILL)
        _, err = child.communicate()
        self.assertEqual(75, child.returncode)
        self.assertIn("ended before the command did", err.decode())

    def test_when_standard_output_breaks_it_says_up_to_where_all_is_stored(self):
        child = self.start("--lines")
        child.stdout.close()
        child.stdout = None
        _, err = child.communicate(b"one\n", timeout=60)
        self.assertEqual(74, child.returncode)
        self.assertRegex(err.decode(), "standard output: Broken pipe; the message is stored, its id is [0-9a-f-]{36}")
        self.assertEqual(1, self.count())

    def test_a_reader_that_has_enough_is_no_trouble(self):
        self.spool.publish_many([b"x" * 1000] * 1000)
        child = self.start("export")
        child.stdout.readline()
        child.stdout.close()
        child.stdout = None
        _, err = child.communicate(timeout=60)
        self.assertEqual((0, b""), (child.returncode, err))

    def test_closed_streams_get_no_bytes_of_others(self):
        self.spool.publish({})
        for closed, arguments, code in ((1, ["x"], 74), (1, ["list"], 74), (2, ["x"], 0), (2, ["--lins"], 64), (0, ["x"], 0), (0, ["--lines"], 74)):
            shell = 'exec "$@" %d>&-' % closed
            child = subprocess.Popen(
                ["sh", "-c", shell, "sh", sys.executable, "-m", "quickq", "--spool", self.path] + arguments, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
            _, err = child.communicate()
            self.assertEqual(code, child.returncode, (closed, arguments, err))
        self.assertEqual(4, self.count())

    def test_many_lines_flow_both_ways(self):
        lines = b"".join(b'{"n": %d}\n' % number for number in range(5000))
        code, out, err = self.run_command("--lines", stdin=lines)
        self.assertEqual((0, "", 5000), (code, err, len(set(out.split()))))
        self.assertEqual([(5000,)], self.rows("SELECT count(DISTINCT body) FROM message"))

    def test_ssec_topics_are_derived(self):
        with open(os.path.join(ROOT, "tests", "data", "ssec-events.ndjson"), "rb") as events:
            lines = events.read().split(b"\n")[:50]
        code, _, err = self.run_command("--lines", "--ssec", stdin=b"\n".join(lines))
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(
            [json.loads(line.decode())["__topic__"] for line in lines], [key for key, in self.rows("SELECT routing_key FROM message ORDER BY seq")])


if __name__ == "__main__":
    unittest.main()
