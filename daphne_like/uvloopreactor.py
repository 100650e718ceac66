"""Twisted's asyncio reactor on uvloop, for any Twisted program: ``twistd --reactor=uvloop web``.

Twisted finds it by our plugin. This module must not know the server.
"""

from __future__ import annotations

import sys

from daphne_like.errors import ConfigError
from daphne_like.process import new_loop, reactor_on


def install() -> None:
    """Install the reactor; leaves the process where uvloop is missing, with a line that says so.

    Raises Twisted's ``ReactorAlreadyInstalledError`` where there is one.
    """
    try:
        loop = new_loop("uvloop")
    except ConfigError:
        sys.exit("The reactor uvloop needs the package of that name: pip install uvloop.")
    reactor_on(loop)
