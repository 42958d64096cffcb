"""The logger ``quickq``: silent unless the calling program gives it a handler.

INFO: a connection was established or lost. WARNING: no agent runs and the spool knows no server; a server refuses the login, or an
exchange is suspended; a host of ``quickq.api.connect`` that no server has; an unknown word in a topic.
ERROR: a function given to ``on_connection_change`` failed.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Optional


def listener() -> "Optional[logging.Logger]":
    """The one logger of the package. None in a program without ``logging``: nobody listens, and it is slow to import."""
    if "logging" not in sys.modules:
        return None
    import logging

    logger = logging.getLogger("quickq")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
