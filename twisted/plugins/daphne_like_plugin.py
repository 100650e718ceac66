"""The `twistd daphne-like` command, and the reactor `uvloop`.

Twisted reads this file whenever anyone runs `twistd`, so it only names the
modules that have `Options`, `makeService` and `install`; it imports none of them.
"""

from twisted.application.reactors import Reactor
from twisted.application.service import ServiceMaker

daphne_like = ServiceMaker(
    "daphne-like",
    "daphne_like.cli",
    "Serve an ASGI, WSGI or RSGI application over HTTP and WebSockets",
    "daphne-like",
)

uvloop = Reactor("uvloop", "daphne_like.uvloopreactor", "The asyncio reactor on uvloop")
