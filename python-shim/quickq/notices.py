"""The logger ``quickq``: silent unless the calling program gives it a handler.

INFO: a connection was established or lost. WARNING: no agent has ever run on the spool; an unknown word in a topic.
ERROR: a function given to ``on_connection_change`` failed; the log of a spool whose file was removed was kept.
"""

import logging


def log() -> logging.Logger:
    """The one logger of the package."""
    logger = logging.getLogger("quickq")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
