"""Publishes at an even pace, each payload being the time at which publish was called: python3 tests/bench/latency_producer.py SPOOL RATE COUNT KEY"""

import sys
import time

import quickq


def main():
    spool, rate, count, key = quickq.Spool(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    start = time.monotonic()
    for number in range(count):
        wait = start + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)  # the pace that is measured
        spool.publish(str(time.time_ns() // 1000).encode(), key)


if __name__ == "__main__":
    main()
