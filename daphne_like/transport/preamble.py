"""The preamble of the PROXY protocol: on whose behalf a proxy connects.

haproxy's specification, versions 1 (a line of text) and 2 (binary). Bytes in, addresses
out; this module must not know a connection.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import NamedTuple

Name = tuple[str, int] | bytes
"""A host and its port, or the path of a Unix socket."""

MOST_BYTES = 4096
"""Of a whole preamble; all address blocks, and all extensions in use, are far smaller."""

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LINE = b"PROXY "
_LONGEST_LINE = 107
_FIXED = 16
"""Bytes of version 2 before its addresses."""

_UNIX = getattr(socket, "AF_UNIX", -1)
_PATH = 108
"""Bytes of a Unix socket's path."""

_FAMILIES = {b"TCP4": socket.AF_INET, b"TCP6": socket.AF_INET6}
_PORT = re.compile(rb"0|[1-9][0-9]{0,4}")


class BadPreamble(ValueError):
    """What came is no preamble; the message says what is wrong with it, for the log."""


class Preamble(NamedTuple):
    """A whole preamble: its size, and the addresses that it tells.

    `family` is the addresses', ``AF_INET`` for example; it is ``None`` where the proxy speaks
    for itself (a health check), or cannot say for whom: then there are none.
    """

    size: int
    family: int | None = None
    source: Name = b""
    destination: Name = b""


def preamble(data: bytes) -> Preamble | None:
    """The preamble that `data` begins with, or ``None`` while more of it has to come.

    Raises :class:`BadPreamble`, as early as can be known.
    """
    if data.startswith(_SIGNATURE):
        return _version_2(data)
    if data.startswith(_LINE):
        return _version_1(data)
    if not _SIGNATURE.startswith(data) and not _LINE.startswith(data):
        raise BadPreamble("is missing")
    return None


def _version_1(data: bytes) -> Preamble | None:
    """``PROXY TCP4 source destination port port``, or ``PROXY UNKNOWN`` and whatever."""
    end = data.find(b"\r\n", 0, _LONGEST_LINE)
    if end < 0:
        if len(data) >= _LONGEST_LINE:
            raise BadPreamble("has too long a line")
        return None
    kind, *words = data[len(_LINE) : end].split(b" ")
    if kind == b"UNKNOWN":
        return Preamble(end + 2)
    family = _FAMILIES.get(kind)
    if family is None or len(words) != 4:
        raise BadPreamble("has a malformed line")
    source, destination, *ports = words
    return Preamble(end + 2, family, *map(_name_1, [family] * 2, [source, destination], ports))


def _name_1(family: int, host: bytes, port: bytes) -> Name:
    if _PORT.fullmatch(port) is None or int(port) > 65535:
        raise BadPreamble("has a malformed port")
    try:
        packed = socket.inet_pton(family, host.decode("ascii"))
    except (OSError, ValueError):
        raise BadPreamble("has a malformed address") from None
    return socket.inet_ntop(family, packed), int(port)


def _version_2(data: bytes) -> Preamble | None:
    if len(data) < _FIXED:
        return None
    size = _FIXED + int.from_bytes(data[14:16], "big")
    if size > MOST_BYTES:
        raise BadPreamble(f"is larger than {MOST_BYTES} bytes")
    version, command = divmod(data[12], 16)
    family, kind = divmod(data[13], 16)
    if version != 2 or command > 1:
        raise BadPreamble("has an unknown version or command")
    if command and (family not in _READERS_2 or kind > 2):
        raise BadPreamble("has an unknown address family")
    if len(data) < size:
        return None
    return _READERS_2[family if command and kind else 0](size, data[_FIXED:size])


def _internet(family: int, length: int) -> Callable[[int, bytes], Preamble]:
    """A reader of two addresses of `length` bytes and their ports."""

    def read(size: int, block: bytes) -> Preamble:
        ends = 2 * length, 2 * length + 2, 2 * length + 4
        if len(block) < ends[-1]:
            raise BadPreamble("has too few bytes of addresses")
        hosts = [socket.inet_ntop(family, block[at : at + length]) for at in (0, length)]
        ports = [int.from_bytes(block[at : at + 2], "big") for at in ends[:2]]
        source, destination = zip(hosts, ports, strict=True)
        return Preamble(size, family, source, destination)

    return read


def _unix(size: int, block: bytes) -> Preamble:
    if len(block) < 2 * _PATH:
        raise BadPreamble("has too few bytes of addresses")
    paths = block[:_PATH], block[_PATH : 2 * _PATH]
    return Preamble(size, _UNIX, *(path.partition(b"\0")[0] for path in paths))


def _local(size: int, block: bytes) -> Preamble:
    """For the command ``LOCAL``, and for what the proxy cannot name."""
    return Preamble(size)


_READERS_2 = {
    0: _local,
    1: _internet(socket.AF_INET, 4),
    2: _internet(socket.AF_INET6, 16),
    3: _unix,
}
"""By address family. The extensions (TLV) that may follow the addresses are skipped."""
