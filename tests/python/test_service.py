"""The service that the package starts for an own spool: whose child it is, who shares it, and what its end costs."""

import os
import signal
import subprocess
import tempfile
import threading
import unittest
import uuid

import quickq
from spools import SpoolTest, command, eventually, start_python


class TheService(SpoolTest):

    def test_it_is_nobodys_child_in_a_session_of_its_own_and_holds_nothing_of_the_program(self):
        self.spool.publish({})
        pid = self.service()
        with open("/proc/%d/stat" % pid) as stat:
            _, parent, _, session = stat.read().rpartition(")")[2].split()[:4]
        self.assertNotIn(int(parent), (os.getpid(), os.getppid()))
        self.assertNotEqual(os.getsid(0), int(session))
        self.assertEqual("/", os.readlink("/proc/%d/cwd" % pid))
        self.assertEqual([os.devnull] * 3, [os.readlink("/proc/%d/fd/%d" % (pid, stream)) for stream in range(3)])
        with open("/proc/%d/status" % pid) as status:
            ignored = int([line for line in status if line.startswith("SigIgn")][0].split()[1], 16)
        self.assertTrue(ignored >> (signal.SIGINT - 1) & 1)
        with self.assertRaises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)

    def test_what_is_made_beside_the_socket_is_the_owners_alone(self):
        before = os.umask(0)
        try:
            self.spool.publish({})
        finally:
            os.umask(before)
        modes = {name: os.stat(os.path.join(self.folder, name)).st_mode & 0o777 for name in os.listdir(self.folder)}
        self.assertEqual(dict.fromkeys(modes, 0o600), modes)
        self.assertIn("spool.sock.start", modes)

    def test_the_programs_of_an_account_share_it(self):
        self.spool.publish({})
        pid = self.service()
        self.other_process_publishes()
        self.assertEqual(pid, self.service())

    def test_a_crowd_that_comes_at_once_gets_one(self):
        code = "import quickq, sys\nspool = quickq.Spool(sys.argv[1])\nfor _ in range(3): spool.publish({})"
        children = [start_python(code, self.path) for _ in range(8)]
        self.assertEqual([(b"", b"")] * 8, [child.communicate() for child in children])
        self.assertEqual(24, self.count())

    def test_one_that_has_gone_is_started_again(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.spool.publish({})
            before = self.service()
            self.stop_service(number)
            self.spool.publish({})
            self.assertNotEqual(before, self.service())
        self.assertEqual(4, self.count())

    def test_one_that_is_killed_while_threads_publish_costs_nobody_a_message(self):
        self.make_spool("mq1")
        ids, going_on = [], [True]

        def publish_all():
            while going_on[0]:
                ids.append(self.publish_as_the_error_says())

        threads = [threading.Thread(target=publish_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for round_ in range(1, 4):
            eventually("messages are stored", lambda: len(ids) > 20 * round_)
            self.stop_service(signal.SIGKILL)
        going_on[0] = False
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(ids), [row[0] for row in self.rows("SELECT id FROM message ORDER BY id")])

    def publish_as_the_error_says(self):
        """A call repeats its request once by itself. Where that meets a service's end too, its error says to repeat the call with the same id."""
        message_id = uuid.uuid4().hex
        try:
            return self.spool.publish({}, message_id=message_id)
        except quickq.SpoolBusy:
            return self.spool.publish({}, message_id=message_id)

    def test_producers_of_both_languages_share_one_spool(self):
        lines = b"".join(b'{"n": %d}\n' % i for i in range(300))
        others = [subprocess.Popen([command(), "add", "--lines", "--spool", self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        pythons = [start_python("import quickq, sys\ns = quickq.Spool(sys.argv[1])\nfor i in range(100): s.publish(i)", self.path) for _ in range(2)]
        for other in others:
            self.assertEqual(300, len(other.communicate(lines)[0].split()))
        for python in pythons:
            self.assertEqual(b"", python.communicate()[1])
        self.assertEqual([0] * 4, [child.returncode for child in others + pythons])
        self.assertEqual(800, self.count())


@unittest.skipUnless(os.geteuid() == 0, "only root may give a folder away")
class ForeignLinks(unittest.TestCase):
    """A link that another account may set says where that account's service is, and nothing else."""

    def test_a_link_in_the_folder_of_another_account_is_not_followed(self):
        from quickq import address

        with tempfile.TemporaryDirectory() as mine, tempfile.TemporaryDirectory() as theirs:
            os.symlink(os.path.join(mine, "spool.db"), os.path.join(theirs, "spool.db"))
            os.symlink(mine, os.path.join(theirs, "sub"))
            followed = address.locate(os.path.join(theirs, "spool.db"), None, True)
            self.assertEqual((os.path.join(mine, "spool.db"), True), (followed.path, followed.own))
            os.chown(theirs, 61951, 61951)
            for name in ("spool.db", "sub/spool.db"):
                found = address.locate(os.path.join(theirs, name), None, True)
                self.assertEqual((os.path.join(theirs, name), False), (found.path, found.own))
                self.assertEqual(os.path.join(theirs, os.path.dirname(name), "spool.sock"), found.socket)


if __name__ == "__main__":
    unittest.main()
