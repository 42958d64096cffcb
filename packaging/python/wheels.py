"""Builds the Python packages: python3 packaging/python/wheels.py OUTPUT [FOLDER-OF-PROGRAMS]

The wheel and the sdist of `ssec-quickq`, and, where the portable programs are given (`packaging/build.sh --portable`), the wheel of `ssec-quickq-agent` that
carries them.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "python-shim"))

import _backend  # noqa: E402

PROGRAMS = ("quickq-agent", "quickq-spool")
#: The portable programs need glibc 2.28 (tests/shell/python-packages.sh looks at their symbols) and load the system's SQLite.
TAG = "py3-none-manylinux_2_28_x86_64"
SUMMARY = "The Quickq agent and the command quickq-spool: deliver what this machine's programs publish to every RabbitMQ server"


def build_agent(output, programs):
    """The wheel with the programs of a folder, whatever libraries lie beside them included."""
    version = _backend.settings()["metadata"]["version"]
    with open(os.path.join(ROOT, "packaging", "python", "README.md"), encoding="utf-8") as text:
        description = text.read()
    wheel = _backend.Wheel(
        "ssec-quickq-agent", version, TAG,
        _backend.metadata("ssec-quickq-agent", SUMMARY, description, ["ssec-quickq (=={})".format(version)]))
    with open(os.path.join(ROOT, "packaging", "python", "quickq_agent.py"), "rb") as code:
        wheel.add("quickq_agent/__init__.py", code.read())
    for name in sorted(os.listdir(programs)):
        path = os.path.join(programs, name)
        with open(path, "rb") as file:
            wheel.add("quickq_agent/bin/" + name, file.read(), executable=os.access(path, os.X_OK))
    wheel.add_info("entry_points.txt", b"[console_scripts]\nquickq-agent = quickq_agent:agent\nquickq-spool = quickq_agent:spool\n")
    wheel.add_info("LICENSE", _backend.read("LICENSE"))
    return wheel.write(output)


def main():
    output = sys.argv[1]
    print(_backend.build_sdist(output))
    print(_backend.build_wheel(output))
    if len(sys.argv) > 2:
        missing = [name for name in PROGRAMS if not os.path.exists(os.path.join(sys.argv[2], name))]
        if missing:
            sys.exit("wheels.py: {} has no {}".format(sys.argv[2], " and no ".join(missing)))
        print(build_agent(output, sys.argv[2]))


if __name__ == "__main__":
    main()
