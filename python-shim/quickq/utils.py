"""The names of QuickMQ's ``ssec_amqp.utils``: what payloads say of the script that publishes them.

>>> format_datetime(datetime.datetime(2024, 6, 27, 15, 30, 54, 699999))
'2024-06-27 15:30:54.6'
>>> INJECTOR_SCRIPT.startswith("{}@{}:/".format(CURRENT_USER, SERVER_NAME))
True
"""

import datetime
import getpass
import os
import socket
import sys

from .ssec import format_datetime

__all__ = ["CURRENT_USER", "INJECTOR_SCRIPT", "PAYLOAD_DATETIME_FORMAT", "SERVER_NAME", "format_datetime"]


def _importing_script() -> str:
    """The nearest Python file that imports this module; the working folder if there is none, as in an interactive session."""
    frame = sys._getframe()
    while frame is not None:
        path = frame.f_code.co_filename
        if path.endswith(".py") and path != __file__:
            return os.path.abspath(path)
        frame = frame.f_back  # type: ignore[assignment]
    return os.path.abspath(os.curdir)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return ""


#: The name of this host.
SERVER_NAME = socket.gethostname()

#: The name of the account, "" if it has none.
CURRENT_USER = _user()

#: What ``__injector_script__`` holds: ``user@host:/path/of/script.py``, of the script that imported this module first.
INJECTOR_SCRIPT = "{}@{}:{}".format(CURRENT_USER, SERVER_NAME, _importing_script())

#: Times in payloads; ``format_datetime`` cuts the fraction off after one digit.
PAYLOAD_DATETIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"
