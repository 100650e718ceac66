"""A server in a thread: the main thread has another loop, and stops it."""

import asyncio
import threading

from hello import application, ask

from daphne_like.server import Server


async def main():
    ready = threading.Event()
    server = Server(
        application,
        endpoints=["tcp:port=0:interface=localhost"],
        signal_handlers=False,
        ready_callable=ready.set,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    assert await asyncio.to_thread(ready.wait, 30)
    print(await asyncio.to_thread(ask, *server.listening_addresses[0]))
    server.stop()
    server.stop()
    await asyncio.to_thread(thread.join, 30)
    assert not thread.is_alive()
    print(server.connections, server.listeners)


asyncio.run(main())
