"""What listens is not the owner's service, or does not answer as one: an error of the package, and nothing counts as stored."""

import os
import socket
import threading
import unittest

import quickq
from quickq import client, link
from spools import SpoolTest, run_python

WELCOME = b'{"protocol":1,"version":"1.0.0","spool":"/s","rights":"use"}'
DEEP = b"[" * 100000


class FalseService(threading.Thread):
    """Says the same to everybody who connects and sends something."""

    def __init__(self, path, *frames):
        super().__init__(daemon=True)
        self.heard = []
        self._said = b"".join([link.frame(kind, payload) for kind, payload in frames])
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(8)
        self.start()

    def run(self):
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return  # the test is over
            with peer:
                try:
                    self._answer(peer)
                except ConnectionError:
                    pass  # it has heard enough

    def _answer(self, peer):
        said = peer.recv(65536)
        self.heard.append(said)
        if said:
            peer.sendall(self._said)
            while peer.recv(65536):
                pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()


class AFalseService(SpoolTest):

    def setUp(self):
        super().setUp()
        self.must_be_sound = False
        self.false = None

    def tearDown(self):
        self.end()
        super().tearDown()

    def end(self):
        self.spool.close()
        if self.false is not None:
            self.false.close()
            os.unlink(os.path.join(self.folder, "spool.sock"))
            self.false = None

    def serve(self, *frames):
        self.end()
        self.false = FalseService(os.path.join(self.folder, "spool.sock"), *frames)

    def test_only_an_answer_with_the_ids_says_that_they_are_stored(self):
        for kind, answer in ((b"d", b"x"), (b"z", b"{}"), (b"j", b"{}"), (b"j", b"[]"), (b"j", b"no"), (b"j", DEEP), (b"j", b"\xff"), (b"e", b"[]"),
                             (b"j", b'{"ids":["other"]}'), (b"j", b'{"ids":{}}'), (b"j", b'{"ids":["m1","m1"]}')):
            with self.subTest(kind=kind, answer=answer[:20]):
                self.serve((b"j", WELCOME), (kind, answer))
                with self.assertRaisesRegex(quickq.SpoolBusy, "may have been stored, its id is m1"):
                    self.spool.publish({}, message_id="m1")
        self.serve((b"j", b"{}"), (b"j", b'{"ids":["m1"]}'))
        with self.assertRaises(quickq.SpoolBusy):
            self.spool.publish({}, message_id="m1")

    def test_any_other_answer_is_an_error_of_the_package(self):
        asked = (lambda: self.spool.status("m"), lambda: self.spool.status("m", "mq1"), lambda: self.spool.details("m"),
                 lambda: self.spool.outcome("m"), self.spool.connections)
        for answer in (b"{}", b"[]", b"null", DEEP, b'{"messages":[]}', b'{"messages":[{}]}', b'{"messages":[{"deliveries":[{}]}]}',
                       b'{"messages":[{"deliveries":[{"server":"a","state":"odd"}]}]}', b'{"outcome":"odd","messages":[]}',
                       b'{"outcome":1}', b'{"servers":[{}],"agent":{}}', b'{"servers":[],"agent":7}', b'{"servers":5}'):
            for ask in asked:
                with self.subTest(answer=answer[:40]):
                    self.serve((b"j", WELCOME), (b"j", answer), (b"j", answer))
                    with self.assertRaises(quickq.SpoolError):
                        ask()

    def test_a_command_ends_with_the_code_that_was_sent_or_that_of_an_error(self):
        for kind, answer, code in ((b"j", b'{"code":3}', 3), (b"j", b"{}", 75), (b"j", b'{"code":256}', 75), (b"j", b'{"code":"0"}', 75), (b"d", b"", 75),
                                   (b"d", b"\7x", 75), (b"j", DEEP, 75), (b"e", b'{"code":0,"fault":"InputOutput","message":"no"}', 74)):
            with self.subTest(kind=kind, answer=answer[:40]):
                self.serve((b"j", WELCOME), (kind, answer))
                done, _, said = run_python(
                    "import sys\nfrom quickq.client import Client\nfrom quickq import running, QuickqError\n"
                    "try: sys.exit(running.run(Client(sys.argv[1], None, True), 'status', ['status'], None))\n"
                    "except QuickqError as error: sys.exit(error.code)", self.path)
                self.assertEqual((code, ""), (done, said))

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_one_of_another_account_gets_nothing(self):
        os.chmod(self.folder, 0o755)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            planted = socket.socket(socket.AF_UNIX)
            planted.bind(os.path.join(self.folder, "spool.sock"))
            os.setuid(61953)
            planted.listen(8)
            os.write(writer, b"r")
            while True:
                os.write(writer, planted.accept()[0].recv(10))
        os.read(reader, 1)
        os.close(writer)
        try:
            with self.assertRaisesRegex(quickq.SpoolError, "runs as account 61953, not as the owner") as caught:
                self.spool.publish({})
            self.assertEqual(77, caught.exception.code)
        finally:
            os.kill(child, 15)
            os.waitpid(child, 0)
        self.assertEqual(b"", os.read(reader, 10))
        os.close(reader)

    def test_in_a_folder_that_others_may_write_none_is_called(self):
        self.serve((b"j", WELCOME))
        os.chmod(self.folder, 0o777)
        spool = client.Client(self.path, os.path.join(self.folder, "spool.sock"), False)
        with self.assertRaisesRegex(quickq.SpoolError, "others may write to the folder") as caught:
            spool.open(True)
        self.assertEqual(("PermissionDenied", []), (caught.exception.fault, self.false.heard))

    def test_what_is_not_a_socket_is_named(self):
        with self.assertRaisesRegex(quickq.SpoolError, "/etc/passwd is not a socket"):
            client.Client(self.path, "/etc/passwd", False).open(True)

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_another_account_makes_a_connection_of_its_own(self):
        self.serve((b"j", WELCOME))
        connection = client.Client(self.path, None, True).open(True)
        self.assertTrue(connection.is_usable())
        os.seteuid(61953)
        try:
            self.assertFalse(connection.is_usable())
        finally:
            os.seteuid(0)
            connection.close()


if __name__ == "__main__":
    unittest.main()
