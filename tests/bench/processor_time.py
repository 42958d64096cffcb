"""Sorts what `perf script` prints of a drain by the parts of a message's way, and shares the microseconds a message out among them.

The last two thirds of the recording count: what comes before is the start, and the checkpoint of what the producers left in the log.
A sample belongs to the part that the innermost frame with a known name tells. SQLite is compiled without frame pointers, so its callers
are unknown; the thread's name tells them then: the ledger's or a worker's.
"""
import collections
import re
import sys

# From the leaf outwards, the first that is found wins.
PARTS = [
    ("garbage collection", ("gc_heap", "GCHeap", "GcScanRoots", "RhpNewVariableSizeObject", "RhpNewObject")),
    ("sending to the socket", ("sendto", "BrokerStream", "tcp_sendmsg")),
    ("reading the spool", ("SpoolFeed", "libe_sqlite3", "pread64", "MicrosoftData_Sqlite", "Microsoft_Data_Sqlite", "SQLitePCL")),
    ("confirms: receiving, window, settlement noted", ("ReceiveLoop", "InboundFrame", "ReadFromPipe", "OnAckAsync", "IConfirmListener", "HandleCommand", "recvfrom")),
    ("publishing: encoding, client library", ("BasicPublish", "ConfirmedPublisher", "WireProperties", "MessageEncoding", "SocketFrameHandler", "SessionBase",
                                              "Lane__PublishAsync", "Pump__PublishAsync", "InFlightWindow__Enter", "BoundedChannel")),
]
LEDGER = [
    ("garbage collection", ("gc_heap", "GCHeap", "GcScanRoots")),
    ("ledger: writing the log and checkpoints", ("pwrite64", "fsync", "ftruncate", "pread64", "sqlite3WalCheckpoint", "walChecksumBytes")),
    ("ledger: settling in SQLite", ("libe_sqlite3", "libc.so")),
]
OTHER = "thread pool, timers, waking and sleeping"
OTHER_LEDGER = "ledger: lock, batches, waking and sleeping"


def samples(lines):
    """Each sample: name of the thread, time, frames from the leaf outwards as 'symbol (file)'."""
    thread, at, frames = None, 0.0, []
    for line in lines:
        if not line.strip():
            if frames:
                yield thread, at, frames
            thread, frames = None, []
            continue
        head = re.match(r"\s*(.*?)\s+\d+\s+([\d.]+):", line) if thread is None else None
        if head:
            thread, at = head.group(1), float(head.group(2))
        else:
            frames.append(line.split(None, 1)[-1].strip())
    if frames:
        yield thread, at, frames


def part_of(frames, parts, other):
    for frame in frames:
        for part, names in parts:
            if any(name in frame for name in names):
                return part
    return other


def main():
    microseconds = float(sys.argv[1])
    found = list(samples(sys.stdin))
    first, last = found[0][1], found[-1][1]
    counts = collections.Counter()
    for thread, at, frames in found:
        if at - first < (last - first) / 3:
            continue
        counts[part_of(frames, LEDGER, OTHER_LEDGER) if thread == "ledger" else part_of(frames, PARTS, OTHER)] += 1
    total = sum(counts.values())
    print("\n| part | us a message |\n| --- | --- |")
    for part, count in counts.most_common():
        print("| {} | {:.2f} |".format(part, count / total * microseconds))
    print("| all | {:.2f} |".format(microseconds))


if __name__ == "__main__":
    main()
