"""How a server stops with WebSockets open: one after the other, in time, and all are told."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live.raw_websocket import CLOSE, answer_in, frames_in, handshake
from tests.live.serving import PATIENCE, Serving

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
COUNT = 50


async def _end(client: Any) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as ended:
        await client.recv()
    return ended.value.rcvd.code, ended.value.rcvd.reason


async def _echoes(client: Any) -> bool:
    """Whether the socket still serves."""
    try:
        await client.send("anybody there?")
        return bool(await client.recv() == "anybody there?")
    except ConnectionClosed:
        return False


@LOOPS
@pytest.mark.parametrize(("options", "code"), [((), 1012), (("--ws-close-code", "1001"), 1001)])
def test_sockets_are_closed_one_after_the_other(loop: str, options: tuple[str], code: int) -> None:
    async def whole(server: Serving) -> tuple[list[tuple[int, str]], list[bool]]:
        host, port = server.addresses[0]
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connect(f"ws://{host}:{port}/echo?c", proxy=None))
                for _ in range(COUNT)
            ]
            server.tell(signal.SIGTERM)
            closing = [asyncio.ensure_future(client.wait_closed()) for client in clients]
            await asyncio.wait(closing, return_when=asyncio.FIRST_COMPLETED)
            serving = await asyncio.gather(*map(_echoes, clients))
            ends = await asyncio.gather(*map(_end, clients))
            await asyncio.gather(*closing)
        return ends, serving

    command = ("sockets:app", "--loop", loop, "--ws-drain-time", "2", *options)
    with Serving(*command) as server:
        ends, serving = asyncio.run(asyncio.wait_for(whole(server), PATIENCE))
        assert server.wait() == 0
    assert ends == [(code, "the server is stopping")] * COUNT
    assert not all(serving), "the first has gone"
    assert any(serving), "and others are still served"
    heard = [line for line in server.stdout.lines if line.startswith("c left: ")]
    assert heard == [f"c left: {code} the server is stopping"] * COUNT


@pytest.fixture
def open_sockets() -> Iterator[Any]:
    """A function that opens sockets by hand, which answer nothing."""
    with ExitStack() as stack:

        def open_some(server: Serving, path: str) -> list[socket.socket]:
            clients = [stack.enter_context(server.connect()) for _ in range(COUNT)]
            for client in clients:
                client.sendall(handshake(path))
                assert answer_in(client.recv(1000)).status == 101
            return clients

        yield open_some


def _rest(client: socket.socket) -> bytes:
    data = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(1000):
            data += piece
    return data


@LOOPS
def test_clients_that_do_not_answer_do_not_keep_the_server(loop: str, open_sockets: Any) -> None:
    times = ("--ws-drain-time", "0.5", "--graceful-timeout", "2")
    options = ("--loop", loop, *times, "--websocket-close-timeout", "300")
    with Serving("sockets:app", *options) as server:
        clients = open_sockets(server, "/echo?c")
        assert server.stop() == 0
    for client in clients:
        [(opcode, payload)] = frames_in(_rest(client))
        assert (opcode, payload[:2]) == (CLOSE, (1012).to_bytes(2, "big"))
    heard = [line for line in server.stdout.lines if line.startswith("c left: ")]
    assert heard == ["c left: 1012 the server is stopping"] * COUNT


@LOOPS
def test_applications_that_do_not_end_are_cancelled(loop: str, open_sockets: Any) -> None:
    options = ("--loop", loop, "--ws-drain-time", "0.2", "--graceful-timeout", "1")
    with Serving("sockets:app", *options) as server:
        open_sockets(server, "/sleep")
        assert server.stop() == 0
    assert [line for line in server.stderr.lines if f"{COUNT} requests did not finish" in line]


@LOOPS
def test_a_second_signal_forces(loop: str, open_sockets: Any) -> None:
    times = ("--ws-drain-time", "100", "--graceful-timeout", "300")
    options = ("--loop", loop, *times, "--websocket-close-timeout", "300")
    with Serving("sockets:app", *options) as server:
        clients = open_sockets(server, "/sleep")
        server.tell(signal.SIGTERM)
        server.stderr.wait_for("Stopping: waiting up to 300 s")
        assert server.stop(signal.SIGINT) == 0
    for client in clients:
        assert _rest(client)[:2] in (b"", b"\x88\x18")
