"""Threads, forks, children, closed descriptors, and deaths."""

import os
import subprocess
import threading
import unittest

import quickq
from spools import SpoolTest, descriptors, eventually, run_python, start_python


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

    def test_200_threads_publish_at_once_and_few_connections_remain(self):
        self.make_spool("mq1")
        before = descriptors()
        ids = []
        threads = [threading.Thread(target=lambda: ids.append(self.spool.publish({}))) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(ids), [row[0] for row in self.rows("SELECT id FROM message ORDER BY id")])
        self.assertEqual(200, len(ids))
        self.assertLess(descriptors() - before, 20)

    def test_a_child_of_fork_uses_no_connection_of_its_parent(self):
        others = self.sockets()
        self.spool.publish({})
        mine = self.sockets() - others
        self.assertEqual(1, len(mine))
        child = os.fork()
        if child == 0:
            self.spool.publish({})
            os._exit(1 if mine & self.sockets() else 0)
        self.spool.publish({})
        self.assertEqual(0, os.waitpid(child, 0)[1])
        self.assertEqual(3, self.count())
        self.assertEqual(mine, self.sockets() - others)

    @staticmethod
    def sockets():
        targets = set()
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                targets.add(os.readlink("/proc/self/fd/" + descriptor))
            except FileNotFoundError:
                pass  # the one that listed the folder
        return {target for target in targets if target.startswith("socket:")}

    def test_a_fork_by_a_library_is_a_fork_too(self):
        code = (
            "import ctypes, os, sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "spool.publish({'who': 'parent'})\n"
            "if ctypes.PyDLL(None).fork() == 0:\n"
            "    spool.publish({'who': 'child'})\n"
            "    os._exit(0)\n"
            "print(os.wait()[1])\n"
            "spool.publish({'who': 'parent'})\n")
        self.assertEqual((0, "0\n", ""), run_python(code, self.path))
        self.assertEqual(3, self.count())

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
            self.other_process_publishes()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        self.assertEqual(b"done\n", child.stdout.readline())
        for stream in (child.stdin, child.stdout, child.stderr):
            stream.close()
        eventually("the child has published", lambda: self.count() == 9)

    def test_children_of_multiprocessing_publish_however_they_start(self):
        code = (
            "import multiprocessing, os, sys, quickq\n"
            "if __name__ == '__main__':\n"
            "    spool = quickq.Spool(sys.argv[1])\n"
            "    spool.publish({})\n"
            "    for method in ('fork', 'spawn', 'forkserver'):\n"
            "        context = multiprocessing.get_context(method)\n"
            "        children = [context.Process(target=spool.publish, args=({},)) for _ in range(3)]\n"
            "        for child in children: child.start()\n"
            "        for child in children: child.join()\n"
            "        print([child.exitcode for child in children])\n"
            "    spool.publish({})\n")
        self.assertEqual((0, "[0, 0, 0]\n" * 3, ""), run_python(code, self.path))
        self.assertEqual(11, self.count())


class Descriptors(SpoolTest):

    def test_a_program_that_closes_all_descriptors_keeps_its_own_files(self):
        code = (
            "import os, sys, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "spool.publish({})\n"
            "os.closerange(3, 256)\n"
            "mine = [open(os.path.join(sys.argv[2], 'mine%d' % i), 'w+') for i in range(8)]\n"
            "print(spool.publish({}))\n"
            "spool.close()\n"
            "print(spool.publish({}))\n"
            "del spool\n"
            "for file in mine:\n"
            "    file.write('x'); file.flush(); assert os.fstat(file.fileno()).st_size == 1\n")
        code, out, err = run_python(code, self.path, self.folder)
        self.assertEqual((0, ""), (code, err))
        self.assertEqual(2, len(set(out.split()) & {row[0] for row in self.rows("SELECT id FROM message")}))
        self.assertEqual(3, self.count())

    def test_a_daemon_publishes_after_it_has_closed_everything(self):
        code = (
            "import os, sys, quickq\n"
            "quickq.Spool(sys.argv[1]).publish({})\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "spool.publish({})\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() != 0: os._exit(0)\n"
            "    os.closerange(3, 256)\n"
            "    spool.publish({'who': 'daemon'})\n"
            "    os._exit(0)\n"
            "os.wait()\n")
        self.assertEqual((0, "", ""), run_python(code, self.path))
        eventually("the daemon has published", lambda: self.count() == 3)

    def test_programs_inherit_no_connection(self):
        self.spool.publish({})
        inherited = subprocess.check_output(["ls", "-l", "/proc/self/fd"], close_fds=False)
        mine = ThreadsAndForks.sockets()
        self.assertTrue(mine)
        for socket in mine:
            self.assertNotIn(socket.encode(), inherited)


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
            "if len(sys.argv) > 2: spool.publish({})\n"
            "sys.exit(0)\n")
        for arguments in ([], ["before"]):
            code_, out, err = run_python(code, self.path, *arguments)
            self.assertEqual((0, ""), (code_, err))
            self.assertEqual([(1,)], self.rows("SELECT count(*) FROM message WHERE id = ?", out.strip()))

    def test_threads_that_publish_while_the_interpreter_ends_disturb_nothing(self):
        code = (
            "import os, sys, threading, quickq\n"
            "spool = quickq.Spool(sys.argv[1])\n"
            "def publish():\n"
            "    while True: os.write(1, (spool.publish({}) + '\\n').encode())\n"
            "for _ in range(4): threading.Thread(target=publish, daemon=True).start()\n"
            "for _ in range(20): spool.publish({})\n")
        for _ in range(3):
            code_, out, err = run_python(code, self.path)
            self.assertEqual((0, ""), (code_, err))
            self.assertEqual(set(), set(out.split()) - {row[0] for row in self.rows("SELECT id FROM message")})
        self.spool.publish({})

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


if __name__ == "__main__":
    unittest.main()
