"""Starts the service of an own spool: a process of its own that all programs of the account share, and that ends when it is idle."""

import fcntl
import os

from .errors import SpoolError
from .link import LONGEST_SOCKET_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, List, Optional, Tuple

    from .address import Address

#: The environment variable that names the program ``quickq-spool``.
VARIABLE = "QUICKQ_PROGRAM"

_PLACES = ("/usr/bin/quickq-spool", "/usr/lib/quickq/quickq-spool")
_IDLE = "30s"


class Turn:
    """At most one process at a time starts the service: a courtesy, so that a crowd does not start one each.

    It is a lock on a file beside the socket. Who does not get it for long starts a service all the same: two do no harm, since the
    second one finds the first and ends. The file object is what closes the descriptor, whatever interrupts whom.
    """

    def __init__(self, socket: str) -> None:
        self._path = socket + ".start"
        self._file = None  # type: Optional[IO[bytes]]

    def take(self) -> bool:
        """True when it is this process's turn."""
        try:
            if self._file is None:
                self._file = open(self._path, "wb", opener=_open_own)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # what is wrong with the folder the service says
        return True

    def close(self) -> None:
        """Ends the turn."""
        if self._file is not None:
            self._file.close()


def _open_own(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def start(address: "Address") -> None:
    """Starts the service and does not wait for it. A shell between makes it nobody's child, and deaf to the interrupt key."""
    import subprocess

    words, folder = _command(address, _IDLE)
    subprocess.Popen(
        ["/bin/sh", "-c", '"$@" &', "sh"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=folder, start_new_session=True, close_fds=True).wait()


def why_not(address: "Address") -> SpoolError:
    """The error of a service that does not come up: what it says itself when it is started once more and watched."""
    import subprocess

    words, folder = _command(address, "1s")
    try:
        tried = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder, start_new_session=True, timeout=5)
        said = tried.stderr.decode("utf-8", "replace").strip() or "it ended with {}".format(tried.returncode)
    except subprocess.TimeoutExpired:
        said = "it does not listen"
    except OSError as failure:
        said = "{}: {}".format(failure.filename, failure.strerror)
    return SpoolError(
        "NoService", "the service of the spool {} could not be started: {}".format(address.path, said),
        "quickq-spool serve --spool {}".format(address.path), address.path)


def _command(address: "Address", idle: str) -> "Tuple[List[str], str]":
    """The command line of the service, and its working folder: it only keeps one where the path of the socket is too long for the kernel."""
    socket, folder = address.socket, "/"
    if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
        folder, name = os.path.split(socket)
        socket = os.path.join("/proc/self/cwd", name)
    return [find_program(address.path), "serve", "--spool", str(address.path), "--socket", socket, "--idle", idle], folder


def find_program(path: "Optional[str]") -> str:
    """``quickq-spool``: that of QUICKQ_PROGRAM, else on PATH, else that of the package ssec-quickq-agent, else that of the system."""
    named = os.environ.get(VARIABLE)
    if named:
        candidates = [os.path.abspath(named)]
    else:
        candidates = [os.path.join(os.path.abspath(folder), "quickq-spool") for folder in os.get_exec_path()]
        candidates += _of_package() + list(_PLACES)
    for candidate in candidates:
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise SpoolError(
        "NoService",
        "{} names no program: {}".format(VARIABLE, named) if named else "the program quickq-spool is not installed, and no spool service runs",
        "install the package quickq of your distribution, or the wheel: pip install 'ssec-quickq[agent]'", path)


def _of_package() -> "List[str]":
    from importlib.util import find_spec

    found = find_spec("quickq_agent")
    return [os.path.join(place, "bin", "quickq-spool") for place in (found.submodule_search_locations or [] if found else [])]
