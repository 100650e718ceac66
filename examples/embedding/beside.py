"""The server beside another Twisted service, in one process, without the command line."""

import logging

from twisted.application.internet import TimerService
from twisted.application.service import MultiService

from daphne_like.logs import set_up_logging
from daphne_like.options import configure
from daphne_like.process import install_reactor
from daphne_like.server import ASGIService

log = logging.getLogger("daphne_like.beside")


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"Hello from a service!\n"})


def main():
    reactor = install_reactor()  # before anything imports twisted.internet.reactor
    config = configure({"application": "beside:application", "port": 0})
    set_up_logging(config)
    services = MultiService()
    ASGIService(config, reactor, application=application).setServiceParent(services)
    timer = TimerService(60, log.info, "another minute")
    timer.clock = reactor
    timer.setServiceParent(services)
    reactor.callWhenRunning(services.startService)
    reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
