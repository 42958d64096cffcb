"""Starts the programs that this package carries. The process becomes the program: signals and exit codes are its own."""

import os
import sys


def agent():
    """quickq-agent"""
    _become("quickq-agent")


def spool():
    """quickq-spool"""
    _become("quickq-spool")


def _become(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    os.execv(path, [name] + sys.argv[1:])
