"""Whole processes that store or send one message, in turns, and `quickq-spool add --lines`.

    python3 tests/bench/add_processes.py QUICKQ_SPOOL ROUNDS LINES AMQP_URL PYTHON_PACKAGE

Prints one JSON object a line: name, the median, tenth and ninetieth percentile of the milliseconds, the median of the processor's milliseconds.
The lines named "lines" have messages a second in their place.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

BODY = json.dumps({"satellite_ID": "G16", "band": "8", "filler": "x" * 950})
SERVED, MODULE = os.path.join("served", "spool.db"), os.path.join("module", "spool.db")
KEY = "geo.goes.g16.abi.adde.realtime.ncdf.band.end"


def contestants(program, folder, url, package):
    own, theirs, python, served, module = (os.path.join(folder, name) for name in ("spool.db", "sqlite3.db", "python.db", SERVED, MODULE))
    for path in (served, module):
        os.mkdir(os.path.dirname(path), 0o700)
    for path in (own, theirs, python, served):
        subprocess.run([program, "add", "--spool", path, "first"], check=True, stdout=subprocess.DEVNULL)
    statement = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; INSERT INTO message (routing_key, body) VALUES ('{}', '{}');".format(KEY, BODY)
    code = ("import sqlite3; c = sqlite3.connect('{}', isolation_level=None); c.execute('PRAGMA synchronous=FULL'); "
            "c.execute('INSERT INTO message (routing_key, body) VALUES (?, ?)', ('{}', '{}'))").format(python, KEY, BODY)
    yield "an empty program (`true`)", ["/usr/bin/true"], {}
    yield "the `sqlite3` program, one durable insert", ["/usr/bin/sqlite3", theirs, statement], {}
    yield "`quickq-spool --version`: only its start", [program, "--version"], {}
    yield "`quickq-spool add`", [program, "add", "--spool", own, "-t", KEY, BODY], {}
    yield "`quickq-spool add` through the service", [program, "--service", "--spool", served, "add", "-t", KEY, BODY], {}
    yield "`amqp-publish` to a local broker, no confirm", ["/usr/bin/amqp-publish", "-u", url, "-e", "satellite", "-r", KEY, "-p", "-b", BODY], {}
    yield "a `python3` one-liner with sqlite3", ["/usr/bin/python3", "-c", code], {}
    yield "`python3 -m quickq`", ["/usr/bin/python3", "-m", "quickq", "--spool", module, "-t", KEY, BODY], {"PYTHONPATH": package, "QUICKQ_PROGRAM": program}


def run(command, environment, null):
    start = time.perf_counter()
    pid = os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)])
    _, status, used = os.wait4(pid, 0)
    elapsed = time.perf_counter() - start
    if status != 0:
        raise SystemExit("{} ended with {}".format(command[0], status))
    return elapsed * 1000, (used.ru_utime + used.ru_stime) * 1000


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def line_rate(program, folder, count):
    path, spool = os.path.join(folder, "lines.ndjson"), os.path.join(folder, "lines.db")
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as out:
            for number in range(count):
                out.write(BODY[:-1] + ', "n": {}}}\n'.format(number))
    start = time.perf_counter()
    subprocess.run([program, "add", "--lines", "--file", path, "--spool", spool, "-t", "{satellite_ID}.end"], check=True, stdout=subprocess.DEVNULL)
    return count / (time.perf_counter() - start)


def main():
    program, rounds, count, url, package = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
    folder = tempfile.mkdtemp()
    null = os.open(os.devnull, os.O_WRONLY)
    all_of_them = list(contestants(program, folder, url, package))
    service = subprocess.Popen([program, "serve", "--spool", os.path.join(folder, SERVED)])
    try:
        measure(all_of_them, rounds, null)
    finally:
        service.terminate()
        service.wait()
    for _ in range(3):
        print(json.dumps({"Name": "lines", "Median": line_rate(program, folder, count)}))
    shutil.rmtree(folder)


def measure(all_of_them, rounds, null):
    seen = {name: [] for name, _, _ in all_of_them}
    for _ in range(rounds):
        for name, command, more in all_of_them:
            seen[name].append(run(command, {**os.environ, **more}, null))
    for name, runs in seen.items():
        walls, processor = [wall for wall, _ in runs], [used for _, used in runs]
        print(json.dumps({
            "Name": name, "Median": percentile(walls, 0.5), "Tenth": percentile(walls, 0.1), "Ninetieth": percentile(walls, 0.9), "Processor": percentile(processor, 0.5)}))


if __name__ == "__main__":
    main()
