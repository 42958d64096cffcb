"""For pip before 20 and plain setuptools; everything is in setup.cfg. Newer pips use _backend.py and need no setuptools."""

from setuptools import setup

setup()
