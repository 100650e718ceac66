"""A Twisted program that starts the server again: SIGUSR2 after its stop, SIGALRM at once."""

from __future__ import annotations

import signal
import sys
from typing import Any

from served import say, send_text
from twisted.application.service import MultiService

from daphne_like import cli, logs, process
from daphne_like.server import ASGIService


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says when it starts and ends."""
    if scope["type"] == "http":
        await send_text(send, scope["state"]["greeting"])
        return
    for phase in ("startup", "shutdown"):
        await receive()
        say(phase)
        scope["state"]["greeting"] = "started"
        await send({"type": f"lifespan.{phase}.complete"})


def main() -> None:
    config = cli.configured(sys.argv[1:])
    logs.set_up_logging(config)
    reactor = process.install_reactor(config.loop)
    services = MultiService()
    ASGIService(config, reactor).setServiceParent(services)

    def later() -> None:
        services.stopService().addCallback(lambda _: services.startService())

    def at_once() -> None:
        services.stopService()
        services.startService()

    for number, restart in ((signal.SIGUSR2, later), (signal.SIGALRM, at_once)):
        signal.signal(number, lambda *_, restart=restart: reactor.callFromThread(restart))
    reactor.callWhenRunning(services.startService)
    reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
