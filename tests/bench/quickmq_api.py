"""Publishes as a QuickMQ script with its import changed: `quickq.api.publish`, which waits a moment for the confirms of both servers.

    QUICKQ_SPOOL=... PYTHONPATH=python-shim python3 tests/bench/quickmq_api.py [--no-wait] MESSAGES BYTES SERVER...

Prints one JSON object; the first tenth of the messages is not measured. With the wait, fewer than 99 of 100 answers of `DELIVERED` at every
server are an error: then something else was measured.
"""

import json
import resource
import sys
import time

import quickq.api as mq

from quickmq_way import processor_seconds, text_of

TOPIC = "geo.goes.g16.abi.adde.realtime.ncdf.band.end"


def main():
    arguments, waits = sys.argv[1:], sys.argv[1] != "--no-wait"
    if not waits:
        del arguments[0]
        mq.configure(confirm_wait=0)
    messages, size = int(arguments[0]), int(arguments[1])
    payload = {"data": "x" * (size - len('{"data": ""}'))}
    mq.connect(*arguments[2:], exchange="satellite")
    warm, delivered = messages // 10, 0
    for number in range(messages):
        if number == warm:
            start, processor = time.perf_counter(), processor_seconds()
        states = mq.publish(payload, route_key=TOPIC)
        delivered += set(states.values()) == {mq.DeliveryStatus.DELIVERED}
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "Messages": messages - warm, "Elapsed": text_of(time.perf_counter() - start), "Processor": text_of(processor_seconds() - processor),
        "Switches": used.ru_nvcsw, "PeakBytes": used.ru_maxrss * 1024}))
    if waits and delivered < 0.99 * messages:
        sys.exit("{} of {} messages were delivered to every server when publish returned".format(delivered, messages))


if __name__ == "__main__":
    main()
