"""The package as it is shipped: copies that must equal their masters, doctests, start-up time, the shell face."""

import doctest
import glob
import importlib
import json
import os
import re
import subprocess
import sys
import unittest

import quickq
from spools import PACKAGE, ROOT

SHIM = os.path.join(ROOT, "python-shim")


def read(*names):
    with open(os.path.join(*names), "rb") as file:
        return file.read()


class Copies(unittest.TestCase):

    def test_the_table_of_topics_is_that_of_the_spool_library(self):
        self.assertEqual(read(ROOT, "spool", "Ssec", "topics.json"), read(PACKAGE, "topics.json"))

    def test_the_page_about_topics_has_what_the_table_has(self):
        families = json.loads(read(PACKAGE, "topics.json").decode())["families"]
        page = read(ROOT, "docs", "ssec-topics.md").decode()
        rows = re.findall(r"^\| `([a-z]+)` \| (.+) \| (.+) \|$", page.split("## The families")[1], re.MULTILINE)
        self.assertEqual(list(families), [family for family, _, _ in rows])
        for family, kind, form in rows:
            for word, cell in (("satellite_type", kind), ("format", form)):
                decided = [families[family]["decides"].get(word)] if word in families[family]["decides"] else []
                decided += [satellite[word] for satellite in families[family].get("satellites", {}).values() if word in satellite]
                self.assertEqual(sorted(set(decided)), sorted(set(re.findall("`([a-z0-9]+)`", cell))), (family, word))

    def test_the_version_and_the_licence_are_those_of_the_project(self):
        version = re.search(b"<Version>(.*)</Version>", read(ROOT, "Directory.Build.props")).group(1).decode()
        self.assertEqual(version, quickq.__version__)
        self.assertEqual(read(ROOT, "LICENSE"), read(SHIM, "LICENSE"))


class Pages(unittest.TestCase):

    def test_no_page_installs_the_package_of_another_project(self):
        pages = [os.path.join(folder, name) for top in ("docs", "packaging", "python-shim", "spool") for folder, _, names in os.walk(os.path.join(ROOT, top))
                 for name in names if name.endswith((".md", ".py", ".cfg", ".toml"))]
        self.assertIn(os.path.join(ROOT, "docs", "python.md"), pages)
        for page in pages + [os.path.join(ROOT, "README.md"), os.path.join(ROOT, "CONTRIBUTING.md")]:
            self.assertIsNone(re.search(rb"pip3? install (-\S+ )*['\"]?quickq\b", read(page)), page)


class Source(unittest.TestCase):

    def test_nothing_in_it_opens_the_spool(self):
        for path in glob.glob(os.path.join(SHIM, "**", "*"), recursive=True):
            if os.path.isfile(path):
                self.assertNotIn(b"sqlite" + b"3", read(path), path)


class Documentation(unittest.TestCase):

    def test_the_examples_of_every_module_are_true(self):
        tried = 0
        for path in sorted(glob.glob(os.path.join(PACKAGE, "*.py"))):
            name = os.path.basename(path)[:-3]
            module = importlib.import_module("quickq" if name == "__init__" else "quickq." + name)
            outcome = doctest.testmod(module)
            self.assertEqual(0, outcome.failed, module.__name__)
            tried += outcome.attempted
        self.assertGreater(tried, 20)


class Start(unittest.TestCase):

    def test_importing_brings_in_nothing_that_takes_time(self):
        # The time itself is measured by tests/bench; here only what would cost it: modules that most scripts do not have yet.
        code = "import sys; before = set(sys.modules); import quickq; print(' '.join(sorted(set(sys.modules) - before)))"
        output = subprocess.check_output([sys.executable, "-c", code], env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE)))
        new = output.decode().split()
        self.assertIn("quickq", new)
        self.assertFalse({"sqlite3", "json", "logging", "subprocess", "asyncio", "ctypes", "uuid", "socket", "typing", "datetime"} & set(new), new)
        self.assertLess(len(new), 20, new)

    def test_a_first_publish_brings_in_little_more(self):
        code = (
            "import os, sys, tempfile, quickq\n"
            "folder = tempfile.mkdtemp()\n"
            "quickq.Spool(folder + '/spool.db').publish({})\n"  # starts the service
            "print(folder)\n")
        environment = dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE))
        folder = subprocess.check_output([sys.executable, "-c", code], env=environment).decode().strip()
        code = (
            "import sys, quickq\n"
            "quickq.Spool(sys.argv[1] + '/spool.db').publish({})\n"
            "print(' '.join(sys.modules))\n")
        found = subprocess.check_output([sys.executable, "-c", code, folder], env=environment).decode().split()
        self.assertFalse({"logging", "subprocess", "asyncio", "ctypes", "uuid", "socket", "datetime"} & set(found), found)


if __name__ == "__main__":
    unittest.main()
