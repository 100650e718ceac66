"""What an application sends to a WebSocket: every message in every state, and slow clients."""

from __future__ import annotations

import pytest

from daphne_like.compression import Compression
from daphne_like.errors import AppFault, ClientDisconnected
from tests.unit.asgi.fakes import body, run, start, turn
from tests.unit.asgi.sockets import (
    ACCEPT,
    BINARY,
    CLOSE,
    CLOSING,
    PONG,
    TEXT,
    accept,
    close,
    connecting,
    opened,
    ping,
    said,
    slow,
    text,
    waits,
)

HEADS = {
    "subprotocol": b"sec-websocket-protocol",
    "extensions": b"sec-websocket-extensions",
}
CHAT = (b"sec-websocket-protocol", b"chat, superchat")
DEFLATE = (b"sec-websocket-extensions", b"permessage-deflate")


# --- Accepting -------------------------------------------------------------------------------


def head_for(message, *asked, **options):
    """The head that accepts, for what the application says."""

    async def main():
        socket = await connecting(*asked, **options)
        await socket.send(message)
        assert socket.stream.tunnel
        return socket.stream.head

    return run(main())


def test_accepting_proves_that_the_handshake_was_understood():
    head = head_for(ACCEPT)
    assert head.status == 101
    assert head.fields == [(b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]


@pytest.mark.parametrize("name", ["chat", "superchat"])
def test_a_subprotocol_is_one_that_the_client_has_offered(name):
    head = head_for(accept(subprotocol=name), CHAT)
    assert (b"sec-websocket-protocol", name.encode()) in head.fields


@pytest.mark.parametrize("message", [ACCEPT, accept(subprotocol=None, headers=None)])
def test_none_needs_to_be_chosen(message):
    assert [name for name, _ in head_for(message, CHAT).fields] == [b"sec-websocket-accept"]


@pytest.mark.parametrize("name", ["news", "Chat", "", "chat, superchat", b"chat", 7])
def test_another_one_is_a_fault_and_the_handshake_is_still_open(name):
    async def main():
        socket = await connecting(CHAT)
        with pytest.raises(AppFault, match="has not offered the subprotocol") as raised:
            await socket.send(accept(subprotocol=name))
        assert (raised.value.state, raised.value.message) == ("CONNECTING", "websocket.accept")
        assert socket.stream.calls == []
        await socket.send(accept(subprotocol="chat"))
        assert socket.stream.tunnel

    run(main())


def test_the_applications_headers_go_with_it_in_their_order():
    fields = [(b"Set-Cookie", b"a=1"), [b"x-one", b"1"], (b"set-cookie", b"b=2")]
    head = head_for(accept(headers=iter(fields)))
    assert head.fields[1:] == [tuple(field) for field in fields]
    assert head.own == frozenset()


def test_those_of_the_connection_are_the_servers():
    fields = [
        (b"Connection", b"close"),
        (b"upgrade", b"h2c"),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"3"),
        (b"Server", b"mine"),
    ]
    head = head_for(accept(headers=fields))
    assert head.fields[1:] == [(b"Server", b"mine")]
    assert head.own == {b"server"}


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ([(b"a b", b"")], "not a token"),
        ([(b"a", b"1\r\nb: 2")], "control character"),
        ([("a", b"1")], "expected to be `bytes`"),
        ([b"a"], "pair"),
        (7, "not iterable"),
        ([(b"Sec-WebSocket-Accept", b"x")], "belongs to the server"),
        ([(b"sec-websocket-protocol", b"chat")], "belongs to the server"),
        ([(b"sec-websocket-extensions", b"x")], "belongs to the server"),
    ],
)
def test_a_bad_header_is_a_fault_and_nothing_is_sent(headers, fault):
    async def main():
        socket = await connecting(CHAT)
        with pytest.raises(AppFault, match=fault):
            await socket.send(accept(headers=headers))
        assert socket.stream.calls == []

    run(main())


@pytest.mark.parametrize("asked", [(), (DEFLATE,)])
def test_compression_is_agreed_to_where_both_sides_want_it(asked):
    small = {"compression": Compression(9, takeover=False, memory_level=1, min_size=10)}
    names = [name for name, _ in head_for(ACCEPT, *asked, options=small).fields]
    assert (HEADS["extensions"] in names) is bool(asked)
    assert HEADS["extensions"] not in [name for name, _ in head_for(ACCEPT, *asked).fields]


# --- Sending ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (said(text="hello"), (TEXT, b"hello")),
        (said(text=""), (TEXT, b"")),
        (said(text="ü", bytes=None), (TEXT, "ü".encode())),
        (said(bytes=b"\x00\xff"), (BINARY, b"\x00\xff")),
        (said(bytes=b"", text=None), (BINARY, b"")),
        (said(bytes=bytearray(b"ab")), (BINARY, b"ab")),
        (said(bytes=memoryview(b"ab")), (BINARY, b"ab")),
        (said(text="x" * 125), (TEXT, b"x" * 125)),
        (said(text="x" * 126), (TEXT, b"x" * 126)),
        (said(bytes=b"x" * 65535), (BINARY, b"x" * 65535)),
        (said(bytes=b"x" * 65536), (BINARY, b"x" * 65536)),
        (said(text="x" * 1_000_000), (TEXT, b"x" * 1_000_000)),
        (said(text="x", more="is ignored"), (TEXT, b"x")),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_message_is_one_frame(message, frame):
    async def main():
        socket = await opened()
        await socket.send(message)
        assert socket.frames == [frame]
        await socket.returns()
        assert socket.record.bytes_out == len(frame[1])

    run(main())


def test_a_small_one_is_one_write_and_a_large_one_is_not_copied():
    async def main():
        socket = await opened()
        large = b"x" * 65536
        await socket.send(said(bytes=b"a"))
        await socket.send(said(bytes=large))
        writes = [call[1] for call in socket.stream.calls[1:]]
        assert writes[0] == b"\x82\x01a"
        assert writes[1:] == [b"\x82\x7f" + len(large).to_bytes(8, "big"), large]
        assert writes[2] is large

    run(main())


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (said(), "neither text nor bytes"),
        (said(text=None, bytes=None), "neither text nor bytes"),
        (said(text="a", bytes=b"a"), "both text and bytes"),
        (said(text="", bytes=b""), "both text and bytes"),
        (said(text=b"a"), "text is <class 'bytes'>, not str"),
        (said(bytes="a"), "bytes that are <class 'str'>"),
        (said(bytes=7), "bytes that are <class 'int'>"),
        (said(text="\ud800"), "cannot be sent"),
    ],
)
def test_a_message_that_is_none_is_a_fault_and_the_socket_goes_on(message, fault):
    async def main():
        socket = await opened()
        with pytest.raises(AppFault, match=fault) as raised:
            await socket.send(message)
        assert raised.value.state == "OPEN"
        assert socket.frames == []
        await socket.send(said(text="still there"))
        assert socket.frames == [(TEXT, b"still there")]

    run(main())


def test_messages_are_compressed_from_a_size_on():
    async def main():
        allowed = Compression(15, takeover=True, memory_level=8, min_size=10)
        socket = await opened(DEFLATE, options={"compression": allowed})
        await socket.send(said(text="x" * 9))
        await socket.send(said(text="x" * 1000))
        await socket.send(said(bytes=b"y" * 1000))
        plain, first, second = [call[1] for call in socket.stream.calls[1:]]
        assert plain == b"\x81\x09" + b"x" * 9
        assert (first[0], second[0]) == (0xC1, 0xC2)
        assert len(first) < 100
        assert len(second) < 100
        await socket.returns()
        assert socket.record.bytes_out == 2009, "as the application has sent it"

    run(main())


# --- What may follow what --------------------------------------------------------------------

KINDS = {
    "accept": ACCEPT,
    "send": said(text="x"),
    "close": CLOSING,
    "denial": {**start(403), "type": "websocket.http.response.start"},
    "denial body": {**body(), "type": "websocket.http.response.body"},
    "http": start(),
    "nothing": {"type": ""},
}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ([], {"accept", "close", "denial"}),
        (["accept"], {"send", "close"}),
        (["denial"], {"denial body"}),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_each_message_in_each_state(path, allowed, kind):
    async def main():
        socket = await connecting()
        for step in path:
            await socket.send(KINDS[step])
        if kind in allowed:
            await socket.send(KINDS[kind])
            return
        before = socket.stream.calls.copy()
        with pytest.raises(AppFault, match="not expected"):
            await socket.send(KINDS[kind])
        assert socket.stream.calls == before

    run(main())


@pytest.mark.parametrize(
    "message", [{}, {"no": "type"}, None, [], "websocket.accept", {"type": []}]
)
@pytest.mark.parametrize("path", [[], [ACCEPT], [ACCEPT, CLOSING], [KINDS["denial"]]])
def test_what_is_no_message_is_a_fault_in_every_state(message, path):
    async def main():
        socket = await connecting()
        for step in path:
            await socket.send(step)
        with pytest.raises(AppFault, match="a message is a dict with a type"):
            await socket.send(message)

    run(main())


# --- Slow clients ----------------------------------------------------------------------------


def test_a_send_waits_for_a_client_that_reads_too_slowly():
    async def main():
        socket = await opened()
        with slow(socket):
            first = socket.pending(socket.send(said(text="1")))
            assert await waits(first)
            second = socket.pending(socket.send(said(text="2")))
            assert await waits(second)
        await turn()
        assert (first.done(), second.done()) == (True, True)
        assert socket.frames == [(TEXT, b"1"), (TEXT, b"2")]

    run(main())


def test_it_goes_on_only_when_the_client_has_read_enough():
    async def main():
        socket = await opened()
        socket.stream.full = True
        sending = socket.pending(socket.send(said(text="1")))
        await turn()
        socket.exchange.drained()
        assert await waits(sending)
        socket.reads()
        await sending

    run(main())


def test_a_cancelled_send_leaves_the_others_waiting():
    async def main():
        socket = await opened()
        with slow(socket):
            both = [socket.pending(socket.send(said(text=str(each)))) for each in range(2)]
            await turn()
            both[0].cancel()
            assert await waits(both[1])
        await both[1]
        assert socket.frames == [(TEXT, b"0"), (TEXT, b"1")]

    run(main())


def test_who_sends_without_end_leaves_others_their_turn():
    async def main():
        socket = await opened(read_budget=64 * 1024)
        others = socket.pending(turn(3))
        for _ in range(4 * 64):
            await socket.send(said(text="x"))
        assert others.done()

    run(main())


def test_reading_goes_on_while_a_send_waits():
    async def main():
        socket = await opened()
        with slow(socket):
            sending = socket.pending(socket.send(said(text="1")))
            assert await waits(sending)
            socket.says(text("hello"), ping())
            assert (await socket.receive())["text"] == "hello"
        await sending
        assert socket.frames == [(TEXT, b"1"), (PONG, b"")]

    run(main())


def test_the_close_of_a_client_that_does_not_read_is_behind_all_that_was_sent():
    async def main():
        socket = await opened()
        socket.stream.full = True
        sending = socket.pending(socket.send(said(text="1")))
        await turn()
        socket.says(close(1000))
        with pytest.raises(ClientDisconnected):
            await sending
        assert [opcode for opcode, _ in socket.frames] == [TEXT, CLOSE]

    run(main())


def test_a_denial_waits_for_a_slow_client_too():
    async def main():
        socket = await connecting()
        await socket.send(KINDS["denial"])
        with slow(socket):
            sending = socket.pending(socket.send({**KINDS["denial body"], "more_body": True}))
            assert await waits(sending)
        await sending

    run(main())
