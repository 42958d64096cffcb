"""``quickq.utils``, and what payloads say of their script and time: as QuickMQ's ``ssec_amqp.utils`` has them."""

import datetime
import os
import socket
import sys
import tempfile
import unittest
from unittest import mock

from quickq import ssec
from spools import run_python

CENTRAL = datetime.timezone(datetime.timedelta(hours=-6))


class Utils(unittest.TestCase):

    def test_the_names_of_ssec_amqp_utils_are_there(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("library.py", "from quickq.utils import *\n"), (
                    "script.py", "import library, quickq.utils as u\nprint(u.INJECTOR_SCRIPT, u.SERVER_NAME, u.CURRENT_USER, u.PAYLOAD_DATETIME_FORMAT, sep='\\n')\n")):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            run = "import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_path(sys.argv[1] + '/script.py')"
            code, out, err = run_python(run, folder, environment={"LOGNAME": "oper"})
            self.assertEqual((0, ""), (code, err))
            host = socket.gethostname()
            self.assertEqual(
                ["oper@{}:{}".format(host, os.path.join(folder, "library.py")), host, "oper", "%Y-%m-%d %H:%M:%S.%f"], out.splitlines())

    def test_an_account_without_a_name_is_none(self):
        code, out, err = run_python(
            "import getpass\ndef fail(): raise KeyError('uid not found')\ngetpass.getuser = fail\n"
            "from quickq.utils import *\nprint(repr(CURRENT_USER), INJECTOR_SCRIPT == '@' + SERVER_NAME + ':/')", cwd="/")
        self.assertEqual((0, "'' True\n", ""), (code, out, err))


class Payloads(unittest.TestCase):

    def test_the_digits_of_a_time_are_its_own_as_in_quickmq(self):
        for when in (datetime.datetime(2024, 6, 27, 15, 30, 54, 699999), datetime.datetime(2024, 6, 27, 15, 30, 54, 699999, tzinfo=CENTRAL),
                     datetime.datetime(2024, 6, 27, 15, 30, 54, 699999, tzinfo=datetime.timezone.utc)):
            self.assertEqual("2024-06-27 15:30:54.6", ssec.format_datetime(when))
        self.assertEqual("2024-06-27 00:00:00.0", ssec.format_datetime(datetime.datetime(2024, 6, 27)))

    def test_the_injector_script_names_this_host_never_localhost(self):
        for host, full, expected in (
                ("sds1", "sds1.ssec.wisc.edu", "sds1.ssec.wisc.edu"), ("sds1", "localhost", "sds1"), ("sds1", "localhost.localdomain", "sds1"),
                ("sds1", "localhost6.localdomain6", "sds1"), ("sds1", "sds1", "sds1"), ("sds1.ssec.wisc.edu", "localhost", "sds1.ssec.wisc.edu")):
            with mock.patch("socket.gethostname", return_value=host), mock.patch("socket.getfqdn", return_value=full):
                self.assertEqual(expected, ssec.injector_script("/x.py").split("@")[1].split(":")[0], (host, full))
        with mock.patch.object(sys, "argv", ["dir/script.py"]):
            self.assertTrue(ssec.injector_script().endswith(":" + os.path.abspath("dir/script.py")))


if __name__ == "__main__":
    unittest.main()
