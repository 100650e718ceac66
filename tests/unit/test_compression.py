"""permessage-deflate: what is agreed to, and that both sides then understand each other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension, parse_extension

from daphne_like.asgi.frame_reader import FrameReader
from daphne_like.compression import Compression, Deflate, agree, judge_offers
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Fields
from daphne_like.limits import Limits
from tests.support.websocket import BINARY, COMPRESSED, framed

OURS = Compression(window_bits=15, takeover=True, memory_level=8, min_size=0)
SMALL = OURS._replace(window_bits=11)
ALONE = OURS._replace(takeover=False)


def noise(size: int, seed: int = 7919) -> bytes:
    """Bytes in which there is little to find for a compressor."""
    return random.Random(seed).randbytes(size)


def offered(*values: bytes) -> Fields:
    return [(b"host", b"a"), *[(b"sec-websocket-extensions", value) for value in values]]


def answer(*values: bytes, ours: Compression = OURS) -> str | None:
    agreed = agree(offered(*values), ours)
    if agreed is None:
        return None
    assert agreed.field[0] == b"sec-websocket-extensions"
    return agreed.field[1].decode()


PLAIN = "permessage-deflate"


class TestAgreeing:
    def test_who_offers_nothing_gets_nothing(self) -> None:
        assert agree([(b"host", b"a")], OURS) is None
        assert answer(b"x-webkit-deflate-frame") is None

    def test_the_first_offer_that_can_be_taken_is_taken(self) -> None:
        assert answer(b"permessage-deflate") == PLAIN
        assert answer(b"x-other, permessage-deflate; server_no_context_takeover,permessage-deflate"
                      ) == "permessage-deflate; server_no_context_takeover"  # fmt: skip
        assert answer(
            b"permessage-deflate; server_max_window_bits=8", b"permessage-deflate"
        ) == PLAIN  # fmt: skip

    @pytest.mark.parametrize(
        ("offer", "said"),
        [
            (b"", ""),
            (b"; client_max_window_bits", ""),
            (b"; client_max_window_bits=15", ""),
            (b'; client_max_window_bits="12"', "; client_max_window_bits=12"),
            (b"; client_max_window_bits=8", ""),
            (b"; server_max_window_bits=15", "; server_max_window_bits=15"),
            (b";server_max_window_bits=10", "; server_max_window_bits=10"),
            (b"\t; server_no_context_takeover", "; server_no_context_takeover"),
            (b"; client_no_context_takeover ", "; client_no_context_takeover"),
        ],
    )
    def test_what_the_client_asks_for_it_gets(self, offer: bytes, said: str) -> None:
        assert answer(b"permessage-deflate" + offer) == PLAIN + said

    @pytest.mark.parametrize(
        ("offer", "said"),
        [
            (b"", "; server_max_window_bits=11"),
            (
                b"; client_max_window_bits",
                "; server_max_window_bits=11; client_max_window_bits=11",
            ),
            (
                b"; client_max_window_bits=9; server_max_window_bits=13",
                "; server_max_window_bits=11; client_max_window_bits=9",
            ),
            (b"; server_max_window_bits=9", "; server_max_window_bits=9"),
        ],
    )
    def test_a_smaller_window_of_ours_binds_both_where_the_client_can(
        self, offer: bytes, said: str
    ) -> None:
        assert answer(b"permessage-deflate" + offer, ours=SMALL) == PLAIN + said

    def test_without_takeover_both_forget(self) -> None:
        said = PLAIN + "; server_no_context_takeover; client_no_context_takeover"
        assert answer(b"permessage-deflate", ours=ALONE) == said

    def test_the_operators_own_values_go_with_it(self) -> None:
        ours = Compression(9, takeover=False, memory_level=3, min_size=77)
        agreed = agree(offered(b"permessage-deflate; client_max_window_bits"), ours)
        assert agreed is not None
        assert agreed[:-1] == (9, 9, False, False, 3, 77)

    @pytest.mark.parametrize(
        "parameters",
        [
            b"server_max_window_bits=8",
            b"server_max_window_bits",
            b"server_max_window_bits=16",
            b"server_max_window_bits=7",
            b"server_max_window_bits=09",
            b"client_max_window_bits=7",
            b"client_max_window_bits=16",
            b"client_max_window_bits=x",
            b"client_max_window_bits=150",
            b"server_no_context_takeover=1",
            b"client_no_context_takeover=true",
            b"unheard_of",
            b"Client_Max_Window_Bits",
            b"client_max_window_bits; client_max_window_bits",
            b"client_max_window_bits; client_max_window_bits=10",
        ],
    )
    def test_an_offer_that_no_server_may_take_is_declined(self, parameters: bytes) -> None:
        judge_offers(offered(b"permessage-deflate; " + parameters))
        assert answer(b"permessage-deflate; " + parameters) is None


@pytest.mark.parametrize(
    "value",
    [b";", b"; a", b"a;", b"a; =b", b"a; b=", b"a; b = c", b'a; b=""', b'a; b="c d"', b"a b",
     b'a; b="c', b'a; b="', b'a; b=c"', b"a/b", b"a; b=c=d", b"a, b/c", b"a; b\xe9", b'"a"'],
)  # fmt: skip
def test_offers_that_break_the_grammar_are_refused(value: bytes) -> None:
    with pytest.raises(RemoteFault) as caught:
        judge_offers(offered(b"permessage-deflate", value))
    fault = caught.value
    assert (fault.status, fault.reason) == (400, "malformed Sec-WebSocket-Extensions")


@pytest.mark.parametrize("value", [b"", b"a", b'a, b;c ,d; e=f;g="h"', b"a;\tb=c", b",,a,"])
def test_offers_that_keep_it_are_not(value: bytes) -> None:
    judge_offers(offered(value))


# --- An independent client --------------------------------------------------------------------


@dataclass
class Pair:
    """A client of the library ``websockets``, and our side, after they have agreed."""

    client: Any
    ours: FrameReader
    heard: SimpleNamespace
    agreed: Deflate

    def to_us(self, payload: bytes) -> None:
        packed = self.client.encode(Frame(Opcode.BINARY, payload))
        assert packed.rsv1
        self.ours.feed(framed(BINARY, bytes(packed.data), reserved=COMPRESSED))

    def to_client(self, payload: bytes) -> bytes:
        raw = self.ours.compressed(payload, binary=True)
        first, size = raw[0], raw[1]
        assert first == 0x80 | COMPRESSED << 4 | BINARY
        start = {126: 4, 127: 10}.get(size, 2)
        frame = self.client.decode(Frame(Opcode.BINARY, raw[start:], rsv1=True))
        return bytes(frame.data)


def paired(factory: ClientPerMessageDeflateFactory, ours: Compression, most: int = 0) -> Pair:
    """The client judges our answer: it raises what it finds wrong."""
    offer = build_extension([("permessage-deflate", factory.get_request_params())])
    agreed = agree(offered(offer.encode()), ours)
    assert agreed is not None
    [(name, parameters)] = parse_extension(agreed.field[1].decode())
    assert name == "permessage-deflate"
    client = factory.process_response_params(parameters, [])
    heard: list[Any] = []
    listener: Any = SimpleNamespace(
        binary_received=heard.append, frames_broken=lambda code, reason: heard.append(code)
    )
    limits = Limits(websocket_max_message_size=most, websocket_max_frame_size=0)
    return Pair(client, FrameReader(listener, limits, agreed), SimpleNamespace(all=heard), agreed)


bits = st.integers(9, 15)
factories = st.builds(
    ClientPerMessageDeflateFactory,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.none() | bits,
    client_max_window_bits=st.none() | st.just(True) | bits,
)
compressions = st.builds(Compression, bits, st.booleans(), st.integers(1, 9), st.just(0))
payloads = st.one_of(
    st.binary(max_size=200),
    st.integers(0, 2**32).map(
        lambda seed: bytes(seed * at * at >> 7 & 0xFF for at in range(40000))
    ),
    st.sampled_from((125, 126, 65535, 65536, 100_000)).map(lambda size: b"ab" * (size // 2)),
)


@given(factories, compressions, st.lists(payloads, max_size=5))
@settings(max_examples=60)
def test_whatever_is_agreed_to_each_side_understands_the_other(
    factory: ClientPerMessageDeflateFactory, ours: Compression, messages: list[bytes]
) -> None:
    pair = paired(factory, ours)
    for message in messages:
        pair.to_us(message)
        assert pair.to_client(message) == message
    assert pair.heard.all == messages


@pytest.mark.parametrize("client_forgets", [False, True])
@pytest.mark.parametrize("server_forgets", [False, True])
@pytest.mark.parametrize("window", range(9, 16))
def test_every_window_reaches_as_far_as_was_agreed(
    window: int, server_forgets: bool, client_forgets: bool
) -> None:
    """A repetition at the far end of the window, in the same message and in the next one."""
    far = noise(2**window - 300)
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=server_forgets,
        client_no_context_takeover=client_forgets,
        server_max_window_bits=window,
        client_max_window_bits=window,
    )
    pair = paired(factory, OURS)
    assert (pair.agreed.server_bits, pair.agreed.client_bits) == (window, window)
    assert pair.agreed.server_takeover is not server_forgets
    assert pair.agreed.client_takeover is not client_forgets
    for message in (far + far, far):
        pair.to_us(message)
        assert pair.to_client(message) == message
    assert pair.heard.all == [far + far, far]


@pytest.mark.parametrize("limit", [1, 100, 16384, 65536])
@pytest.mark.parametrize("kind", ["alike", "unlike"])
@pytest.mark.parametrize("more", [0, 1, 2, 1000])
def test_a_message_is_measured_after_it_is_inflated(kind: str, limit: int, more: int) -> None:
    size = limit + more
    message = bytes(size) if kind == "alike" else noise(size)
    pair = paired(ClientPerMessageDeflateFactory(), OURS, most=limit)
    pair.to_us(message)
    assert pair.heard.all == ([1009] if more else [message])
