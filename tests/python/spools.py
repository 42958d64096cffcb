"""What the Python tests share: a spool of their own, its rows, and bounded waits. Not a test."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import quickq
import quickq.api
from quickq import watching

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.dirname(os.path.abspath(quickq.__file__))


class SpoolTest(unittest.TestCase):
    """Each test has a folder of its own; its spool must be sound in the end."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="quickq-python-")
        self.path = os.path.join(self.folder, "spool.db")
        self.spool = quickq.Spool(self.path)
        self.must_be_sound = True

    def tearDown(self):
        self.spool.close()
        if self.must_be_sound and os.path.exists(self.path):
            self.assertEqual([("ok",)], self.rows("PRAGMA integrity_check"))
        shutil.rmtree(self.folder)

    def rows(self, sql, *parameters):
        """Rows of a query, through a connection of its own that is closed as SQLite closes it: no other process may be writing."""
        connection = sqlite3.connect(self.path)
        try:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def run_sql(self, sql, *parameters):
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(sql, parameters)
        finally:
            connection.close()

    def count(self):
        return self.rows("SELECT count(*) FROM message")[0][0] if os.path.exists(self.path) else 0

    def make_spool(self, *servers):
        """An empty spool with active servers."""
        self.spool.publish({"made": "spool"}, message_id="first")
        self.run_sql("DELETE FROM message")
        self.run_sql("DELETE FROM unassigned")
        for server in servers:
            self.run_sql("INSERT INTO server (name) VALUES (?)", server)


def start_python(code, *arguments, **options):
    """A child interpreter of the version under test, with the package in its path."""
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE), PYTHONDONTWRITEBYTECODE="1", **options.pop("environment", {}))
    return subprocess.Popen(
        [sys.executable, "-c", code] + [str(argument) for argument in arguments], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def run_python(code, *arguments, **options):
    """Its exit code, output and errors, as text."""
    child = start_python(code, *arguments, **options)
    out, err = child.communicate(timeout=120)
    return child.returncode, out.decode(), err.decode()


_AGENT = (
    "import fcntl, os, struct, sys\n"
    "d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o660)\n"
    "fcntl.fcntl(d, fcntl.F_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))\n"
    "print('runs', flush=True)\n"
    "sys.stdin.read()\n")


class WithAgent(SpoolTest):
    """A spool with two servers, and an agent that holds its lock and does what the test writes."""

    def setUp(self):
        super().setUp()
        os.environ["QUICKQ_SPOOL"] = self.path
        self.make_spool("mq1", "mq2")
        self.agent = None

    def tearDown(self):
        quickq.api.disconnect()
        quickq.api.configure(confirm_wait=0.25)
        watching.observers[:] = []
        self.stop_agent()
        quickq.close()
        del os.environ["QUICKQ_SPOOL"]
        super().tearDown()

    def start_agent(self, **connections):
        self.agent = start_python(_AGENT, self.path + ".agent")
        self.agent.stdout.readline()
        for server, state in connections.items():
            self.run_sql("UPDATE server SET connection = ? WHERE name = ?", state, server)

    def stop_agent(self):
        if self.agent is not None:
            self.agent.communicate()
            self.agent = None

    @contextlib.contextmanager
    def another_spool(self):
        """The environment names a spool that is not there."""
        os.environ["QUICKQ_SPOOL"] = os.path.join(self.folder, "other.db")
        yield
        os.environ["QUICKQ_SPOOL"] = self.path

    def settle(self, server, state):
        self.run_sql("UPDATE delivery SET state = ? WHERE server = (SELECT id FROM server WHERE name = ?)", state, server)


def eventually(what, condition, seconds=30):
    """Waits until the named condition holds; fails with its name at the limit."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within {} s: {}".format(seconds, what))
        time.sleep(0.005)  # between two looks at the condition


def vectors(name):
    with open(os.path.join(ROOT, "tests", "vectors", name), encoding="utf-8") as text:
        return json.load(text)


def events():
    with open(os.path.join(ROOT, "tests", "data", "ssec-events.ndjson"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
