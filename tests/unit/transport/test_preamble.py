"""The preamble of the PROXY protocol: both versions, whole and in parts, good and bad."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daphne_like.transport.preamble import BadPreamble, Preamble, preamble

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
IPV4 = bytes([192, 0, 2, 1, 127, 0, 0, 1]) + struct.pack(">HH", 11, 80)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack(">HH", 11, 80)
PATHS = b"/a".ljust(108, b"\0") + b"/b".ljust(108, b"\0")


def v2(block: bytes, family: int = 0x11, command: int = 0x21, length: int | None = None) -> bytes:
    size = len(block) if length is None else length
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", size) + block


GOOD: list[tuple[bytes, Any]] = [
    (
        b"PROXY TCP4 192.0.2.1 127.0.0.1 11 80\r\n",
        (socket.AF_INET, ("192.0.2.1", 11), ("127.0.0.1", 80)),
    ),
    (
        b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n",
        (socket.AF_INET6, ("2001:db8::1", 0), ("::1", 65535)),
    ),
    (b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n", ...),
    (b"PROXY UNKNOWN\r\n", (None, b"", b"")),
    (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", (None, b"", b"")),
    (b"PROXY UNKNOWN what\never\xff\r\n", (None, b"", b"")),
    (v2(IPV4), (socket.AF_INET, ("192.0.2.1", 11), ("127.0.0.1", 80))),
    (v2(IPV4, 0x12), (socket.AF_INET, ("192.0.2.1", 11), ("127.0.0.1", 80))),
    (v2(IPV4 + b"\x04\x00\x01x"), (socket.AF_INET, ("192.0.2.1", 11), ("127.0.0.1", 80))),
    (v2(IPV6, 0x21), (socket.AF_INET6, ("2001:db8::1", 11), ("2001:db8::1", 80))),
    (v2(PATHS, 0x31), (socket.AF_UNIX, b"/a", b"/b")),
    (v2(b"\0abstract".ljust(216, b"x"), 0x31), (socket.AF_UNIX, b"", b"x" * 108)),
    (v2(b"", 0x00), (None, b"", b"")),
    (v2(b"whatever", 0x00), (None, b"", b"")),
    (v2(IPV4, 0x10), (None, b"", b"")),
    (v2(IPV4, 0x01), (None, b"", b"")),
    (v2(b"", 0x00, 0x20), (None, b"", b"")),
    (v2(IPV4, 0x11, 0x20), (None, b"", b"")),
    (v2(b"", 0xFF, 0x20), (None, b"", b"")),
    (v2(b"x" * 4080, 0x00), (None, b"", b"")),
]


@pytest.mark.parametrize(("data", "told"), GOOD)
def test_a_whole_preamble_tells_the_addresses(data: bytes, told: Any) -> None:
    found = preamble(data)
    assert found is not None
    assert found.size == len(data)
    assert told in (..., found[1:])
    assert preamble(data + b"PROXY and so on\r\n") == found


@pytest.mark.parametrize("data", [data for data, _ in GOOD])
def test_a_part_of_a_preamble_may_become_one(data: bytes) -> None:
    assert [preamble(data[:end]) for end in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "is missing"),
        (b"G", "is missing"),
        (b"PROXX", "is missing"),
        (b"proxy TCP4", "is missing"),
        (b"\r\n\r\nG", "is missing"),
        (b"\n", "is missing"),
        (b"PROXY " + b"x" * 101, "has too long a line"),
        (b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n", "has too long a line"),
        (b"PROXY\tTCP4\r\n", "is missing"),
        (b"PROXY \r\n", "has a malformed line"),
        (b"PROXY TCP\r\n", "has a malformed line"),
        (b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", "has a malformed line"),
        (b"PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", "has a malformed line"),
        (b"PROXY UNKNOWNS\r\n", "has a malformed line"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", "has a malformed line"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", "has a malformed line"),
        (b"PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", "has a malformed line"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", "has a malformed line"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", "has a malformed port"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", "has a malformed port"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1 -1 1\r\n", "has a malformed port"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.1  1\r\n", "has a malformed port"),
        (b"PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP4 1.1.1.1 localhost 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP4 1.1.1.1 1.1.1.\xff 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP4 1.1.1.1\0 1.1.1.1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP6 fe80::1%lo ::1 1 1\r\n", "has a malformed address"),
        (b"PROXY TCP6 :1 ::1 1 1\r\n", "has a malformed address"),
        (v2(IPV4, command=0x11), "has an unknown version or command"),
        (v2(IPV4, command=0x31), "has an unknown version or command"),
        (v2(IPV4, command=0x22), "has an unknown version or command"),
        (v2(PATHS, 0x41), "has an unknown address family"),
        (v2(IPV4, 0x13), "has an unknown address family"),
        (v2(IPV4[:-1]), "has too few bytes of addresses"),
        (v2(b""), "has too few bytes of addresses"),
        (v2(IPV4, 0x21), "has too few bytes of addresses"),
        (v2(PATHS[:-1], 0x31), "has too few bytes of addresses"),
        (v2(b"", length=4081), "is larger than 4096 bytes"),
        (v2(b"", length=65535), "is larger than 4096 bytes"),
    ],
)
def test_what_can_be_no_preamble_is_known_at_once(data: bytes, reason: str) -> None:
    with pytest.raises(BadPreamble, match=f"^{reason}$"):
        preamble(data)


def begun(data: bytes) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=250).map(lambda rest: data + rest)


@given(
    st.one_of(
        st.binary(),
        begun(b"PROXY "),
        begun(b"PROXY TCP4 1.1.1.1 "),
        begun(SIGNATURE),
        begun(SIGNATURE + b"\x21\x11\0\x0c"),
    )
)
@example(b"")
def test_any_bytes_are_a_preamble_or_none_or_bad(data: bytes) -> None:
    with suppress(BadPreamble):
        found = preamble(data)
        if found is None:
            assert len(data) < 4096
        else:
            assert found.size <= len(data)
            assert preamble(data[: found.size]) == found


@given(
    st.ip_addresses(),
    st.integers(0, 65535),
    st.booleans(),
)
def test_every_address_is_read_as_it_was_written(address: Any, port: int, binary: bool) -> None:
    four = address.version == 4
    family = socket.AF_INET if four else socket.AF_INET6
    if binary:
        data = v2(address.packed * 2 + struct.pack(">HH", port, port), 0x11 if four else 0x21)
    else:
        data = f"PROXY TCP{address.version} {address} {address} {port} {port}\r\n".encode()
    name = socket.inet_ntop(family, address.packed), port
    assert preamble(data) == Preamble(len(data), family, name, name)
