"""Preambles of the PROXY protocol, good and with bytes changed: Twisted reads ours the same.

The other way round is no rule: Twisted takes any text for an address. Of an unknown protocol
it wants a space behind the word; haproxy's specification does not.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from daphne_like.transport.preamble import BadPreamble, preamble
from tests.differential.test_mutations import mutants, mutated, mutation

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PORTS = struct.pack(">HH", 11, 80)
IPV6 = [socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "::ffff:192.0.2.1")]
PATHS = b"/run/client".ljust(108, b"\0") + b"/run/proxy".ljust(108, b"\0")

PREAMBLES = {
    "version 1, IPv4": b"PROXY TCP4 192.0.2.1 198.51.100.2 11 80\r\n",
    "version 1, IPv6": b"PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 11 80\r\n",
    "version 1, unknown": b"PROXY UNKNOWN 192.0.2.1 192.0.2.2 11 80\r\n",
    "version 2, IPv4": SIGNATURE + b"\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02" + PORTS,
    "version 2, IPv6": SIGNATURE + b"\x21\x21\x00\x28" + b"".join(IPV6) + PORTS + b"\x04\x00\x01x",
    "version 2, Unix": SIGNATURE + b"\x21\x31\x00\xd8" + PATHS,
    "version 2, local": SIGNATURE + b"\x20\x11\x00\x0c" + bytes(12),
}
REST = b"GET / HTTP/1.1\r\n\r\n"

Reading = tuple[Any, Any, bytes]


def ours(data: bytes) -> Reading | None:
    """The two addresses and what follows; ``None`` for what we do not take for a preamble."""
    try:
        found = preamble(data)
    except BadPreamble:
        return None
    if found is None:
        return None
    names = (found.source, found.destination) if found.family is not None else (None, None)
    return (*map(comparable, names), data[found.size :])


def theirs(data: bytes) -> Reading:
    parser = V2Parser() if data.startswith(SIGNATURE) else V1Parser()
    info, rest = parser.feed(data)
    names = [
        address if address is None
        # Whatever stands behind a path's end is no part of it.
        else address.name.partition(b"\0")[0] if isinstance(address, UNIXAddress)
        else (address.host, address.port)
        for address in (info.source, info.destination)
    ]  # fmt: skip
    return (*map(comparable, names), rest)


def comparable(name: Any) -> Any:
    return (ip_address(name[0]), name[1]) if isinstance(name, tuple) else name


def expect_no_other_reading(data: bytes) -> None:
    reading = ours(data)
    if reading is not None and not data.startswith(b"PROXY UNKNOWN\r\n"):
        assert reading == theirs(data)


@pytest.mark.parametrize("name", PREAMBLES)
def test_a_good_preamble_means_the_same_to_both(name: str) -> None:
    data = PREAMBLES[name] + REST
    reading = ours(data)
    assert reading is not None
    assert reading == theirs(data)
    assert reading[2] == REST


@pytest.mark.parametrize("name", PREAMBLES)
def test_one_byte_of_many_kinds_at_every_place(name: str) -> None:
    for mutant in mutants(PREAMBLES[name]):
        expect_no_other_reading(mutant + REST)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(PREAMBLES)), st.lists(mutation, min_size=1, max_size=4))
def test_several_bytes_at_any_places(name: str, mutations: list[tuple[float, int, str]]) -> None:
    data = PREAMBLES[name]
    for place, byte, how in mutations:
        data = mutated(data, int(place * len(data)), byte, how)
    expect_no_other_reading(data + REST)
