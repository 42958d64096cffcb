"""Part of run.sh: runs tests/python with unittest and leaves `passed failed skipped` in the file named by its argument.

The summary of unittest cannot be counted with: Python 3.12.1 leaves skipped tests out of it. Runs on Python 3.6 and up.
"""
import sys
import unittest


class CountingResult(unittest.TextTestResult):
    """Counts the tests that passed, which unittest itself does not."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main(figures):
    suite = unittest.defaultTestLoader.discover("tests/python", top_level_dir="tests/python")
    result = unittest.TextTestRunner(resultclass=CountingResult).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = result.passed + len(result.expectedFailures)
    with open(figures, "w") as out:
        out.write("%d %d %d\n" % (passed, failed, len(result.skipped)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
