"""Durable publish against bare sqlite3 with the same pragmas and rows, and publish_many, in one run.

    PYTHONPATH=python-shim python3 tests/bench/python_publish.py [--json] [seconds [batch [folder]]]

Blocks of 50 messages alternate and the median block counts, so that both see the same disk and the same load. Goals: publish >= 0.8 of bare sqlite3, publish_many >= 10 times publish.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from statistics import median

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


def rate_of_block(publish, payloads):
    start = time.perf_counter()
    for payload in payloads:
        publish(payload, payload["__topic__"])
    return len(payloads) / (time.perf_counter() - start)


def new_spool(folder, name):
    os.mkdir(os.path.join(folder, name))  # a service listens beside its spool
    spool = quickq.Spool(os.path.join(folder, name, "spool.db"))
    spool.publish({})
    connection = sqlite3.connect(spool.path)
    connection.execute("INSERT INTO server (name) VALUES ('mq1'), ('mq2')")
    connection.commit()
    connection.close()
    return spool


def spread(values):
    ordered = sorted(values)
    return [ordered[len(ordered) // 10], median(ordered), ordered[-1 - len(ordered) // 10]]


def measure(seconds, size, folder):
    payloads = events()
    spool = new_spool(folder, "ours")
    plain = bare(new_spool(folder, "bare").path)
    ours, theirs, many = [], [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        block = payloads[50 * len(ours) % 2000:][:50]
        theirs.append(rate_of_block(plain, block))
        ours.append(rate_of_block(lambda payload, key: spool.publish(payload, key, "satellite"), block))
    batch = [payloads[i % len(payloads)] for i in range(size)]
    for _ in range(5):
        start = time.perf_counter()
        spool.publish_many(batch, lambda payload: payload["__topic__"], "satellite")
        many.append(len(batch) / (time.perf_counter() - start))
    return spread(theirs), spread(ours), spread(many)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"] + [None] * 3
    seconds, size = float(arguments[0] or 10), int(arguments[1] or 10000)
    folder = tempfile.mkdtemp(dir=arguments[2])
    try:
        theirs, ours, many = measure(seconds, size, folder)
    finally:
        shutil.rmtree(folder)
    if "--json" in sys.argv:
        print(json.dumps({"Python": sys.version.split()[0], "Sqlite": sqlite3.sqlite_version, "Bare": theirs, "Publish": ours, "Many": many}))
        return
    print("python {}, SQLite {}".format(sys.version.split()[0], sqlite3.sqlite_version))
    print("bare sqlite3         {:8.0f} messages/s".format(theirs[1]))
    print("publish              {:8.0f} messages/s   {:.2f} of bare (goal 0.80)".format(ours[1], ours[1] / theirs[1]))
    print("publish_many         {:8.0f} messages/s   {:.1f} times publish (goal 10)".format(many[1], many[1] / ours[1]))


if __name__ == "__main__":
    main()
