"""Which spool is meant, whose it is, and where its service listens."""

import os
import stat

from .errors import SpoolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

#: The spool of a host unless another one is named, and the socket of its service.
DEFAULT = "/var/lib/quickq/spool.db"
DEFAULT_SOCKET = "/run/quickq/spool.sock"

#: The environment variables that name another spool, and the socket of a service.
SPOOL_VARIABLE = "QUICKQ_SPOOL"
SOCKET_VARIABLE = "QUICKQ_SOCKET"


def resolve(path: "Optional[str]" = None) -> str:
    """The given path, else that of the environment, else the default; made absolute."""
    return os.path.abspath(path or os.environ.get(SPOOL_VARIABLE) or DEFAULT)


class Address:
    """Where to connect: ``socket``. ``path`` is the spool (None: that of the service), ``named`` whether somebody named it;
    ``own``: it belongs to this account."""

    def __init__(self, path: "Optional[str]", socket: str, own: bool, named: bool = False) -> None:
        self.path = path
        self.named = named
        self.socket = socket
        self.own = own

    def missing(self, adding: bool) -> "Optional[SpoolError]":
        """The error for a spool that has neither a folder nor a service."""
        if os.path.exists(self.socket) and not stat.S_ISSOCK(os.stat(self.socket).st_mode):
            return SpoolError("NotFound", "there is no spool service: {} is not a socket".format(self.socket), "see {}".format(SOCKET_VARIABLE), self.path)
        if self.path is None or os.path.exists(self.socket):
            return None
        folder = os.path.dirname(self.path)
        if os.path.isdir(folder):
            return None
        return SpoolError(
            "CannotCreate" if adding else "NotFound", "the folder {} does not exist".format(folder),
            "make it (mkdir -m 0700 {}), or name another spool with {}".format(folder, SPOOL_VARIABLE), self.path)

    def require_tight(self) -> None:
        """Raises ``SpoolError`` where others may put a socket in the place of this one, ``OSError`` where nobody may look."""
        _require_tight(os.path.dirname(self.socket), self.path)

    def require_owner(self, listener: int) -> None:
        """Raises ``SpoolError`` unless the account that listens is root, this one or the owner of the folder of the spool or the socket.

        Where the socket alone is mounted, as into a container, it is also the owner of the socket.
        """
        folder = os.path.dirname(self.socket)
        spool = self.path or (DEFAULT if self.socket == DEFAULT_SOCKET else self.socket)
        if listener in (0, os.geteuid(), os.stat(folder).st_uid) or \
                os.path.isdir(os.path.dirname(spool)) and os.stat(os.path.dirname(spool)).st_uid == listener:
            return
        file = os.stat(self.socket)
        if file.st_uid != listener or file.st_dev == os.stat(folder).st_dev:
            raise SpoolError(
                "PermissionDenied", "the service of {} runs as account {}, not as the owner; nothing was sent".format(self.path or self.socket, listener),
                "look who put the socket there: ls -l {}".format(self.socket), self.path)

    def denied(self) -> SpoolError:
        """The error for a socket that this account may not connect to."""
        if self.socket == DEFAULT_SOCKET:
            hint = "sudo usermod -aG quickq {}, then log in again".format(_user())
        else:
            hint = "run as the owner of the spool, or set {} to the socket of its service".format(SOCKET_VARIABLE)
        return SpoolError("PermissionDenied", "permission denied: {} may not connect to {}".format(_user(), self.socket), hint, self.path)


def locate(path: str, socket: "Optional[str]", given: bool) -> Address:
    """The address of the spool at ``path``. ``socket`` is that of the environment; it comes before a path that was not ``given``."""
    if socket and not given:
        return Address(None, os.path.abspath(socket), False)
    foreign = _has_foreign_link(path)
    if not foreign:
        path = os.path.realpath(path)
    folder = os.path.dirname(path)
    own = not foreign and _is_own(folder) and (_is_own(path) or not os.path.lexists(path))
    if own:
        _require_tight(folder, path)
    is_default = path in (DEFAULT, os.path.realpath(DEFAULT))
    if socket and not own:
        service = os.path.abspath(socket)
    elif is_default and (not own or os.path.exists(DEFAULT_SOCKET)):
        service = DEFAULT_SOCKET
    else:
        service = os.path.join(folder, "spool.sock")
    return Address(path, service, own, given or bool(os.environ.get(SPOOL_VARIABLE)))


def _has_foreign_link(path: str) -> bool:
    """Whether a link on the way, or its folder, belongs to another account, which then says where it leads; root's are trusted."""
    left = path.split("/")[::-1]
    reached = "/"
    links = 0
    while left and links <= 40:  # as many as the kernel follows
        part = left.pop()
        if part == "..":
            reached = os.path.dirname(reached)
        elif part not in ("", "."):
            following = os.path.join(reached, part)
            if not os.path.islink(following):
                reached = following
                continue
            if {os.stat(reached).st_uid, os.lstat(following).st_uid} - {0, os.geteuid()}:
                return True
            links += 1
            target = os.readlink(following)
            if target.startswith("/"):
                reached = "/"
            left.extend(target.split("/")[::-1])
    return False


def _is_own(path: str) -> bool:
    try:
        return os.stat(path).st_uid == os.geteuid()
    except OSError:
        return False


def _require_tight(folder: str, path: "Optional[str]") -> None:
    if os.stat(folder).st_mode & 0o022:
        raise SpoolError(
            "PermissionDenied", "others may write to the folder {}: a spool there is not safe".format(folder),
            "chmod go-w {}".format(folder), path)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
