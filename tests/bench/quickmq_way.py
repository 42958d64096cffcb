"""Publishes as QuickMQ does: to one server after the other, and each confirm is awaited before the next message.

    python3 tests/bench/quickmq_way.py [--rate MESSAGES-A-SECOND] [--transient] MESSAGES BYTES HOST:PORT/VHOST...

Messages are persistent, unless --transient is given: QuickMQ's own are not. Needs Debian's python3-amqp.
Prints one JSON object; the first tenth of the messages is not measured.
"""

import json
import resource
import sys
import time

import amqp


def connect(address):
    host, _, vhost = address.partition("/")
    connection = amqp.Connection(host, userid="guest", password="guest", virtual_host=vhost, confirm_publish=True)
    connection.connect()
    return connection.channel()


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def text_of(seconds):
    return "00:{:02d}:{:010.7f}".format(int(seconds // 60), seconds % 60)


def main():
    arguments, rate = sys.argv[1:], None
    if arguments[0] == "--rate":
        rate = int(arguments[1])
        del arguments[:2]
    mode = 2
    if arguments[0] == "--transient":
        mode = 1
        del arguments[0]
    messages, size = int(arguments[0]), int(arguments[1])
    channels = [connect(address) for address in arguments[2:]]
    body = b"\0" * size
    warm = messages // 10
    begin = time.perf_counter()
    for number in range(messages):
        if rate:
            time.sleep(max(0.0, begin + number / rate - time.perf_counter()))  # the pace that is measured
        if number == warm:
            start, processor = time.perf_counter(), processor_seconds()
        for channel in channels:
            message = amqp.Message(body, content_type="application/json", delivery_mode=mode)
            channel.basic_publish_confirm(message, exchange="satellite", routing_key="geo.goes.g16.abi.adde.realtime.ncdf.band.end")
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "Messages": messages - warm, "Elapsed": text_of(time.perf_counter() - start), "Processor": text_of(processor_seconds() - processor),
        "Switches": used.ru_nvcsw, "PeakBytes": used.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
