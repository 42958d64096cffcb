"""Adds messages to a spool one after the other, and marks each id on the recording disk once it was told.

    producer.py KIND COUNT SPOOL MARK [QUICKQ-SPOOL]

KIND: `lines` (one quickq-spool add --lines), `add` (a quickq-spool add for each), `python` (the package, through the spool service), and two that must
be caught: `normal` (rows by SQL with synchronous=NORMAL), `early` (marks before it publishes). Each body ends with its own checksum, so that it can be
seen to be whole.
"""

import hashlib
import os
import random
import sqlite3
import subprocess
import sys


def body(dice, number):
    text = "%d.%d.%s" % (os.getpid(), number, "x" * dice.choice((10, 200, 900, 900, 900, 6000, 20000)))
    return text + "|" + hashlib.sha1(text.encode()).hexdigest()


def main(kind, count, spool, mark, program=None):
    dice = random.Random(os.environ.get("QUICKQ_SEED", "") + kind + str(os.getpid()))
    os.environ["QUICKQ_SPOOL"] = spool
    marks = os.open(mark, os.O_WRONLY)

    def told(message_id):
        os.write(marks, message_id.strip().encode())

    if kind == "lines":
        child = subprocess.Popen([program, "add", "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)
        for number in range(count):
            child.stdin.write(body(dice, number) + "\n")
            child.stdin.flush()
            told(child.stdout.readline())
        child.stdin.close()
        return child.wait()
    if kind == "add":
        for number in range(count):
            told(subprocess.run([program, "add", body(dice, number)], stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout)
        return 0

    if kind == "normal":
        database = sqlite3.connect(spool, isolation_level=None)
        database.executescript("PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0")
        for number in range(count):
            chosen = "%d-%d" % (os.getpid(), number)
            database.execute("INSERT INTO message (id, body) VALUES (?, ?)", (chosen, body(dice, number).encode()))
            told(chosen)
        return 0

    import quickq
    for number in range(count):
        if kind == "early":
            chosen = "%d-%d" % (os.getpid(), number)
            told(chosen)
            quickq.publish(body(dice, number).encode(), message_id=chosen)
        else:
            told(quickq.publish(body(dice, number).encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
