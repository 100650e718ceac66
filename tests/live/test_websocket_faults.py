"""What no WebSocket client should send: it ends by the right code, with one line of the log."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.live.measured import Measured
from tests.live.raw_websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    LAST,
    PING,
    TEXT,
    Answer,
    answer_in,
    deflated,
    frame,
    frames_in,
    handshake,
)
from tests.live.serving import Serving

MIB = 1024 * 1024
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    options = ("--loop", str(request.param), "--no-access-log", "--ws-compression", "on")
    with Serving("sockets:app", *options) as running:
        yield running


def received(client: socket.socket, frames: int | None = None) -> Answer:
    """What comes: the head and so many frames, or everything to the end."""
    data = b""
    with suppress(ConnectionResetError):
        while frames is None or len(answer_in(data).frames) < frames:
            piece = client.recv(65536)
            if not piece:
                break
            data += piece
    return answer_in(data)


def talk(server: Serving, said: bytes) -> tuple[Answer, str]:
    """Say something and listen to the end; what came, and who has said it."""
    with server.connect() as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
        return received(client), name_of(client)


def name_of(client: socket.socket) -> str:
    host, port = client.getsockname()
    return f"{host}:{port}"


def line_of(server: Serving, peer: str) -> str:
    """The one line of the log about a client."""
    server.stderr.wait_for(f" {peer}")
    assert server.get().body == b"hello"
    [line] = [line for line in server.stderr.lines if peer in line]
    return line


BROKEN = {
    "a length of 63 bits": (1009, frame(LAST | BINARY, announced=2**63 - 1)),
    "a length of 64 bits": (1009, frame(LAST | BINARY, announced=2**64 - 1)),
    "more than a message may have": (1009, frame(LAST | BINARY, announced=MIB + 1)),
    "fragments without end": (1009, frame(BINARY) + frame(CONTINUATION) * 100_000),
    "no mask": (1002, b"\x81\x02hi"),
    "a reserved bit": (1002, frame(LAST | 0x20 | TEXT, b"hi")),
    "a reserved opcode": (1002, frame(LAST | 0x3, b"hi")),
    "a long ping": (1002, frame(LAST | PING, bytes(126))),
    "a ping in fragments": (1002, frame(PING, b"hi")),
    "a fragment of nothing": (1002, frame(LAST | CONTINUATION, b"hi")),
    "a message within a message": (1002, frame(TEXT, b"a") + frame(LAST | TEXT, b"b")),
    "no UTF-8": (1007, frame(LAST | TEXT, b"\xff")),
    "no UTF-8 across fragments": (1007, frame(TEXT, b"\xe4") + frame(LAST, b"(")),
    "a close with a code that is none": (1002, frame(LAST | CLOSE, b"\x03\xed")),
    "a close with half a code": (1002, frame(LAST | CLOSE, b"\x03")),
    "what cannot be inflated": (1007, frame(LAST | COMPRESSED | BINARY, b"\xff" * 20)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_answered_with_its_code_and_told_once(server: Serving, name: str) -> None:
    code, sent = BROKEN[name]
    got, peer = talk(server, handshake("/listen", DEFLATE) + sent + frame(LAST | PING, b"late"))
    assert (got.status, got.code) == (101, code)
    line = line_of(server, peer)
    assert f"Closed WebSocket /listen of {peer}: {code} " in line


def test_a_bomb_is_not_inflated(server: Serving) -> None:
    measured = Measured(server)
    bomb = deflated(256 * MIB)
    assert len(bomb) < MIB
    before = measured.kib("VmRSS")
    measured.forget_the_peak()
    got, peer = talk(server, handshake("/echo", DEFLATE) + frame(LAST | COMPRESSED | TEXT, bomb))
    assert got.code == 1009
    assert measured.kib("VmHWM") - before < 8 * 1024
    line = line_of(server, peer)
    assert f"1009 more than {MIB} bytes" in line


def test_what_is_just_within_the_limit_is_inflated(server: Serving) -> None:
    with server.connect() as client:
        client.sendall(handshake("/echo", DEFLATE))
        client.sendall(frame(LAST | COMPRESSED | BINARY, deflated(MIB)))
        assert [opcode for opcode, _ in received(client, 1).frames] == [BINARY]
        assert not any(name_of(client) in line for line in server.stderr.lines)


def test_frames_that_come_with_the_handshake_are_read_behind_it(server: Serving) -> None:
    with server.connect() as client:
        client.sendall(handshake() + frame(LAST | TEXT, b"one") + frame(LAST | TEXT, b"two"))
        assert received(client, 2).frames == [(TEXT, b"one"), (TEXT, b"two")]
        client.sendall(frame(LAST | CLOSE))
        assert frames_in(client.recv(100)) == [(CLOSE, b"")]
        assert client.recv(100) == b""


ODD = {
    "another version": (426, handshake(version="8")),
    "no version": (426, handshake(version="")),
    "a short key": (400, handshake(key="AAAA")),
    "a key that is no base64": (400, handshake(key="\xe4" * 22 + "==")),
    "two keys": (400, handshake("/echo", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")),
    "two versions": (400, handshake("/echo", "Sec-WebSocket-Version: 13")),
    "a subprotocol that is no token": (400, handshake("/echo", "Sec-WebSocket-Protocol: a b")),
    "a subprotocol that is not ASCII": (400, handshake("/echo", "Sec-WebSocket-Protocol: \xe9")),
    "the same one twice": (400, handshake("/echo", "Sec-WebSocket-Protocol: a, a")),
    "an extension that is none": (400, handshake("/echo", "Sec-WebSocket-Extensions: ;=")),
    "a line within a line": (400, handshake("/echo", "Sec-WebSocket-Protocol: a\x0bX: b")),
    "other ends of lines": (400, handshake("/echo", "Sec-WebSocket-Protocol: a\x85X: b")),
    "a bare newline": (400, handshake("/echo", "Sec-WebSocket-Protocol: a\nX: b")),
    "a nought": (400, handshake("/echo", "Sec-WebSocket-Protocol: a\0")),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_handshake_is_refused_and_told_once(server: Serving, name: str) -> None:
    status, sent = ODD[name]
    got, peer = talk(server, sent + frame(LAST | TEXT, b"what follows has no meaning"))
    assert got == Answer(status, [])
    line = line_of(server, peer)
    assert f"Refused a request from {peer}: {status} " in line


@pytest.mark.parametrize("path", ["/refuse", "/deny"])
def test_frames_behind_a_refused_handshake_are_no_requests(server: Serving, path: str) -> None:
    got, peer = talk(server, handshake(path) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.status in (401, 403)
    assert server.get().body == b"hello"
    assert not any(peer in line for line in server.stderr.lines)
