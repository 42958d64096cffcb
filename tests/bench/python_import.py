"""What `import quickq` and a first publish add to the start of an interpreter: python3 tests/bench/python_import.py [rounds] [python...]

The publish is through a service that runs already. The kinds alternate, so that all see the same load; the medians count. Goal: under 50 ms.
QUICKQ_PROGRAM names the program quickq-spool.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from statistics import median

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python-shim")


PUBLISH = "import quickq, sys; quickq.Spool(sys.argv[1]).publish({'satellite_ID': 'G16'}, 'geo.goes')"


def seconds(python, code, *arguments):
    start = time.perf_counter()
    subprocess.check_call([python, "-c", code] + list(arguments), env=dict(os.environ, PYTHONPATH=PACKAGE))
    return time.perf_counter() - start


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    folder = tempfile.mkdtemp()
    spool = os.path.join(folder, "spool.db")
    for python in sys.argv[2:] or [sys.executable]:
        seconds(python, PUBLISH, spool)  # compiles it, and starts the service
        runs = [(seconds(python, "pass"), seconds(python, "import quickq"), seconds(python, PUBLISH, spool)) for _ in range(rounds)]
        bare, importing, publishing = (median(run[kind] for run in runs) * 1000 for kind in range(3))
        version = subprocess.check_output([python, "-c", "import sys; print(sys.version.split()[0])"]).decode().strip()
        print("python {:8} bare {:5.1f} ms, import quickq adds {:4.1f} ms, with a first publish {:5.1f} ms (goal 50)".format(
            version, bare, importing - bare, publishing - bare))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
