"""What Quickq raises, each error with a hint that says what to do.

``SpoolError`` and its two kinds are troubles of the spool; ``InvalidMessage`` is a ``ValueError``:
the message itself cannot be sent. Whatever is raised by a publish, nothing of it was stored.
"""

TYPE_CHECKING = False  # typing is slow to import, and only type checkers need it here
if TYPE_CHECKING:
    from typing import Optional


class SpoolError(Exception):
    """The spool cannot be used. ``fault`` says why in one word, ``hint`` what to do, ``path`` which spool it is.

    >>> error = SpoolError("NotFound", "/srv/spool.db", "there is no spool at /srv/spool.db", "start the agent")
    >>> print(error)
    there is no spool at /srv/spool.db (start the agent)
    """

    def __init__(self, fault: str, path: str, message: str, hint: "Optional[str]" = None) -> None:
        super().__init__(message if hint is None else "{} ({})".format(message, hint))
        self.fault = fault
        self.path = path
        self.message = message
        self.hint = hint


class SpoolFull(SpoolError):
    """The spool or its disk is full: nothing was stored, try later."""


class SpoolBusy(SpoolError):
    """Another program kept the spool locked until the deadline: nothing was stored, try later."""


class InvalidMessage(ValueError):
    """The message breaks a limit of JSON, AMQP or the spool; nothing was stored."""

    def __init__(self, fault: str, message: str, hint: "Optional[str]" = None) -> None:
        super().__init__(message if hint is None else "{} ({})".format(message, hint))
        self.fault = fault
        self.message = message
        self.hint = hint


def spool_error(fault: str, path: str, message: str, hint: "Optional[str]" = None) -> SpoolError:
    """The error of the class that goes with ``fault``."""
    kind = {"Full": SpoolFull, "Busy": SpoolBusy}.get(fault, SpoolError)
    return kind(fault, path, message, hint)
