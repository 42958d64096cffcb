"""Exceptions that come from outside, at any line: Ctrl-C, time-outs by SIGALRM, handlers that publish themselves."""

import os
import signal
import sys
import threading
import unittest
import warnings

from quickq import starting
from spools import PACKAGE, SpoolTest, descriptors


class Interrupter:
    """Raises KeyboardInterrupt at the n-th line of the package that this thread runs."""

    def __init__(self, at):
        self.at = at
        self.seen = 0

    def trace(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.seen += 1
            if self.seen == self.at:
                raise KeyboardInterrupt
        return self.trace


class InterruptTest(SpoolTest):

    def setUp(self):
        super().setUp()
        self.make_spool("mq1")
        # A socket that an exception left behind is closed with its object, which Python remarks upon.
        remarks = warnings.catch_warnings()
        remarks.__enter__()
        self.addCleanup(remarks.__exit__, None, None, None)
        warnings.simplefilter("ignore", ResourceWarning)


class EveryLine(InterruptTest):

    def setUp(self):
        super().setUp()
        self.addCleanup(sys.settrace, sys.gettrace())

    def interrupt_each(self, call, before=lambda: None, step=1, first=1):
        """Interrupts the call at each of its lines; returns how many there were. Afterwards nothing is open that was not."""
        call("warm")
        before()
        most, open_before = 0, descriptors() + 1  # a connection that is put back is one more
        while True:
            at = first + most * step
            before()
            interrupter = Interrupter(at)
            message_id = "at-{}".format(at)
            try:
                sys.settrace(interrupter.trace)
                call(message_id)
                ended = True
            except KeyboardInterrupt:
                ended = False
            finally:
                sys.settrace(None)
            self.assertEqual(message_id, self.spool.publish({}, message_id=message_id), "the same again, at line {}".format(at))
            self.assertLessEqual(descriptors(), open_before, "descriptors at line {}".format(at))
            most += 1
            if ended:
                break
        self.other_process_publishes()
        self.assertEqual([(most,)], self.rows("SELECT count(*) FROM message WHERE id LIKE 'at-%'"))
        return most

    def test_of_a_publish(self):
        self.assertGreater(self.interrupt_each(lambda message_id: self.spool.publish({}, message_id=message_id)), 60)

    def test_of_a_publish_that_connects(self):
        self.assertGreater(self.interrupt_each(lambda message_id: self.spool.publish({}, message_id=message_id), self.spool.close), 100)

    def test_of_a_publish_that_looks_at_connections(self):
        def look():
            self.spool._use().watch._next = 0.0
            self.spool._use().watch._last = {}

        self.assertGreater(self.interrupt_each(lambda message_id: self.spool.publish({}, message_id=message_id), look), 80)

    def test_of_a_publish_that_starts_the_service(self):
        # A start takes a while: each interpreter tries other lines.
        step = 23
        first = 1 + sys.version_info[1] * 5 % step
        self.assertGreater(self.interrupt_each(
            lambda message_id: self.spool.publish({}, message_id=message_id), lambda: (self.spool.close(), self.stop_service(signal.SIGKILL)), step, first), 5)
        turn = starting.Turn(os.path.join(self.folder, "spool.sock"))
        self.assertTrue(turn.take(), "nobody holds the turn")
        turn.close()


class Handlers(InterruptTest):

    def test_a_handler_that_raises_at_random_moments(self):
        class Late(Exception):
            pass

        def handler(*_):
            raise Late

        before = descriptors()
        previous = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        acknowledged, raised = [], 0
        for number in range(150):
            message_id = "n-{}".format(number)
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.00002 * (1 + number % 100))
                    self.spool.publish({"n": number}, message_id=message_id)
                    acknowledged.append(message_id)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Late:
                raised += 1
        self.assertGreater(raised, 10)
        for number in range(150):
            self.spool.publish({"n": number}, message_id="n-{}".format(number))
        self.assertEqual([(150, 150)], self.rows("SELECT count(*), count(DISTINCT id) FROM message"))
        self.assertLessEqual(descriptors(), before + 1)
        self.other_process_publishes()

    def test_a_handler_may_publish_within_a_publish(self):
        inner = []

        def handler(*_):
            inner.append(self.spool.publish({"from": "handler"}))

        previous = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        outer = []
        for number in range(100):
            signal.setitimer(signal.ITIMER_REAL, 0.00003 * (1 + number))
            outer.append(self.spool.publish({"n": number}))
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertTrue(inner)
        self.assertEqual(sorted(inner + outer), [row[0] for row in self.rows("SELECT id FROM message ORDER BY id")])

    def test_a_handler_may_fork_within_a_publish(self):
        children = []

        def handler(*_):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    self.spool.publish({"from": "child"})
                    code = 0
                finally:
                    os._exit(code)
            children.append(pid)

        previous = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        number = 0
        while len(children) < 5:
            number += 1
            signal.setitimer(signal.ITIMER_REAL, 0.0001 * number)
            self.spool.publish({"from": "parent"}, message_id="n-{}".format(number))
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertEqual({0}, {os.waitpid(pid, 0)[1] for pid in children})
        self.assertEqual([(len(children),)], self.rows("SELECT count(*) FROM message WHERE id NOT LIKE 'n-%'"))

    def test_a_handler_may_close_the_spool_within_a_publish(self):
        closed = []

        def handler(*_):
            self.spool.close()
            closed.append(True)

        previous = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, previous)
        for number in range(100):
            message_id = "n-{}".format(number)
            signal.setitimer(signal.ITIMER_REAL, 0.00003 * (1 + number))
            try:
                self.spool.publish({"n": number}, message_id=message_id)
            except quickq.SpoolError:
                self.spool.publish({"n": number}, message_id=message_id)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertTrue(closed)
        self.assertEqual([(100, 100)], self.rows("SELECT count(*), count(DISTINCT id) FROM message"))

    def test_the_spool_may_be_closed_at_any_time(self):
        going_on = [True]

        def close():
            while going_on[0]:
                self.spool.close()

        closer = threading.Thread(target=close)
        closer.start()
        ids = [self.spool.publish({}) for _ in range(100)]
        going_on[0] = False
        closer.join()
        self.assertEqual(sorted(ids), [row[0] for row in self.rows("SELECT id FROM message ORDER BY id")])


if __name__ == "__main__":
    unittest.main()
