"""The `twistd daphne-like` command.

Twisted reads this file whenever anyone runs `twistd`, so it only names the
module that has `Options` and `makeService`; it imports none of the server.
"""

from twisted.application.service import ServiceMaker

daphne_like = ServiceMaker(
    "daphne-like",
    "daphne_like.cli",
    "Serve an ASGI application over HTTP",
    "daphne-like",
)
