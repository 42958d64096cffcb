"""Writes a zip file anew so that the same content gives the same bytes: python3 same-zip.py FROM TO.

Members in order of their names, each with one fixed time. A NuGet package names its core properties by a random number, in the file's
name and in the relationships that point to it: both get a fixed one.
"""

import re
import sys
import zipfile

EARLIEST = (1980, 1, 1, 0, 0, 0)
RANDOM_NAME = re.compile(r"package/services/metadata/core-properties/[0-9a-f]{32}\.psmdcp")
FIXED_NAME = "package/services/metadata/core-properties/quickq.psmdcp"
RANDOM_ID = re.compile(rb' Id="R[0-9A-F]{16}"')


def relationships(content):
    """The relationships with their random ids and the random name replaced."""
    ids = iter(range(1, 1000))
    named = RANDOM_NAME.sub(FIXED_NAME, content.decode("utf-8")).encode("utf-8")
    return RANDOM_ID.sub(lambda match: b' Id="R%d"' % next(ids), named)


def main(source, target):
    members = {}
    with zipfile.ZipFile(source) as package:
        for name in package.namelist():
            content = package.read(name)
            members[RANDOM_NAME.sub(FIXED_NAME, name)] = relationships(content) if name.endswith(".rels") else content
    with zipfile.ZipFile(target, "w") as package:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            package.writestr(entry, members[name])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
