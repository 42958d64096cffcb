"""What `import quickq` adds to the start of an interpreter: python3 tests/bench/python_import.py [rounds] [python...]

Bare and importing interpreters alternate, so that both see the same load; the medians count. Goal: under 50 ms.
"""

import os
import subprocess
import sys
import time
from statistics import median

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python-shim")


def seconds(python, code):
    start = time.perf_counter()
    subprocess.check_call([python, "-c", code], env=dict(os.environ, PYTHONPATH=PACKAGE))
    return time.perf_counter() - start


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    for python in sys.argv[2:] or [sys.executable]:
        seconds(python, "import quickq")  # compiles it
        pairs = [(seconds(python, "pass"), seconds(python, "import quickq")) for _ in range(rounds)]
        bare, importing = median(pair[0] for pair in pairs) * 1000, median(pair[1] for pair in pairs) * 1000
        version = subprocess.check_output([python, "-c", "import sys; print(sys.version.split()[0])"]).decode().strip()
        print("python {:8} bare {:5.1f} ms, with import quickq {:5.1f} ms, added {:4.1f} ms (goal 50)".format(version, bare, importing, importing - bare))


if __name__ == "__main__":
    main()
