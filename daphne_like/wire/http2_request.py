"""HTTP/2 requests: the fields of a head, judged, and made a :class:`Request` (RFC 9113, 8.3).

The engine has held the head to the grammar: names are lower-case tokens, pseudo-header fields
stand in front and come once, fields of the connection are not there. What the fields say is
judged here and in ``headers``. This module must not know the connection or its engine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Fields, Request
from daphne_like.handshake import judge_handshake
from daphne_like.headers import Framing, host_of, judge_multiplexed
from daphne_like.limits import Limits
from daphne_like.wire.shared import METHODS

Head = tuple[tuple[bytes, bytes], ...]
"""All fields of a head as the engine gives them, those of the protocol in front."""

_FOR_EACH = 32
"""Bytes that a field counts beside its own (RFC 9113, section 6.5.2)."""

_REMEMBER_BELOW = 4096
_SHORT = 256
"""Bytes of what is remembered, of a head and of a target: a client decides how much it says."""


class _Targets(dict[bytes, tuple[bytes, bytes] | None]):
    """Targets, with their paths and queries; some are asked for all the time.

    A number of short ones are remembered, then forgotten; ``None`` for those that are not short,
    or not good.
    """

    def __missing__(self, target: bytes) -> tuple[bytes, bytes] | None:
        if len(target) > _SHORT:
            return None
        parts = _parts_of(target)
        if parts is not None:
            if len(self) >= 1024:
                self.clear()
            self[target] = parts
        return parts


TARGETS = _Targets()


def _parts_of(target: bytes) -> tuple[bytes, bytes] | None:
    """A target's path and query; it has no fragment (RFC 9110, section 7.1)."""
    if b"#" in target:
        return None
    path, _, query = target.partition(b"?")
    return path, query


class _Said(NamedTuple):
    """What a client has said of itself beside method and path, with what we made of it.

    It says the same with most of its requests, and in the same order.
    """

    fields_in_all: int
    at: int
    before: Head
    behind: Head
    fields: Fields
    host: bytes
    framing: Framing
    size: int


_NOTHING_SAID = _Said(0, 0, (), (), [], b"", Framing(0, True, False, None), 0)
"""No head has no fields."""


class HeadReader:
    """Makes requests of one connection's heads, one after the other.

    ``framing`` and ``size`` are those of the last one; its size is what it counts, decoded.
    """

    __slots__ = (
        "_client",
        "_limits",
        "_most",
        "_said",
        "_scheme",
        "_server",
        "_tls",
        "framing",
        "size",
    )

    def __init__(
        self,
        limits: Limits,
        client: Address | None,
        server: Address | None,
        scheme: str,
        tls: dict[str, Any] | None = None,
    ) -> None:
        self._limits = limits
        self._client = client
        self._server = server
        self._scheme = scheme
        self._tls = tls
        # What is remembered is within all limits, whatever short target it comes with.
        roomy = limits.line_size >= _SHORT
        self._most = min(_REMEMBER_BELOW, limits.head_size - 2 * _SHORT) if roomy else 0
        self._said = _NOTHING_SAID
        self.framing = _NOTHING_SAID.framing
        self.size = 0

    def request(self, head: Head) -> Request:
        """The request of `head`; raises :class:`RemoteFault` with the status to answer."""
        total, at, before, behind, fields, host, framing, size = self._said
        if len(head) == total and head[at + 1 :] == behind and head[1:at] == before:
            (first, method), (name, path) = head[0], head[at]
            known = METHODS.get(method)
            target = TARGETS[path]
            if target and known and name == b":path" and first == b":method":
                self.framing, self.size = framing, size + len(path) + len(method)
                return Request(
                    known,
                    *target,
                    fields.copy(),
                    "2",
                    self._scheme,
                    host,
                    self._client,
                    self._server,
                    self._tls,
                )
        return self._judged(head)

    def _judged(self, head: Head) -> Request:
        limits = self._limits
        pseudo = _pseudo_fields(head)
        rest = head[len(pseudo) :]
        size = sum(len(name) + len(value) for name, value in head) + _FOR_EACH * len(head)
        self.size = size
        if size > limits.head_size or len(rest) > limits.head_fields:
            raise RemoteFault(431, "the head is too large")
        method, path = pseudo[b":method"], pseudo.get(b":path", b"")
        fields, host = _with_one_host(rest, pseudo.get(b":authority"))
        framing = self.framing = judge_multiplexed(fields)
        if framing.length and 0 < limits.body_size < framing.length:
            raise RemoteFault(413, "the body is too large")
        # Of other schemes the engine does not know that a path begins with a slash. A plain
        # CONNECT has none.
        if pseudo.get(b":scheme", b"http") not in (b"http", b"https"):
            raise RemoteFault(400, "unknown scheme")
        if method == b"CONNECT":
            return self._upgrading(pseudo.get(b":protocol"), path, fields, host)
        least = size - len(path) - len(method)
        if head[0][0] == b":method" and least < self._most:
            at = list(pseudo).index(b":path")
            others = fields.copy(), host, framing, least
            self._said = _Said(len(head), at, head[1:at], head[at + 1 :], *others)
        return self._request(METHODS.get(method) or method.decode("ascii"), path, fields, host)

    def pushed(self, target: bytes, fields: Fields, authority: bytes) -> Head:
        """The head of a request that the client has not made: what it would have been."""
        scheme = self._scheme.encode("ascii")
        pseudo = (b":method", b"GET"), (b":scheme", scheme), (b":authority", authority)
        return (*pseudo, (b":path", target), *fields)

    def _upgrading(
        self, protocol: bytes | None, path: bytes, fields: Fields, host: bytes
    ) -> Request:
        """An extended CONNECT (RFC 8441): the way in which a WebSocket is asked for."""
        if protocol is None:
            raise RemoteFault(501, "no CONNECT here")
        if protocol.lower() != b"websocket":
            raise RemoteFault(501, "no such protocol")
        request = self._request("GET", path, fields, host, "websocket")
        judge_handshake(request)
        return request

    def _request(
        self, method: str, target: bytes, fields: Fields, host: bytes, upgrade: str | None = None
    ) -> Request:
        if len(target) > self._limits.line_size:
            raise RemoteFault(414, "the target is too long")
        parts = TARGETS[target] or _parts_of(target)
        if parts is None:
            raise RemoteFault(400, "malformed target")
        return Request(
            method,
            *parts,
            fields,
            "2",
            self._scheme,
            host,
            self._client,
            self._server,
            self._tls,
            upgrade,
        )


def _pseudo_fields(head: Head) -> dict[bytes, bytes]:
    """The fields of the protocol, in their order."""
    pseudo = {}
    for name, value in head:
        if not name.startswith(b":"):
            break
        pseudo[name] = value
    return pseudo


def _with_one_host(rest: Head, authority: bytes | None) -> tuple[Fields, bytes]:
    """The fields as HTTP/1 has them: one Host, in front, and one Cookie; and the host.

    A Host that differs from ``:authority`` is refused (RFC 9113, section 8.3.1), and crumbs of
    cookies are joined (section 8.2.3).
    """
    fields: Fields = []
    crumbs: list[bytes] = []
    said = set() if authority is None else {authority}
    for name, value in rest:
        if name == b"host":
            said.add(value)
        elif name == b"cookie":
            crumbs.append(value)
        else:
            fields.append((name, value))
    if len(said) != 1:
        raise RemoteFault(400, "no Host, or several")
    if crumbs:
        fields.append((b"cookie", b"; ".join(crumbs)))
    host = host_of(said.pop())
    return [(b"host", host), *fields], host
