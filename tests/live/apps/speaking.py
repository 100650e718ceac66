"""Applications that log: by `logging`, by Twisted, by print; and that tell who they are."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from served import say, send_text
from twisted.logger import Logger, STDLibLogObserver, globalLogPublisher

_log = logging.getLogger("mysite.views")
_events = Logger(namespace="mysite.events")

logging.getLogger("mysite").setLevel(logging.INFO)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says something in every way that there is, and answers."""
    assert scope["type"] == "http"
    _log.debug("debug of logging")
    _log.info("info of logging")
    _log.warning("warning of logging")
    _events.info("info of {whom}", whom="Twisted")
    _events.error("error of Twisted")
    say("printed")
    await send_text(send, "said")


def configured() -> Any:
    """The same, with a root logger that has a handler."""
    logging.basicConfig(level=logging.INFO, format="ROOT %(levelname)s %(name)s %(message)s")
    return app


def circular() -> Any:
    """The same, with Twisted's events handed over to `logging`, under two names."""
    for name in ("twisted", "circle"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        globalLogPublisher.addObserver(STDLibLogObserver(name))
    return app


async def who(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its user, its directory, and what a thread says."""
    assert scope["type"] == "http"
    thread = await asyncio.to_thread(lambda: "a thread")
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    await send_text(send, f"{os.getuid()} {Path.cwd().name} {thread} {loop}")


async def gated(scope: Any, receive: Any, send: Any) -> None:
    """Does not start before there is a file `open` in its directory."""
    if scope["type"] == "http":
        await send_text(send, "let in")
        return
    await receive()
    say("starting")
    while not Path("open").exists():  # noqa: ASYNC110, ASYNC240 - whoever tests it makes the file
        await asyncio.sleep(0.01)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
