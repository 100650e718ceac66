"""The opening handshake: what its request may say, and what accepts it."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.http11 import Response
from websockets.uri import parse_uri

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Field, Fields, Request
from daphne_like.handshake import judge_handshake, offered_protocols, proof
from tests.unit.asgi.fakes import request

VERSION = (b"sec-websocket-version", b"13")
KEY = (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")
PROTOCOL, EXTENSIONS = b"sec-websocket-protocol", b"sec-websocket-extensions"

TOKEN = "!#$%&'*+-.^_`|~09AZaz"


def handshake(*fields: Field, version: str = "1.1") -> Request:
    headers = [(b"host", b"example.org"), *fields]
    return request(headers=headers, http_version=version, upgrade="websocket")


def refusal(*fields: Field, version: str = "1.1") -> tuple[int, str]:
    with pytest.raises(RemoteFault) as caught:
        judge_handshake(handshake(*fields, version=version))
    return caught.value.status, caught.value.reason


def test_version_and_key_are_enough() -> None:
    judge_handshake(handshake(VERSION, KEY))


@pytest.mark.parametrize("value", [None, b"", b"8", b"12", b"14", b"013", b"13, 8", b"13;"])
def test_another_version_is_answered_426_with_the_one_that_there_is(value: bytes | None) -> None:
    fields = [KEY] if value is None else [KEY, (VERSION[0], value)]
    with pytest.raises(RemoteFault) as caught:
        judge_handshake(handshake(*fields))
    assert (caught.value.status, caught.value.fields) == (426, [VERSION])


def test_a_version_is_there_once() -> None:
    assert refusal(VERSION, VERSION, KEY) == (400, "Sec-WebSocket-Version more than once")


@pytest.mark.parametrize(
    "key",
    [b"", b"A" * 22, b"A" * 21 + b"==", b"A" * 23 + b"==", b"A" * 24, b"A" * 21 + b"-==",
     b"A" * 22 + b"==\n", b"A" * 21 + b"\xe9=="],
)  # fmt: skip
def test_a_key_is_16_bytes_in_base64(key: bytes) -> None:
    assert refusal(VERSION, (KEY[0], key)) == (400, "malformed Sec-WebSocket-Key")


def test_a_key_is_there_once() -> None:
    assert refusal(VERSION) == (400, "malformed Sec-WebSocket-Key")
    assert refusal(VERSION, KEY, KEY) == (400, "malformed Sec-WebSocket-Key")


@given(st.binary(min_size=16, max_size=16))
def test_whatever_its_bytes_are(nonce: bytes) -> None:
    judge_handshake(handshake(VERSION, (KEY[0], b64encode(nonce))))


def test_http_2_has_no_key_and_needs_no_proof() -> None:
    asked = handshake(VERSION, version="2")
    judge_handshake(asked)
    assert proof(asked) == []
    assert refusal((VERSION[0], b"8"), version="2")[0] == 426


def test_the_proof_is_the_one_of_the_rfc() -> None:
    fields = [(b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]
    assert proof(handshake(VERSION, KEY)) == fields


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([], []),
        ([b"chat"], ["chat"]),
        ([b"chat, superchat\t,v1.x"], ["chat", "superchat", "v1.x"]),
        ([b"chat", b"superchat"], ["chat", "superchat"]),
        ([b",chat,,", b""], ["chat"]),
        ([TOKEN.encode()], [TOKEN]),
        ([b"chat, Chat"], ["chat", "Chat"]),
    ],
)
def test_subprotocols_are_offered_in_their_order(values: list[bytes], names: list[str]) -> None:
    asked = handshake(VERSION, KEY, *[(PROTOCOL, value) for value in values])
    judge_handshake(asked)
    assert offered_protocols(asked) == names


@pytest.mark.parametrize(
    "values",
    [[b"chat, chat"], [b"chat", b"chat"], [b"a b"], [b'"chat"'], [b"a/b"], [b"chat;x"],
     [b"caf\xe9"], [b"chat, a\x7fb"]],
)  # fmt: skip
def test_what_is_no_token_or_comes_twice_is_no_subprotocol(values: list[bytes]) -> None:
    fields = [(PROTOCOL, value) for value in values]
    assert refusal(VERSION, KEY, *fields) == (400, "malformed Sec-WebSocket-Protocol")


def test_extensions_that_break_the_grammar_are_refused() -> None:
    judge_handshake(handshake(VERSION, KEY, (EXTENSIONS, b"x-unheard-of; a=b, permessage-deflate")))
    fault = refusal(VERSION, KEY, (EXTENSIONS, b"permessage-deflate; =15"))
    assert fault == (400, "malformed Sec-WebSocket-Extensions")


# --- An independent client --------------------------------------------------------------------


def asked_by(client: ClientProtocol) -> Request:
    """The handshake of the library ``websockets``, as the wire hands it on."""
    fields = [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in client.connect().headers.raw_items()
    ]
    return request(headers=fields, upgrade="websocket")


def answered(client: ClientProtocol, fields: Fields) -> None:
    """Let the client judge our answer; it raises what it finds wrong."""
    headers = Headers([("Upgrade", "websocket"), ("Connection", "Upgrade")])
    for name, value in fields:
        headers[name.decode()] = value.decode("latin-1")
    client.process_response(Response(101, "Switching Protocols", headers))


names = st.text(TOKEN, min_size=1, max_size=9)


@given(
    st.sampled_from(["ws://a/", "wss://a.example:8443/x?y=z", "ws://u:p@[::1]/"]),
    st.none() | st.lists(names, min_size=1, max_size=4, unique=True),
    st.booleans(),
    st.data(),
)
def test_every_handshake_of_another_library_is_accepted_and_it_takes_our_proof(
    uri: str, offered: list[str] | None, compressing: bool, data: st.DataObject
) -> None:
    extensions = [ClientPerMessageDeflateFactory()] if compressing else None
    client = ClientProtocol(
        parse_uri(uri), subprotocols=offered, extensions=extensions, origin="https://a.example"
    )
    asked = asked_by(client)
    judge_handshake(asked)
    assert offered_protocols(asked) == (offered or [])
    chosen = data.draw(st.none() | st.sampled_from(offered)) if offered else None
    fields = proof(asked) + ([(PROTOCOL, chosen.encode())] if chosen else [])
    answered(client, fields)
    assert client.subprotocol == chosen


@pytest.mark.parametrize("name", [PROTOCOL, EXTENSIONS])
def test_a_list_without_end_is_refused_unread(name: bytes) -> None:
    lists = {PROTOCOL: "Sec-WebSocket-Protocol", EXTENSIONS: "Sec-WebSocket-Extensions"}
    many = b",".join(b"a%d" % number for number in range(65))
    judge_handshake(handshake(VERSION, KEY, (name, many)))
    more = handshake(VERSION, KEY, (name, many), (name, b"b,c"))
    with pytest.raises(RemoteFault) as caught:
        judge_handshake(more)
    assert (caught.value.status, caught.value.reason) == (400, f"{lists[name]} lists too many")
