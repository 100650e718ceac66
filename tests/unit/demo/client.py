"""The other end of the demonstration's three arguments: no server, no socket."""

import asyncio

from daphne_like.demo import application

DISCONNECT = {"type": "http.disconnect"}
WHOLE = ({"type": "http.request", "body": b"", "more_body": False},)


def http_scope(path="/", method="GET", **more):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [],
        **more,
    }


class Client:
    """The other end of `receive` and `send`.

    It gives `messages` and then waits for ever, as a server does whose client stays. Once it was
    sent `patience` messages it leaves: `receive` tells so (where it `tells`), the next `send`
    raises `leaving` (where there is one), or both.
    """

    def __init__(self, *messages, patience=None, tells=True, leaving=None):
        self.messages = list(messages)
        self.patience = patience
        self.tells = tells
        self.leaving = leaving
        self.sent = []
        self.left = asyncio.Event()
        self.waiting = 0

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        self.waiting += 1
        try:
            await self.left.wait()
        finally:
            self.waiting -= 1
        return DISCONNECT

    async def send(self, message):
        if len(self.sent) == self.patience and self.leaving is not None:
            raise self.leaving
        self.sent.append(message)
        if len(self.sent) == self.patience and self.tells:
            self.left.set()
        await asyncio.sleep(0)

    @property
    def head(self):
        return self.sent[0]

    @property
    def headers(self):
        return dict(self.head["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def run(scope, *messages, **habits):
    """Run the application to its end and return its client; nothing may be left running."""

    async def serve():
        client = Client(*messages, **habits)
        async with asyncio.timeout(10):
            await application(scope, client.receive, client.send)
        assert client.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return client

    return asyncio.run(serve())


def get(path="/", method="GET", **more):
    return run(http_scope(path, method, **more), *WHOLE)
