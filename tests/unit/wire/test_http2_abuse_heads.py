"""HTTP/2 heads that are bombs, never end, or say what no head may say."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from daphne_like.exchange import Field
from daphne_like.testing import RecordedExchange
from tests.support.attacker import Attacker
from tests.support.frames import (
    COMPRESSION_ERROR,
    CONTINUATION,
    ENHANCE_YOUR_CALM,
    GET,
    POST,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    changed,
    continuation,
    continued,
    data,
    frame,
    headers,
    indexed,
    packed,
)

Attack = Callable[..., Attacker]

MIB = 1024 * 1024
AT_62 = b"\xbe"
"""The newest entry of the table."""


def get(*more: Field) -> list[Field]:
    return [*GET, *more]


def answer(exchange: RecordedExchange) -> None:
    exchange.answer(b"ok")


def spared(attacker: Attacker, sibling: int) -> bool:
    """Whether the request that was there before can be finished."""
    attacker.send(data(sibling, b"x", end=True))
    exchange = attacker.open.exchanges[0]
    assert exchange.body == b"x"
    exchange.answer(b"fine")
    attacker.clock.advance(0)
    return attacker.body(sibling) == b"fine" and attacker.goaways == []


# --- What no head may say -----------------------------------------------------------------

RESET = {
    "a path with a space": changed(GET, path=b"/a b"),
    "a path with a control": changed(GET, path=b"/a\x01"),
    "a path with NUL": changed(GET, path=b"/a\x00"),
    "a path with DEL": changed(GET, path=b"/a\x7f"),
    "a path with a line": changed(GET, path=b"/ HTTP/1.1\r\nhost: b\r\n\r\nGET /"),
    "an empty path": changed(GET, path=b""),
    "a path that is a star": changed(GET, path=b"*"),
    "a path without its slash": changed(GET, path=b"a"),
    "a path that is a URL": changed(GET, path=b"http://b/"),
    "no path": GET[:3],
    "no method": GET[1:],
    "no scheme": [GET[0], *GET[2:]],
    "no host at all": [GET[0], GET[1], GET[3]],
    "an empty authority": changed(GET, authority=b""),
    "an authority with a space": changed(GET, authority=b"a b"),
    "an authority with a user": changed(GET, authority=b"user@a"),
    "an authority with a path": changed(GET, authority=b"a/b"),
    "two paths": get((b":path", b"/b")),
    "two authorities": get((b":authority", b"b")),
    "a pseudo-header field that does not exist": get((b":x", b"y")),
    "a response's": get((b":status", b"200")),
    "one behind the others": [*GET[:3], (b"a", b"b"), GET[3]],
    "a protocol without CONNECT": get((b":protocol", b"websocket")),
    "CONNECT with a path and no protocol": changed(GET, method=b"CONNECT"),
    "two hosts": get((b"host", b"a.example"), (b"host", b"b")),
    "a host twice": get((b"host", b"a.example"), (b"host", b"a.example")),
    "two hosts and no authority": [GET[0], GET[1], GET[3], (b"host", b"a"), (b"host", b"b")],
    "connection": get((b"connection", b"close")),
    "keep-alive": get((b"keep-alive", b"1")),
    "proxy-connection": get((b"proxy-connection", b"close")),
    "transfer-encoding": get((b"transfer-encoding", b"chunked")),
    "upgrade": get((b"upgrade", b"h2c")),
    "te beside trailers": get((b"te", b"gzip")),
    "a name in upper case": get((b"X-A", b"b")),
    "a name with a space": get((b"x a", b"b")),
    "a name with a colon": get((b"x:a", b"b")),
    "a name with a line": get((b"x\r\nhost", b"b")),
    "a name beyond ASCII": get((b"x\xe4", b"b")),
    "an empty name": get((b"", b"b")),
    "a value with NUL": get((b"x", b"\x00")),
    "a value with CR": get((b"x", b"a\rb")),
    "a value with LF": get((b"x", b"a\nb")),
    "a value with a line": get((b"x", b"a\r\nhost: b")),
    "a value with a control": get((b"x", b"\x01")),
    "a value with a space before": get((b"x", b" a")),
    "a value with a tab behind": get((b"x", b"a\t")),
    "a method with a space": changed(GET, method=b"G T"),
    "a method with a line": changed(GET, method=b"GET / HTTP/1.1\r\n"),
    "an empty method": changed(GET, method=b""),
    "a scheme that is none": changed(GET, scheme=b"http://x"),
    "a length that is none": get((b"content-length", b"x")),
    "a negative length": get((b"content-length", b"-1")),
    "a length with a sign": get((b"content-length", b"+0")),
    "two lengths": get((b"content-length", b"0"), (b"content-length", b"0")),
    "a list of lengths": get((b"content-length", b"0, 0")),
    "a huge length": get((b"content-length", b"9" * 30)),
    "a length and no body": get((b"content-length", b"5")),
    "nothing": [],
}


@pytest.mark.parametrize("head", RESET.values(), ids=RESET)
def test_a_malformed_head_is_reset_and_no_application_called(
    attack: Attack, caplog: pytest.LogCaptureFixture, head: list[Field]
) -> None:
    attacker = attack()
    sibling = attacker.ask(POST, end=False)
    assert attacker.ask(head) in attacker.resets
    assert len(attacker.open.exchanges) == 1
    assert set(attacker.resets.values()) == {PROTOCOL_ERROR}
    assert caplog.messages == ["Refused a request from 192.0.2.1:50000: 400 malformed head"]
    assert spared(attacker, sibling)


ANSWERED = {
    "a fragment": (changed(GET, path=b"/#a"), 400),
    "a host that is not the authority": (get((b"host", b"b.example")), 400),
    "an unknown scheme": (changed(GET, scheme=b"ftp"), 400),
    "a WebSocket by an unknown scheme, on a path without its slash": (
        [*changed(GET, method=b"CONNECT", scheme=b"ws", path=b"a"), (b":protocol", b"websocket")],
        400,
    ),
    "an unknown expectation": (get((b"expect", b"200-maybe")), 417),
    "a CONNECT to elsewhere": ([(b":method", b"CONNECT"), GET[2]], 501),
    "a CONNECT of an unknown protocol": (
        [*changed(GET, method=b"CONNECT"), (b":protocol", b"connect-udp")],
        501,
    ),
    "a long target": (changed(GET, path=b"/" + b"x" * 40_000), 414),
    "a large head": (get(*[(b"x", b"y" * 8000)] * 9), 431),
    "many fields": (get(*[(b"x", b"y")] * 300), 431),
    "many crumbs of a cookie": (get(*[(b"cookie", b"")] * 300), 431),
}


@pytest.mark.parametrize(("head", "status"), ANSWERED.values(), ids=ANSWERED)
def test_a_head_that_cannot_be_served_is_answered(
    attack: Attack, head: list[Field], status: int
) -> None:
    attacker = attack()
    sibling = attacker.ask(POST, end=False)
    stream = attacker.next()
    attacker.send(continued(stream, packed(head)))
    assert len(attacker.open.exchanges) == 1
    assert attacker.statuses == {stream: status}
    assert attacker.complete(stream)
    assert spared(attacker, sibling)


def test_a_path_beyond_ascii_is_one_as_in_http1(attack: Attack) -> None:
    attacker = attack(ended=answer)
    stream = attacker.ask(changed(GET, path=b"/\xff\xe4"))
    assert attacker.targets == [r"/\xff\xe4"]
    assert attacker.statuses == {stream: 200}


def test_a_host_beside_the_same_authority_comes_once(attack: Attack) -> None:
    attacker = attack()
    attacker.ask(get((b"host", b"a.example"), (b"x", b"y")))
    assert attacker.open.last.request.headers == [(b"host", b"a.example"), (b"x", b"y")]


# --- Bombs ----------------------------------------------------------------------------------


def fed(attacker: Attacker, *segments: bytes) -> int:
    """Send; the most that Python has had in memory at once meanwhile, beside what was there."""
    tracemalloc.start()
    attacker.send(*segments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_bomb_by_size_is_answered_431_up_to_a_point(attack: Attack) -> None:
    attacker = attack()
    entry = indexed([(b"x", b"y" * 3900)])
    assert fed(attacker, headers(attacker.next(), packed(GET) + entry + AT_62 * 20)) < MIB
    assert attacker.statuses == {1: 431}
    assert attacker.open.exchanges == []
    assert fed(attacker, headers(attacker.next(), packed(GET) + AT_62 * 16000)) < MIB
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_so_is_a_bomb_by_count(attack: Attack) -> None:
    attacker = attack()
    entry = indexed([(b"x", b"")])
    assert fed(attacker, headers(attacker.next(), packed(GET) + entry + AT_62 * 400)) < MIB
    assert attacker.statuses == {1: 431}
    small = AT_62 * 900
    assert 33 * len(small) < attacker.limits.head_size
    assert fed(attacker, headers(attacker.next(), packed(GET) + small)) < MIB
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_one_entry_that_all_streams_refer_to_is_bounded_by_all_heads_together(
    attack: Attack, caplog: pytest.LogCaptureFixture
) -> None:
    attacker = attack(http2_heads=MIB)
    entry = indexed([(b"x", b"y" * 3900)])
    attacker.send(headers(attacker.next(), packed(GET) + entry))
    segments = [headers(attacker.next(), packed(GET) + AT_62 * 15) for _ in range(99)]
    assert sum(map(len, segments)) < 10_000
    assert fed(attacker, *segments) < 2 * MIB
    sizes = [sum(map(len, sum(request.headers, ()))) for request in attacker.open.requests]
    assert sum(sizes) < MIB
    refused = 100 - len(sizes)
    assert refused > 50
    assert list(attacker.resets.values()) == [REFUSED_STREAM] * refused
    assert len(caplog.messages) == 20
    for exchange in attacker.open.exchanges:
        exchange.answer(b"ok")
    assert attacker.is_answered() is False
    assert attacker.open.last.request.target == "/"


def test_crumbs_of_a_cookie_are_counted_each(attack: Attack) -> None:
    attacker = attack()
    crumb = indexed([(b"cookie", b"a=b")])
    block = packed(GET) + crumb + AT_62 * 200
    attacker.send(headers(attacker.next(), block))
    [request] = attacker.open.requests
    assert request.headers[1:] == [(b"cookie", b"; ".join([b"a=b"] * 201))]
    assert fed(attacker, headers(attacker.next(), packed(GET) + AT_62 * 15000)) < MIB
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


NUMBERS = {
    "an index": b"\xff",
    "a length": b"\x00\x7f",
    "a table's size": b"\x3f",
}


@pytest.mark.parametrize("start", NUMBERS.values(), ids=NUMBERS)
def test_a_number_without_end_takes_no_time(attack: Attack, start: bytes) -> None:
    attacker = attack()
    before = time.process_time()
    attacker.send(continued(attacker.next(), start + b"\xff" * 65536))
    assert time.process_time() - before < 0.5
    assert attacker.is_ended_for(COMPRESSION_ERROR)


def test_a_field_that_is_a_head_too_large_by_itself_ends_the_connection(attack: Attack) -> None:
    attacker = attack()
    attacker.send(continued(attacker.next(), packed(get((b"x", b"y" * 70_000)))))
    assert attacker.is_ended_for(COMPRESSION_ERROR)


@pytest.mark.parametrize("block", [b"\x80", b"\xfe", b"\x3f\xff\xff\x7f", b"\x00\x05abc"])
def test_what_is_no_hpack_ends_the_connection(attack: Attack, block: bytes) -> None:
    attacker = attack()
    attacker.send(headers(attacker.next(), block))
    assert attacker.is_ended_for(COMPRESSION_ERROR)


# --- Blocks that do not end -----------------------------------------------------------------


@pytest.mark.parametrize("piece", [b"", packed([(b"x", b"y")])], ids=["empty", "fields"])
def test_a_block_of_many_frames_is_ended(attack: Attack, piece: bytes) -> None:
    attacker = attack()
    attacker.ask()
    stream = attacker.next()
    attacker.send(headers(stream, packed(GET), whole=False))
    for _ in range(50):
        attacker.send(continuation(stream, piece))
    assert len(attacker.wire.received) < 1024
    assert attacker.told() == 1
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_so_is_a_huge_one(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.next()
    attacker.send(headers(stream, packed(GET), whole=False))
    block = packed([(b"x", b"y" * 16000)])
    segments = [continuation(stream, block) for _ in range(1000)]
    assert fed(attacker, *segments) < MIB
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)


def test_a_block_of_a_few_frames_is_a_head(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.next()
    block = packed(get((b"x", b"y")))
    attacker.send(continued(stream, block, size=len(block) // 5))
    assert attacker.open.last.request.headers[1] == (b"x", b"y")


def test_a_block_that_stands_still_has_its_time(attack: Attack) -> None:
    attacker = attack(head_timeout=30)
    attacker.send(headers(attacker.next(), packed(GET), whole=False))
    attacker.wait(200)
    assert attacker.wire.eof


def test_a_continuation_of_nothing_ends_the_connection(attack: Attack) -> None:
    attacker = attack()
    attacker.send(frame(CONTINUATION, packed(GET), 4, 1))
    assert attacker.is_ended_for(PROTOCOL_ERROR)


def test_trailers_may_be_no_bomb_either(attack: Attack) -> None:
    attacker = attack()
    stream = attacker.ask(POST, end=False)
    entry = indexed([(b"x", b"y" * 3900)])
    assert fed(attacker, headers(stream, entry + AT_62 * 12000)) < MIB
    assert attacker.told() == 1
    assert attacker.is_ended_for(ENHANCE_YOUR_CALM)
