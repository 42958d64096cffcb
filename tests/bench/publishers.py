"""Producers that publish as fast as they can, each a process of its own, all at once; tells their rate and how long one publish took.

    python3 tests/bench/publishers.py COUNT SPOOL SECONDS

Prints one JSON object: messages a second of all together, and the median, 99th percentile and longest time of a publish in milliseconds.
The first second does not count. Works with the package of this tree and with that of a release before it.
"""

import json
import mmap
import os
import struct
import sys
import time

BODY = json.dumps({"satellite_ID": "G16", "band": "8", "filler": "x" * 950}).encode()
KEY = "geo.goes.g16.abi.adde.realtime.ncdf.band.end"
WARM_UP = 1


def produce(path, shared, seconds, out):
    """Publishes from now on; what is begun within the seconds after the shared start counts."""
    import quickq
    spool = quickq.Spool(path)
    spool.publish(BODY, KEY)
    out.write("ready\n")
    out.flush()
    times = []
    while True:
        start = struct.unpack_from("d", shared)[0] or float("inf")
        begun = time.monotonic()
        if begun >= start + seconds:
            break
        spool.publish(BODY, KEY)
        if begun >= start:
            times.append(round((time.monotonic() - begun) * 1000, 3))
    json.dump(times, out)
    out.close()


def main():
    count, path, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    shared = mmap.mmap(-1, 8)
    pipes = []
    for _ in range(count):
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.close(reading)
            produce(path, shared, seconds, os.fdopen(writing, "w"))
            os._exit(0)
        os.close(writing)
        pipes.append(os.fdopen(reading))
    for pipe in pipes:
        pipe.readline()
    struct.pack_into("d", shared, 0, time.monotonic() + WARM_UP)
    times = sorted(time for pipe in pipes for time in json.load(pipe))
    for _ in pipes:
        if os.wait()[1] != 0:
            raise SystemExit("a producer failed")
    if not times:
        raise SystemExit("no publish ended in this time")
    print(json.dumps({
        "PerSecond": len(times) / seconds, "Median": times[len(times) // 2], "P99": times[int(len(times) * 0.99)], "Longest": times[-1]}))


if __name__ == "__main__":
    main()
