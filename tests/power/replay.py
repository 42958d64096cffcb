"""Makes the states in which a power cut may leave a disk out of a recorder's log, and looks at the spool in each.

    replay.py IMAGE LOG STATES SEED [QUICKQ-SPOOL]

A state: everything up to the last flush before a random moment, and of what was written since: nothing, all, a part from the front, any part, or any part in
pieces of 512 bytes. In each the file system is mounted, as after a reboot; the spool must be sound and must hold, whole, every message whose id had been
marked by then. Prints one line of JSON with what was found. Needs root and loop devices.

ext4 replays its journal and removes orphans when it is mounted: no fsck is needed for that. One state it cannot mount: its superblock has 1,024 bytes, and
where one half of a write of it reached the disk the checksum is wrong. Only pieces of 512 bytes ("torn") can leave that, and only a disk with such sectors; an
operator would run `e2fsck -y` then, which takes the superblock's copy and replays the journal. The same is done here and counted as "fsck": that alone explains a
failed mount, in that mode alone, and e2fsck must end with 1 (everything corrected). Anything else is damage.
"""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

SECTOR = 512
MODES = ("nothing", "all", "front", "part", "torn")
LOOK_CLOSELY_EVERY = 21
FSCK_CORRECTED = 1

COUNTERS = """
    SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'message') = (SELECT count(*) FROM message) + (SELECT value FROM tally WHERE name = 'removed')
        AND NOT EXISTS (SELECT 1 FROM server AS s WHERE s.pending <> (SELECT count(*) FROM delivery WHERE server = s.id AND state = 'pending')
            OR s.delivered <> (SELECT count(*) FROM delivery WHERE server = s.id AND state = 'delivered'))
        AND NOT EXISTS (SELECT 1 FROM message WHERE seq NOT IN (SELECT message FROM delivery UNION ALL SELECT message FROM unassigned))
"""


def read_log(path):
    events = []
    with open(path, "rb") as log:
        while True:
            kind = log.read(1)
            if not kind:
                return events
            offset, length = struct.unpack("<QI", log.read(12))
            events.append((kind, offset, log.read(length)))


def choose(mode, pending, dice):
    """What of the writes that were not flushed has reached the disk."""
    if mode == "nothing":
        return []
    if mode == "all":
        return pending
    if mode == "front":
        return pending[:dice.randint(0, len(pending))]
    some = [write for write in pending if dice.random() < 0.5]
    if mode == "part":
        return some
    return [(offset + at, data[at:at + SECTOR]) for offset, data in some for at in range(0, len(data), SECTOR) if dice.random() < 0.7]


def look(folder, marked, program):
    """What is wrong with the spool in a mounted state: (kind, text) of each finding."""
    path = os.path.join(folder, "spool.db")
    if not os.path.exists(path):
        return [("lost", "there is no spool, and %d ids were told" % len(marked))] if marked else []
    findings = []
    if program:
        checked = subprocess.run([program, "check", "--spool", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        if checked.returncode != 0:
            findings.append(("damaged", "quickq-spool check: " + checked.stdout))
    try:
        connection = sqlite3.connect(path)
        try:
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if said != "ok":
                findings.append(("damaged", said))
            stored = dict(connection.execute("SELECT id, body FROM message"))
            if connection.execute("SELECT count(*) FROM message").fetchone()[0] and connection.execute(COUNTERS).fetchone()[0] != 1:
                findings.append(("damaged", "counters and rows differ"))
        finally:
            connection.close()
    except sqlite3.Error as error:
        return findings + [("damaged", str(error))]
    lost = [message_id for message_id in marked if message_id not in stored]
    if lost:
        findings.append(("lost", "%d of %d, the first is %s" % (len(lost), len(marked), lost[0])))
    for message_id, body in stored.items():
        text, _, checksum = bytes(body).rpartition(b"|")
        if hashlib.sha1(text).hexdigest().encode() != checksum:
            findings.append(("damaged", "message %s is not whole" % message_id))
    return findings


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


def mend_superblock(image, mode, refusal):
    """What is wrong with a file system that could not be mounted, when it is not just a torn superblock."""
    if mode != "torn" or "Superblock checksum does not match" not in run("dumpe2fs", "-h", image).stdout:
        return [("damaged", "the file system cannot be mounted: " + refusal)]
    mended = run("e2fsck", "-fy", image)
    return [] if mended.returncode == FSCK_CORRECTED else [("damaged", "e2fsck ended with %d: %s" % (mended.returncode, mended.stdout))]


def mounted(image, work, marked, program, mode, counts):
    folder = os.path.join(work, "mounted")
    os.makedirs(folder, exist_ok=True)
    done = run("mount", "-o", "loop", image, folder)
    if done.returncode != 0:
        counts["fsck"] += 1
        findings = mend_superblock(image, mode, done.stdout)
        if findings:
            return findings
        done = run("mount", "-o", "loop", image, folder)
    if done.returncode != 0:
        return [("damaged", "the file system cannot be mounted after e2fsck: " + done.stdout)]
    try:
        findings = look(folder, marked, program)
    finally:
        subprocess.run(["umount", folder], check=True)
    if program:
        left = run("e2fsck", "-fn", image)
        if left.returncode != 0:
            findings.append(("damaged", "e2fsck after the mount ended with %d: %s" % (left.returncode, left.stdout)))
    return findings


def main(image, log, states, seed, program=None):
    dice = random.Random(seed)
    events = read_log(log)
    moments = sorted(dice.randrange(1, len(events) + 1) for _ in range(states))
    with open(image, "rb") as base:
        disk = bytearray(base.read())
    work = tempfile.mkdtemp(prefix="quickq-power-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    counts = {"states": states, "marks": 0, "flushes": 0, "unflushed": 0, "fsck": 0, "damaged": 0, "lost": 0}
    first = []
    marked, pending, position = [], [], 0
    try:
        for number, moment in enumerate(moments):
            for kind, offset, data in events[position:moment]:
                if kind == b"W":
                    pending.append((offset, data))
                elif kind == b"M":
                    marked.append(data.decode())
                else:
                    counts["flushes"] += 1
                    for at, flushed in pending:
                        disk[at:at + len(flushed)] = flushed
                    pending = []
            position = moment
            state = os.path.join(work, "state.img")
            mode = MODES[number % len(MODES)]
            with open(state, "wb") as copy:
                copy.write(disk)
                for at, written in choose(mode, pending, dice):
                    copy.seek(at)
                    copy.write(written)
            counts["unflushed"] += bool(pending)
            findings = mounted(state, work, marked, program if number % LOOK_CLOSELY_EVERY == 0 else None, mode, counts)
            for kind in ("damaged", "lost"):
                counts[kind] += any(found == kind for found, _ in findings)
            if findings and len(first) < 5:
                first.append("state %d (event %d of %d, %s): %s" % (number, moment, len(events), mode, findings[0]))
    finally:
        shutil.rmtree(work)
    counts["marks"] = len(marked)
    print(json.dumps(dict(counts, first=first)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
