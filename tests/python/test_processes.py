"""Threads, forks, deaths, the lock, and other programs at the same spool."""

import fcntl
import os
import signal
import subprocess
import threading
import time
import unittest

import quickq
from quickq import lock
from spools import ROOT, SpoolTest, eventually, run_python, start_python


def command():
    """The quickq-spool program, where it is built."""
    for place in ("dist/bin", "artifacts/bin/Quickq.SpoolCli/debug"):
        path = os.path.join(ROOT, place, "quickq-spool")
        if os.path.exists(path):
            return path
    return None


class ThreadsAndForks(SpoolTest):

    def test_32_threads_and_8_children_publish_through_one_spool_opened_before_the_fork(self):
        self.make_spool("mq1")
        children = []

        def publish(who):
            for number in range(20):
                self.spool.publish({"who": who, "number": number}, message_id="{}-{}".format(who, number))

        threads = [threading.Thread(target=publish, args=("thread%d" % i,)) for i in range(32)]
        for thread in threads[:16]:
            thread.start()
        for i in range(8):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    publish("child%d" % i)
                    inner = [threading.Thread(target=publish, args=("child%d-%d" % (i, j),)) for j in range(2)]
                    for thread in inner:
                        thread.start()
                    for thread in inner:
                        thread.join()
                    code = 0
                finally:
                    os._exit(code)
            children.append(pid)
        for thread in threads[16:]:
            thread.start()
        for thread in threads:
            thread.join()
        self.spool.close()
        self.assertEqual([0] * 8, [os.waitpid(pid, 0)[1] for pid in children])
        self.assertEqual(32 * 20 + 8 * 3 * 20, self.count())

    def test_a_fork_finds_nothing_open_and_both_sides_go_on(self):
        self.spool.publish({})
        child = os.fork()
        if child == 0:
            inherited = [target for target in map(self.target, os.listdir("/proc/self/fd")) if "spool.db" in target]
            self.spool.publish({})
            os._exit(len(inherited))
        self.spool.publish({})
        self.assertEqual(0, os.waitpid(child, 0)[1])
        self.assertEqual(3, self.count())

    @staticmethod
    def target(descriptor):
        try:
            return os.readlink("/proc/self/fd/" + descriptor)
        except FileNotFoundError:
            return ""  # the one that listed the folder

    def test_a_fork_by_a_library_is_told_that_the_spool_cannot_be_shared(self):
        code = (
            "import ctypes, os, sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "spool.publish({'who': 'parent'})\n"
            "if ctypes.PyDLL(None).fork() == 0:\n"
            "    try:\n"
            "        spool.publish({'who': 'child'})\n"
            "    except quickq.SpoolBusy as refusal:\n"
            "        print(refusal, flush=True)\n"
            "    os._exit(0)\n"
            "os.wait()\n"
            "spool.publish({'who': 'parent'})\n")
        code, out, err = run_python(code, self.path)
        self.assertEqual((0, ""), (code, err))
        self.assertIn("this process was forked while its parent had the spool", out)
        self.assertEqual(2, self.count())

    def test_a_parent_that_ends_first_takes_nothing_from_its_child(self):
        code = (
            "import os, sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "spool.publish({'who': 'parent'})\n"
            "if os.fork() == 0:\n"
            "    spool.publish({'who': 'child'})\n"
            "    sys.stdin.readline()\n"  # until the parent has gone
            "    for _ in range(5): spool.publish({'who': 'child'})\n"
            "    print('done', flush=True)\n")
        child = start_python(code, self.path)
        child.wait(60)
        for _ in range(2):
            self.assertEqual(0, run_python("import quickq, sys; quickq.Spool(sys.argv[1]).publish({'who': 'other'})", self.path)[0])
        child.stdin.write(b"go\n")
        child.stdin.flush()
        self.assertEqual(b"done\n", child.stdout.readline())
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()
        eventually("the child has published", lambda: self.count() == 9)

    def test_a_signal_handler_that_publishes_within_a_publish_is_told_so(self):
        seen = []

        def handler(*_):
            try:
                self.spool.publish({"from": "handler"})
            except quickq.SpoolBusy as refusal:
                seen.append(str(refusal))

        self.spool.publish({})
        previous = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, previous)
        self.spool._side().file.read(lambda _: os.kill(os.getpid(), signal.SIGUSR1) or time.monotonic())
        self.assertIn("a signal handler used the spool", seen[0])
        self.spool.publish({})
        self.assertEqual(2, self.count())


class Deaths(SpoolTest):

    def test_what_publish_returned_from_survives_any_end_of_the_interpreter(self):
        for end in ("os._exit(3)", "os.kill(os.getpid(), 9)", "sys.exit(3)", "raise RuntimeError('end')", "os.abort()"):
            with self.subTest(end):
                code = "import os, sys, quickq\ntry:\n    print(quickq.Spool(sys.argv[1]).publish({{}}), flush=True)\nfinally:\n    {}\n".format(end)
                _, out, _ = run_python(code, self.path)
                self.assertEqual([(1,)], self.rows("SELECT count(*) FROM message WHERE id = ?", out.strip()))

    def test_a_publish_while_the_interpreter_ends_is_stored_too(self):
        code = (
            "import atexit, sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "atexit.register(lambda: print(spool.publish({'at': 'exit'}), flush=True))\n"
            "spool.publish({})\n"
            "sys.exit(0)\n")
        for _ in range(2):
            code_, out, err = run_python(code, self.path)
            self.assertEqual((0, ""), (code_, err))
            self.assertEqual([(1,)], self.rows("SELECT count(*) FROM message WHERE id = ?", out.strip()))

    def test_kills_at_random_moments_lose_nothing_that_was_reported(self):
        code = (
            "import sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "while True:\n    sys.stdout.write(spool.publish({'x': 'y' * 500}) + '\\n'); sys.stdout.flush()\n")
        reported = []
        for round_ in range(6):
            child = start_python(code, self.path)
            lines = [child.stdout.readline() for _ in range(10 + 7 * round_)]
            child.kill()
            rest = child.stdout.read().split(b"\n")
            lines += [line for line in rest[:-1]]  # the last may be cut
            child.communicate()
            reported += [line.decode().strip() for line in lines if line.strip()]
        stored = {row[0] for row in self.rows("SELECT id FROM message")}
        self.assertTrue(reported)
        self.assertEqual(set(), set(reported) - stored)

    def test_an_interrupted_publish_leaves_no_lock_behind(self):
        self.spool.publish({})
        with self.assertRaises(KeyboardInterrupt):
            self.spool._side().file.write(self.interrupt)
        descriptor = os.open(self.path + ".lock", os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
        self.spool.publish({})
        self.assertEqual(2, self.count())

    @staticmethod
    def interrupt(cursor):
        cursor.execute("INSERT INTO message (id, body) VALUES ('half', x'00')")
        raise KeyboardInterrupt


class TheLock(SpoolTest):

    def test_a_writer_waits_for_the_holder_and_goes_on_at_once(self):
        self.spool.publish({})
        descriptor = os.open(self.path + ".lock", os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = []
        writer = threading.Thread(target=lambda: done.append(self.spool.publish({})))
        writer.start()
        eventually("the writer waits for the lock", lambda: any(thread.name == "quickq lock" for thread in threading.enumerate()))
        self.assertEqual([], done)
        os.close(descriptor)
        writer.join(10)
        self.assertEqual(1, len(done))

    def test_at_the_deadline_the_holder_is_named(self):
        self.spool.publish({})
        holder = start_python(
            "import fcntl, os, sys\nd = os.open(sys.argv[1], os.O_RDWR)\nfcntl.flock(d, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()",
            self.path + ".lock")
        holder.stdout.readline()
        deadline, lock.WriteLock.acquire.__defaults__ = lock.WriteLock.acquire.__defaults__, (0.2,)
        try:
            with self.assertRaises(quickq.SpoolBusy) as caught:
                self.spool.publish({})
        finally:
            lock.WriteLock.acquire.__defaults__ = deadline
            holder.communicate()
        self.assertIn("by process {}".format(holder.pid), str(caught.exception))
        self.spool.publish({})
        self.assertEqual(2, self.count())

    def test_a_commit_touches_the_lock_file_so_that_the_agent_wakes(self):
        self.spool.publish({})
        os.utime(self.path + ".lock", (1, 1))
        self.spool.publish({})
        self.assertGreater(os.stat(self.path + ".lock").st_mtime, time.time() - 60)

    def test_a_child_program_does_not_inherit_the_lock(self):
        self.spool.publish({})
        inherited = subprocess.check_output(["ls", "-l", "/proc/self/fd"], close_fds=False)
        self.assertNotIn(b"spool.db", inherited)

    def test_writers_of_both_languages_share_one_spool(self):
        program = command()
        if program is None:
            self.skipTest("quickq-spool is not built")
        lines = b"".join(b'{"n": %d}\n' % i for i in range(300))
        others = [subprocess.Popen([program, "add", "--lines", "--spool", self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        pythons = [start_python("import quickq, sys\ns = quickq.Spool(sys.argv[1])\nfor i in range(100): s.publish(i)", self.path) for _ in range(2)]
        for other in others:
            self.assertEqual(300, len(other.communicate(lines)[0].split()))
        for python in pythons:
            self.assertEqual(b"", python.communicate()[1])
        self.assertEqual([0] * 4, [child.returncode for child in others + pythons])
        self.assertEqual(800, self.count())


if __name__ == "__main__":
    unittest.main()
