"""What the Python tests share: a spool of their own with a real service, its rows, and bounded waits. Not a test."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import quickq
import quickq.api
from quickq import connection_watch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.dirname(os.path.abspath(quickq.__file__))


def command():
    """The program quickq-spool: named by the environment, else where it is built."""
    places = [os.environ.get("QUICKQ_PROGRAM"), os.environ.get("QUICKQ_SPOOL_CLI")]
    places += [os.path.join(ROOT, "artifacts/bin/Quickq.SpoolCli", flavour, "quickq-spool") for flavour in ("debug", "debug_net10.0")]
    for path in places:
        if path and os.path.exists(path):
            return path
    raise unittest.SkipTest("quickq-spool is not built")


os.environ["QUICKQ_PROGRAM"] = command()
os.environ.pop("QUICKQ_SOCKET", None)


class SpoolTest(unittest.TestCase):
    """Each test has a folder of its own; its service ends with it, and its spool must be sound then."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="quickq-python-")
        self.path = os.path.join(self.folder, "spool.db")
        self.spool = quickq.Spool(self.path)
        self.must_be_sound = True

    def tearDown(self):
        self.spool.close()
        self.stop_service()
        if self.must_be_sound and os.path.exists(self.path):
            self.assertEqual([("ok",)], self.rows("PRAGMA integrity_check"))
        shutil.rmtree(self.folder)

    def service(self):
        """The process id of the spool's service, None when none listens."""
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(os.path.relpath(os.path.join(self.folder, "spool.sock")))  # in a deep folder its name is too long
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def stop_service(self, number=signal.SIGTERM):
        """Ends the service, and waits until it has gone."""
        pid = self.service()
        if pid is not None:
            os.kill(pid, number)
            eventually("the service has ended", lambda: not is_running(pid))

    def rows(self, sql, *parameters):
        """Rows of a query, through a connection of its own."""
        connection = sqlite3.connect(self.path)
        try:
            connection.execute("PRAGMA wal_autocheckpoint=0")
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def run_sql(self, sql, *parameters):
        """Changes the spool as any program may: under the lock, whose file it touches afterwards."""
        with open(self.path + ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            try:
                connection.execute("PRAGMA wal_autocheckpoint=0")
                connection.execute(sql, parameters)
            finally:
                connection.close()
            os.utime(self.path + ".lock")

    def count(self):
        return self.rows("SELECT count(*) FROM message")[0][0] if os.path.exists(self.path) else 0

    def make_spool(self, *servers):
        """An empty spool with active servers."""
        self.spool.publish({"made": "spool"}, message_id="first")
        self.run_sql("DELETE FROM message")
        self.run_sql("DELETE FROM unassigned")
        for server in servers:
            self.run_sql("INSERT INTO server (name) VALUES (?)", server)

    def other_process_publishes(self):
        """Another program can use the spool, now."""
        code, out, err = run_python("import quickq, sys; print(quickq.Spool(sys.argv[1]).publish({'who': 'other'}))", self.path)
        self.assertEqual((0, ""), (code, err))
        return out.strip()


def is_running(pid):
    try:
        with open("/proc/{}/stat".format(pid)) as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descriptors():
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


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
    "d = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)\n"
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
        quickq.api.configure(confirm_wait=0.25, strict=False)
        quickq.api._client._told.clear()
        connection_watch.observers[:] = []
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
        os.environ["QUICKQ_SPOOL"] = os.path.join(self.folder, "other", "spool.db")
        yield
        os.environ["QUICKQ_SPOOL"] = self.path

    def settle_once_stored(self, server, state):
        eventually("a message is stored", lambda: self.count() > 0)
        self.settle(server, state)

    def settle(self, server, state):
        self.run_sql("UPDATE delivery SET state = ? WHERE server = (SELECT id FROM server WHERE name = ?)", state, server)


def pause(pid):
    """SIGSTOP, and waits until each thread has stopped: until then one could still answer."""
    def has_stopped():
        stats = []
        for thread in os.listdir("/proc/{}/task".format(pid)):
            with open("/proc/{}/task/{}/stat".format(pid, thread)) as stat:
                stats.append(stat.read())
        return all(") T " in stat for stat in stats)

    os.kill(pid, signal.SIGSTOP)
    eventually("process {} has stopped".format(pid), has_stopped)


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
