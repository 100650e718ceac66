"""An application that waits for Twisted's Deferreds: ``daphne-like deferreds:application``."""

import asyncio
import sys

from twisted.internet import reactor  # the server's: it has installed it
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput


def output(program):
    """What a Python program prints, as a Deferred."""
    return getProcessOutput(sys.executable, ["-c", program], reactor=reactor)


async def both():
    """A coroutine in Twisted's way: it waits for Deferreds as they are."""
    await deferLater(reactor, 0.01)
    return await gatherResults([output("print('one')"), output("print('two')")])


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    loop = asyncio.get_running_loop()
    first = await output("print('first')").asFuture(loop)
    others = await Deferred.fromCoroutine(both()).asFuture(loop)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"".join([first, *others])})
