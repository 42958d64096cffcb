"""One of many producers that add as fast as they can, all at once; tells how long each add took, and of what that time was made.

    python3 tests/bench/producers.py KIND PROGRAM SPOOL START SECONDS

KIND is processes (`add`, a process each; every tenth time an empty program besides), lines (`add --lines`, bursts of 100) or python (publish).
Adds from START (seconds since the epoch) on count, for SECONDS. Prints the id of every message, and at last a JSON object: for each kind of
call a list of [milliseconds, of them on the processor, of them waiting for a processor]. The rest went to the spool's lock and to the disk.
"""

import json
import os
import subprocess
import sys
import time

BODY = json.dumps({"satellite_ID": "G16", "band": "8", "filler": "x" * 950})
KEY = "geo.goes.g16.abi.adde.realtime.ncdf.band.end"
BURST = 100


def used(*tasks):
    """What these tasks have had of the processor and waited for it, in milliseconds."""
    sums = [0.0, 0.0]
    for task in tasks:
        with open("/proc/{}/schedstat".format(task)) as file:
            ran, queued, _ = file.read().split()
        sums[0] += int(ran) / 1e6
        sums[1] += int(queued) / 1e6
    return sums


def run(command, environment):
    """One whole process; what its parent waits for a processor meanwhile is part of it."""
    before, begun = used("self"), time.monotonic()
    pid = os.posix_spawn(command[0], command, environment)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    elapsed = (time.monotonic() - begun) * 1000
    child, after = used(pid), used("self")
    status = os.waitpid(pid, 0)[1]
    if status != 0:
        raise SystemExit("{} ended with {}".format(command[0], status))
    return [elapsed, child[0] + after[0] - before[0], child[1] + after[1] - before[1]]


def processes(program, spool, going_on):
    times, empty = [], []
    while going_on():
        times.append((time.time(), run([program, "add", "--spool", spool, "-t", KEY, BODY], os.environ)))
        if len(times) % 10 == 0:
            empty.append((time.time(), run(["/usr/bin/true"], os.environ)))
    return {"add": times, "true": empty}


def lines(program, spool, going_on):
    child = subprocess.Popen([program, "add", "--lines", "--spool", spool, "-t", KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    burst = (BODY + "\n").encode() * BURST
    times = []
    while going_on():
        before, begun, at = used("self", child.pid), time.monotonic(), time.time()
        child.stdin.write(burst)
        child.stdin.flush()
        ids = [child.stdout.readline().decode() for _ in range(BURST)]
        elapsed = (time.monotonic() - begun) * 1000
        after = used("self", child.pid)
        times.append((at, [elapsed, after[0] - before[0], after[1] - before[1]]))
        sys.stdout.write("".join(ids))
    child.stdin.close()
    if child.wait() != 0:
        raise SystemExit("add --lines ended with {}".format(child.returncode))
    return {"lines": times}


def python(_, path, going_on):
    import quickq
    spool = quickq.Spool(path)
    times = []
    while going_on():
        before, begun, at = used("thread-self"), time.monotonic(), time.time()
        mid = spool.publish(BODY.encode(), KEY)
        elapsed = (time.monotonic() - begun) * 1000
        after = used("thread-self")
        times.append((at, [elapsed, after[0] - before[0], after[1] - before[1]]))
        print(mid)
    return {"python": times}


def main():
    kind, program, spool, start, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5])
    sys.stdout.flush()
    seen = {"processes": processes, "lines": lines, "python": python}[kind](program, spool, lambda: time.time() < start + seconds)
    sys.stdout.flush()
    print(json.dumps({name: [parts for at, parts in times if at >= start] for name, times in seen.items()}))


if __name__ == "__main__":
    main()
