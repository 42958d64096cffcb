"""What Quickq raises. Each error says what failed and why, and its hint says what to do."""

TYPE_CHECKING = False  # typing is slow to import, and only type checkers need it here
if TYPE_CHECKING:
    from typing import Any, Dict, Optional


class QuickqError(Exception):
    """The base of every error of this package.

    ``fault`` is the kind in one word, ``message`` what failed, ``hint`` what to do (or None), ``path`` the spool (or None), and
    ``code`` the exit code that ``quickq-spool`` has for it.

    >>> error = SpoolError("NotFound", "there is no spool at /srv/spool.db", "start the agent", "/srv/spool.db")
    >>> print(error)
    there is no spool at /srv/spool.db
    hint: start the agent
    """

    def __init__(self, fault: str, message: str, hint: "Optional[str]" = None, path: "Optional[str]" = None) -> None:
        super().__init__(fault, message, hint, path)
        self.fault = fault
        self.message = message
        self.hint = hint
        self.path = path
        self.code = _CODES.get(fault, 74)

    def __str__(self) -> str:
        return self.message if self.hint is None else "{}\nhint: {}".format(self.message, self.hint)


class SpoolError(QuickqError):
    """The spool cannot be used, or does not have what was asked for."""


class SpoolFull(SpoolError):
    """The spool or its disk is full. Nothing was stored; try later."""


class SpoolBusy(SpoolError):
    """The spool service did not answer in time. The message says whether something may have been stored."""


class InvalidMessage(QuickqError, ValueError, TypeError):
    """The message cannot be sent. Nothing was stored."""


# The exit codes of quickq-spool for the errors that are found on this side of the socket.
_CODES = {
    "Usage": 64, "InvalidMessage": 65, "IdConflict": 65, "NotFound": 66, "CannotCreate": 73, "InputOutput": 74, "Full": 75, "Busy": 75,
    "PermissionDenied": 77, "NoService": 78, "NewerFormat": 78,
}
_FAULTS = {
    "Full": SpoolFull, "Busy": SpoolBusy, "InvalidMessage": InvalidMessage, "IdConflict": InvalidMessage,
}  # type: Dict[str, type]


def from_answer(answer: "Dict[str, Any]", path: "Optional[str]") -> QuickqError:
    """The error that an answer of the service describes."""
    fault, code = str(answer.get("fault")), answer.get("code")
    kind = _FAULTS.get(fault, SpoolBusy if code == 75 else SpoolError)
    error = kind(fault, str(answer.get("message")), answer.get("hint"), path)
    assert isinstance(error, QuickqError)
    if isinstance(code, int) and 0 < code < 256:
        error.code = code
    return error
