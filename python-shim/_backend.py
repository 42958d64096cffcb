"""Builds the wheel and the sdist from setup.cfg with the standard library alone (PEP 517); the same bytes every time."""

import base64
import configparser
import gzip
import hashlib
import io
import os
import re
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
_EPOCH = 315532800  # 1980-01-01, the first day that a zip file knows
_SDIST = ("LICENSE", "README.md", "_backend.py", "pyproject.toml", "setup.cfg", "setup.py")


class Wheel:
    """A wheel in the making: name, version and tag, then its files."""

    def __init__(self, name, version, tag, metadata):
        self.file_name = "{}-{}-{}.whl".format(name.replace("-", "_"), version, tag)
        self._info = "{}-{}.dist-info".format(name.replace("-", "_"), version)
        self._files = []
        self.add(self._info + "/METADATA", metadata.encode("utf-8"))
        pure = "true" if tag.endswith("-none-any") else "false"
        self.add(self._info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: quickq\nRoot-Is-Purelib: {}\nTag: {}\n".format(pure, tag).encode())

    def add(self, path, content, executable=False):
        """Adds a file at ``path`` below site-packages."""
        self._files.append((path, content, 0o755 if executable else 0o644))

    def add_info(self, name, content):
        """Adds a file about the wheel: its entry points, its licence."""
        self.add("{}/{}".format(self._info, name), content)

    def write(self, folder):
        """Writes the wheel and returns its file name."""
        record = self._info + "/RECORD"
        lines = "".join("{},sha256={},{}\n".format(path, _digest(content), len(content)) for path, content, _ in self._files)
        files = self._files + [(record, (lines + record + ",,\n").encode(), 0o644)]
        with zipfile.ZipFile(os.path.join(folder, self.file_name), "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content, mode in files:
                member = zipfile.ZipInfo(path)
                member.compress_type = zipfile.ZIP_DEFLATED
                member.external_attr = (0o100000 | mode) << 16
                archive.writestr(member, content)
        return self.file_name


def read(*names):
    """A file beside this one."""
    with open(os.path.join(HERE, *names), "rb") as file:
        return file.read()


def settings():
    """setup.cfg, with the version in place."""
    parser = configparser.ConfigParser()
    parser.read_string(read("setup.cfg").decode("utf-8"))
    found = re.search(rb'^__version__ = "(.+)"$', read("quickq", "__init__.py"), re.MULTILINE)
    parser["metadata"]["version"] = found.group(1).decode()
    return parser


def metadata(name, summary, description, requires=(), extras=()):
    """The METADATA of a wheel, the PKG-INFO of an sdist. ``extras``: pairs of an extra and what it requires."""
    parser = settings()
    known = parser["metadata"]
    lines = [
        "Metadata-Version: 2.1", "Name: " + name, "Version: " + known["version"], "Summary: " + summary, "Author: " + known["author"],
        "License: " + known["license"], "Keywords: " + known["keywords"].replace(" ", ""),
    ]
    lines += ["Classifier: " + classifier for classifier in known["classifiers"].split("\n") if classifier]
    lines += ["Requires-Python: " + parser["options"]["python_requires"]]
    lines += ["Requires-Dist: " + requirement for requirement in requires]
    for extra, requirement in extras:
        lines += ["Provides-Extra: " + extra, "Requires-Dist: {}; extra == '{}'".format(requirement, extra)]
    lines += ["Description-Content-Type: text/markdown", "", description]
    return "\n".join(lines)


def package_files():
    """The files of the package, in a fixed order."""
    return sorted(name for name in os.listdir(os.path.join(HERE, "quickq")) if name.endswith((".py", ".json", ".typed")))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517."""
    wheel = _empty_wheel()
    for name in package_files():
        wheel.add("quickq/" + name, read("quickq", name))
    return wheel.write(wheel_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660: the package stays where it is."""
    wheel = _empty_wheel()
    wheel.add("quickq.pth", (HERE + "\n").encode())
    return wheel.write(wheel_directory)


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517."""
    base = "{}-{}".format(_name().replace("-", "_"), settings()["metadata"]["version"])
    members = [(name, read(name)) for name in _SDIST] + [("quickq/" + name, read("quickq", name)) for name in package_files()]
    members.append(("PKG-INFO", _metadata().encode("utf-8")))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(members):
            member = tarfile.TarInfo("{}/{}".format(base, name))
            member.size, member.mtime, member.mode = len(content), _EPOCH, 0o644
            archive.addfile(member, io.BytesIO(content))
    with open(os.path.join(sdist_directory, base + ".tar.gz"), "wb") as file:
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=_EPOCH) as packed:
            packed.write(buffer.getvalue())
    return base + ".tar.gz"


def get_requires_for_build_wheel(config_settings=None):
    """PEP 517: nothing."""
    return []


def _metadata():
    version = settings()["metadata"]["version"]
    return metadata(
        _name(), settings()["metadata"]["description"], read("README.md").decode("utf-8"),
        extras=[("agent", "{}-agent (=={})".format(_name(), version))])


def _name():
    return settings()["metadata"]["name"]


def _empty_wheel():
    wheel = Wheel(_name(), settings()["metadata"]["version"], "py3-none-any", _metadata())
    wheel.add_info("LICENSE", read("LICENSE"))
    return wheel


def _digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
