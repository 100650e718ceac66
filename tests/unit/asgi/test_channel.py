"""Autobahn as we use it: what it finds, what it compresses, and that it is still what we know."""

from __future__ import annotations

import inspect
import subprocess
import sys
import zlib
from typing import Any

import pytest
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflate
from autobahn.websocket.protocol import WebSocketProtocol

from daphne_like.asgi import channel
from daphne_like.asgi.channel import Channel
from daphne_like.compression import Deflate
from tests.support.http1 import splits
from tests.support.websocket import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    TEXT,
    closing,
    framed,
)

DEFLATE = Deflate(15, 15, True, True, 8, 0, (b"", b""))
ALONE = DEFLATE._replace(server_takeover=False, client_takeover=False)


class Open:
    """A channel, with what it tells its reader."""

    def __init__(self, most: int = 0, deflate: Deflate | None = None) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.channel = Channel(self, most, deflate)  # type: ignore[arg-type]

    def assembled(self, payload: bytes, *, binary: bool) -> None:
        assert type(payload) is bytes
        self.told.append(("binary" if binary else "text", payload))

    def refused(self, code: int, reason: str) -> None:
        assert isinstance(reason, str)
        self.told.append(("refused", code))

    def feed(self, *pieces: bytes) -> list[tuple[Any, ...]]:
        for piece in pieces:
            self.channel.feed(piece)
        return self.told

    @property
    def protocol(self) -> Any:
        return self.channel._protocol


class Client:
    """A client's side of the compression."""

    def __init__(self, deflate: Deflate = DEFLATE) -> None:
        self._deflate = deflate
        self._made: Any = None
        self._read: Any = None

    def packed(self, payload: bytes) -> bytes:
        if self._made is None or not self._deflate.client_takeover:
            self._made = zlib.compressobj(wbits=-self._deflate.client_bits)
        return (self._made.compress(payload) + self._made.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def read(self, raw: bytes) -> bytes:
        if self._read is None or not self._deflate.server_takeover:
            self._read = zlib.decompressobj(-self._deflate.server_bits)
        assert raw[1] == len(raw) - 2
        return self._read.decompress(raw[2:] + b"\0\0\xff\xff")


def ended(payload: bytes) -> bytes:
    """The last message of a compressed stream (RFC 7692, section 7.2.3.4)."""
    made = zlib.compressobj(wbits=-15)
    return made.compress(payload) + made.flush(zlib.Z_FINISH) + b"\0"


def compressed(payload: bytes, opcode: int = BINARY, **options: Any) -> bytes:
    return framed(opcode, payload, reserved=COMPRESSED, **options)


# --- What it finds ----------------------------------------------------------------------------


def test_it_is_open_at_once_and_has_sent_nothing() -> None:
    opened = Open()
    assert opened.protocol.state == WebSocketProtocol.STATE_OPEN
    assert (opened.told, opened.channel._wire.written) == ([], [])


def test_it_puts_fragments_together() -> None:
    raw = framed(TEXT, b"a\xc3", last=False) + framed(CONTINUATION, b"\xa9")
    raw += framed(BINARY, b"", last=False) + framed(CONTINUATION, b"b")
    for pieces in splits(raw):
        assert Open().feed(*pieces) == [("text", b"a\xc3\xa9"), ("binary", b"b")]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (framed(CONTINUATION, b"a"), 1002),
        (framed(TEXT, b"a", reserved=1), 1002),
        (framed(TEXT, b"a", reserved=COMPRESSED), 1002),
        (framed(TEXT, b"a", mask=None), 1002),
        (framed(TEXT, b"a", form=16), 1002),
        (framed(CLOSE, closing(1005)), 1002),
        (framed(CLOSE, closing(1000, b"\xff")), 1007),
        (framed(TEXT, b"\xff", last=False), 1007),
        (framed(TEXT, b"\xc3"), 1007),
    ],
)
def test_it_tells_of_a_broken_rule_first(raw: bytes, code: int) -> None:
    for pieces in splits(raw):
        assert Open().feed(*pieces)[0] == ("refused", code)


def test_nothing_is_put_together_after_it() -> None:
    told = Open().feed(framed(TEXT, b"\xff"), framed(TEXT, b"late"))
    assert {kind for kind, _ in told} == {"refused"}


def test_a_close_without_a_code_of_its_own_is_told_as_1002() -> None:
    opened = Open()
    opened.protocol.sendCloseFrame()
    assert opened.told == [("refused", 1002)]


# --- Compression ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "deflate", [DEFLATE, ALONE, DEFLATE._replace(server_bits=9, client_bits=9)]
)
def test_messages_are_inflated_and_compressed_by_what_was_agreed_to(deflate: Deflate) -> None:
    client, opened = Client(deflate), Open(0, deflate)
    for _ in range(3):
        opened.feed(compressed(client.packed(b"hello" * 9), TEXT))
        assert client.read(opened.channel.compressed(b"hello", False)) == b"hello"
    assert opened.told == [("text", b"hello" * 9)] * 3


def test_each_side_may_refer_to_earlier_messages_where_that_was_agreed_to() -> None:
    both = {}
    for deflate in (DEFLATE, ALONE):
        made = Open(0, deflate).channel
        both[deflate] = [len(made.compressed(bytes(range(100)), True)) for _ in range(2)]
    assert both[DEFLATE][1] < 20 < both[DEFLATE][0]
    assert both[ALONE][0] == both[ALONE][1]


def test_the_kind_is_the_messages() -> None:
    made = Open(0, DEFLATE).channel
    assert [made.compressed(b"a", binary)[0] for binary in (False, True)] == [0xC1, 0xC2]


def test_a_message_inflates_up_to_its_limit_and_no_further() -> None:
    for more, told in ((0, ("binary", bytes(1000))), (1, ("refused", 1009))):
        opened = Open(1000, DEFLATE)
        assert opened.feed(compressed(Client().packed(bytes(1000 + more))))[0] == told


def test_a_bomb_is_not_inflated() -> None:
    client, opened = Client(), Open(1000, DEFLATE)
    bomb = client.packed(bytes(10 << 20))
    inflated = 0
    real = opened.protocol._perMessageCompress.decompress_message_data

    def counted(data: bytes, **more: Any) -> bytes:
        nonlocal inflated
        result: bytes = real(data, **more)
        inflated += len(result)
        return result

    opened.protocol._perMessageCompress.decompress_message_data = counted
    for at in range(0, len(bomb), 100):
        last = at + 100 >= len(bomb)
        opcode, reserved = (CONTINUATION, 0) if at else (BINARY, COMPRESSED)
        opened.feed(framed(opcode, bomb[at : at + 100], reserved=reserved, last=last))
        if opened.told:
            break
    assert opened.told == [("refused", 1009)]
    assert inflated <= 1001


def test_it_is_told_as_soon_as_it_is_too_long() -> None:
    whole = Client().packed(bytes(1500))
    opened = Open(1000, DEFLATE)
    opened.feed(framed(BINARY, whole, reserved=COMPRESSED, last=False))
    assert opened.told == [("refused", 1009)]


@pytest.mark.parametrize("deflate", [DEFLATE, ALONE])
def test_a_client_may_end_its_stream_with_a_message(deflate: Deflate) -> None:
    opened = Open(0, deflate)
    for payload in (ended(b"one"), ended(b"two"), Client().packed(b"three"), ended(b"four")[:-1]):
        opened.feed(compressed(payload))
    assert opened.told == [("binary", word) for word in (b"one", b"two", b"three", b"four")]


def test_behind_that_end_nothing_is_kept() -> None:
    opened = Open(0, DEFLATE)
    opened.feed(framed(BINARY, ended(b"one"), reserved=COMPRESSED, last=False))
    opened.feed(framed(CONTINUATION, bytes(5000), last=False))
    assert opened.told == [("refused", 1007)]


# --- What we rely on --------------------------------------------------------------------------


def parameters(of: Any) -> list[str]:
    return list(inspect.signature(of).parameters)


def test_the_names_that_we_stand_in_for_are_autobahns() -> None:
    assert parameters(WebSocketServerProtocol.onMessageEnd) == ["self"]
    assert parameters(WebSocketServerProtocol.sendCloseFrame) == [
        "self",
        "code",
        "reasonUtf8",
        "isReply",
    ]
    assert parameters(PerMessageDeflate.decompress_message_data) == [
        "self",
        "data",
        "max_output_len",
    ]
    assert parameters(PerMessageDeflate.end_decompress_message) == ["self"]
    assert parameters(PerMessageDeflate)[:7] == [
        "is_server",
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "mem_level",
        "max_message_size",
    ]


def test_the_attributes_that_we_read_and_set_are_there_before_we_do() -> None:
    protocol = Open().protocol
    for name in ("data", "failedByMe", "_perMessageCompress"):
        assert name in vars(protocol)
    assert protocol.data == b""
    assert (protocol.failedByMe, protocol._perMessageCompress) == (False, None)
    protocol.dataReceived(framed(TEXT, b"a", last=False))
    assert (protocol.message_data, protocol.message_is_binary) == ([b"a"], False)
    deflate = vars(PerMessageDeflate(True, False, False, 15, 15, 8, 7))
    assert deflate["max_message_size"] == 7
    assert deflate["_decompressor"] is None
    assert deflate["_decompress_message_size"] == 0


def test_it_has_no_timers_and_no_limits_of_its_own() -> None:
    protocol = Open().protocol
    assert (protocol.openHandshakeTimeout, protocol.closeHandshakeTimeout) == (0, 0)
    assert (protocol.maxMessagePayloadSize, protocol.maxFramePayloadSize) == (0, 0)
    assert (protocol.autoPingInterval, protocol.autoPingTimeout) == (0, 0)
    assert not protocol.failByDrop


def test_what_it_would_do_to_its_transport_has_no_effect() -> None:
    opened = Open()
    opened.feed(framed(TEXT, b"\xff"), framed(CLOSE, closing(1000)))
    assert opened.channel._wire.written == []
    wire = channel._Wire()
    assert wire.getPeer() == wire.getHost()
    assert [wire.loseConnection(), wire.abortConnection(), wire.unregisterProducer()] == [None] * 3


def test_it_has_nothing_to_say_to_a_log() -> None:
    log = Open().protocol.log
    assert [say("{what}", what=1) for say in (log.debug, log.info, log.warn, log.error)] == [
        None
    ] * 4


def in_a_process_of_its_own(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_no_reactor_is_imported_with_it() -> None:
    code = (
        "import sys; from daphne_like.asgi.channel import Channel; Channel(None, 0, None);"
        "print('twisted.internet.reactor' in sys.modules)"
    )
    assert in_a_process_of_its_own(code) == "False"


def test_who_needs_no_websocket_does_not_load_it() -> None:
    code = (
        "import sys; import daphne_like.asgi.application, daphne_like.assembly;"
        "print([name for name in sys.modules if name.startswith('autobahn')])"
    )
    assert in_a_process_of_its_own(code) == "[]"
