"""Durable publish against bare sqlite3 with the same pragmas and rows, and publish_many, in one run.

    PYTHONPATH=python-shim python3 tests/bench/python_publish.py [seconds] [folder]

Rounds alternate, so that both see the same disk. Goals: publish >= 0.8 of bare sqlite3, publish_many >= 10 times publish.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import uuid

import quickq

HERE = os.path.dirname(os.path.abspath(__file__))
INSERT = "INSERT INTO message (id, exchange, routing_key, properties, expires_at, created_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)"


def events():
    with open(os.path.join(HERE, "..", "data", "ssec-events.ndjson"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def bare(path):
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=FULL", "wal_autocheckpoint=0", "trusted_schema=OFF", "temp_store=MEMORY"):
        connection.execute("PRAGMA " + pragma)
    cursor = connection.cursor()

    def publish(payload, key):
        row = (str(uuid.uuid4()), "satellite", key, '{"contentType":"application/json"}', None, int(time.time() * 1e6), json.dumps(payload).encode())
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(INSERT, row)
        cursor.execute("COMMIT")
    return publish


def round_of(publish, payloads, seconds):
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        payload = payloads[count % len(payloads)]
        publish(payload, payload["__topic__"])
        count += 1
    return count / (time.perf_counter() - start)


def new_spool(folder, name):
    spool = quickq.Spool(os.path.join(folder, name))
    spool.publish({})
    connection = sqlite3.connect(spool.path)
    connection.execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')")
    connection.commit()
    connection.close()
    return spool


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    folder = tempfile.mkdtemp(dir=sys.argv[2] if len(sys.argv) > 2 else None)
    payloads = events()
    spool = new_spool(folder, "spool.db")
    plain = bare(new_spool(folder, "bare.db").path)
    ours, theirs = [], []
    for _ in range(6):
        theirs.append(round_of(plain, payloads, seconds))
        ours.append(round_of(lambda payload, key: spool.publish(payload, key, "satellite"), payloads, seconds))
    many = []
    batch = [payloads[i % len(payloads)] for i in range(10000)]
    for _ in range(3):
        start = time.perf_counter()
        spool.publish_many(batch, lambda payload: payload["__topic__"], "satellite")
        many.append(len(batch) / (time.perf_counter() - start))
    shutil.rmtree(folder)
    theirs, ours, many = sorted(theirs)[3], sorted(ours)[3], sorted(many)[1]
    print("python {}, SQLite {}".format(sys.version.split()[0], sqlite3.sqlite_version))
    print("bare sqlite3         {:8.0f} messages/s".format(theirs))
    print("publish              {:8.0f} messages/s   {:.2f} of bare (goal 0.80)".format(ours, ours / theirs))
    print("publish_many 10,000  {:8.0f} messages/s   {:.1f} times publish (goal 10)".format(many, many / ours))


if __name__ == "__main__":
    main()
