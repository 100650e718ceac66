"""Somebody else's kind of endpoint string: ``foreign:port``, on loopback."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamServerEndpointStringParser)
class Foreign:
    prefix = "foreign"

    def parseStreamServer(self, reactor: Any, port: str) -> TCP4ServerEndpoint:
        return TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")


foreign = Foreign()
