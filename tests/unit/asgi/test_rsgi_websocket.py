"""RSGI's WebSocket protocol object: accepted or refused, messages, and the end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from daphne_like.asgi.rsgi import RSGI
from daphne_like.asgi.rsgi_websocket import WebsocketProtocol
from daphne_like.asgi.rsgi_words import ProtocolClosed, ProtocolError
from tests.unit.asgi.fakes import run, turn
from tests.unit.asgi.sockets import BINARY, CLOSE, TEXT, binary, close, connecting, text


async def asked(app: Any) -> Any:
    return await connecting(app=RSGI(app))


def test_an_echo():
    async def app(scope, protocol):
        transport = await protocol.accept()
        while True:
            message = await transport.receive()
            kinds.append((message.kind, message.data))
            if message.kind == 0:
                return
            send = transport.send_bytes if message.kind == 1 else transport.send_str
            await send(message.data)

    async def main():
        socket = await asked(app)
        socket.says(text("ä"), binary(b"b"), text(""))
        await turn(8)
        socket.says(close(1000))
        await socket.ended()
        assert socket.frames[:3] == [(TEXT, "ä".encode()), (BINARY, b"b"), (TEXT, b"")]

    kinds: list[Any] = []
    run(main())
    assert kinds == [(2, "ä"), (1, b"b"), (2, ""), (0, None)]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [((), 403), ((None,), 403), ((401,), 401), ((200,), 403), ((4000,), 403)],
)
def test_one_that_is_closed_before_it_is_accepted_is_refused(arguments, status):
    async def app(scope, protocol):
        assert scope.proto == "ws"
        protocol.close(*arguments)
        protocol.close(500)

    async def main():
        socket = await asked(app)
        await socket.ended()
        assert socket.stream.calls == [("respond", status, b"")]

    run(main())


def test_one_that_is_neither_is_refused():
    async def app(scope, protocol):
        pass

    async def main():
        socket = await asked(app)
        await socket.ended()
        assert socket.stream.calls == [("respond", 403, b"")]

    run(main())


@pytest.mark.parametrize(
    ("arguments", "code"), [((), 1000), ((4000,), 4000), ((200,), 1000), ((1005,), 1000)]
)
def test_one_that_is_closed_says_its_code(arguments, code):
    async def app(scope, protocol):
        transport = await protocol.accept()
        protocol.close(*arguments)
        with pytest.raises(ProtocolClosed):
            await transport.send_str("too late")
        assert (await transport.receive()).kind == 0
        for using in (transport.receive, transport.send_str, transport.send_bytes):
            with pytest.raises(ProtocolClosed):
                await using(*([] if using == transport.receive else ["x"]))

    async def main():
        socket = await asked(app)
        await turn(8)
        socket.says(close(code))
        await socket.ended()
        assert socket.frames == [(CLOSE, code.to_bytes(2, "big"))]

    run(main())


def test_its_end_is_the_sockets():
    async def app(scope, protocol):
        await (await protocol.accept()).send_str("bye")

    async def main():
        socket = await asked(app)
        socket.says(close(1000))
        await socket.ended()
        assert socket.frames == [(TEXT, b"bye"), (CLOSE, b"\x03\xe8")]

    run(main())


def test_a_failure_is_logged_and_closes(caplog):
    async def app(scope, protocol):
        await protocol.accept()
        raise KeyError("its own error")

    async def main():
        socket = await asked(app)
        socket.says(close(1011))
        await socket.ended()
        assert socket.close == (1011, "the application failed")

    run(main())
    assert "its own error" in caplog.text


def test_it_is_accepted_once():
    async def app(scope, protocol):
        await protocol.accept()
        with pytest.raises(ProtocolError, match="accepted or closed before"):
            await protocol.accept()

    async def main():
        socket = await asked(app)
        socket.says(close(1000))
        await socket.ended()

    run(main())


def test_one_whose_client_has_left_is_not_accepted():
    async def receive():
        return {"type": "websocket.disconnect", "code": 1006}

    async def main():
        with pytest.raises(ProtocolClosed, match="the client has left"):
            await WebsocketProtocol(receive, receive).accept()  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("listens", [False, True])
def test_a_message_to_a_client_that_has_left_says_so(listens):
    async def app(scope, protocol):
        transport = await protocol.accept()
        leaving = [asyncio.ensure_future(transport.receive())] if listens else []
        await turn(8)
        assert [message.kind for message in await asyncio.gather(*leaving)] == [0] * listens
        with pytest.raises(ProtocolClosed):
            await transport.send_str("a")
        noted.append("closed")

    async def main():
        socket = await asked(app)
        await turn()
        socket.exchange.disconnected("the client is gone")
        await socket.ended()

    noted: list[str] = []
    run(main())
    assert noted == ["closed"]
