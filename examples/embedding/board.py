"""A board that is written on over TCP, line by line, and over HTTP, in one process.

python board.py            # or: twistd -ny board.tac
telnet 127.0.0.1 8007      # write a line
curl http://127.0.0.1:8000 # read them; with -d 'a line' write one
"""

import os

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from daphne_like.logs import bridge_twisted_log, set_up_logging
from daphne_like.options import configure
from daphne_like.process import install_reactor
from daphne_like.server import ASGIService

LINES = os.environ.get("BOARD_LINES", "tcp:8007:interface=127.0.0.1")
PORT = int(os.environ.get("BOARD_PORT", "8000"))


class Board:
    """What both protocols share: it is used from the reactor's thread alone."""

    def __init__(self):
        self.lines = []
        self.visitors = set()

    def write(self, line):
        self.lines.append(line)
        for visitor in self.visitors:
            visitor.sendLine(line)


class Visitor(LineOnlyReceiver):
    """A TCP connection: its lines go on the board, and it is sent everybody's."""

    def __init__(self, board):
        self.board = board

    def connectionMade(self):
        self.board.visitors.add(self)

    def lineReceived(self, line):
        self.board.write(line)

    def connectionLost(self, reason):
        self.board.visitors.discard(self)


def over_http(board):
    async def application(scope, receive, send):
        if scope["type"] != "http":
            raise ValueError(f"no {scope['type']} here")
        if scope["method"] == "POST":
            line, more = b"", True
            while more:
                message = await receive()
                line += message.get("body", b"")
                more = message.get("more_body", False)
            board.write(line)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"\n".join([*board.lines, b""])})

    return application


config = configure({"application": "board:application", "port": PORT})


def services(reactor):
    """Both servers, as one service for whoever runs it."""
    board, both = Board(), MultiService()
    web = ASGIService(config, reactor, application=over_http(board))
    web.setServiceParent(both)
    endpoint = serverFromString(reactor, LINES)
    lines = StreamServerEndpointService(endpoint, Factory.forProtocol(lambda: Visitor(board)))
    lines.setServiceParent(both)
    return both


def main():
    reactor = install_reactor()
    set_up_logging(config)
    bridge_twisted_log()
    both = services(reactor)
    reactor.callWhenRunning(both.startService)
    reactor.addSystemEventTrigger("before", "shutdown", both.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
