"""To https: whoever comes in the clear is told to come again, over TLS.

It is an ``open`` that no application is behind. This module must not know who listens where, nor
how a response is spelt.
"""

from __future__ import annotations

import re
from typing import Protocol

from daphne_like.answers import answer
from daphne_like.errors import RemoteFault
from daphne_like.exchange import Address, Exchange, Open, Request, Stream
from daphne_like.targets import ascii_target

_BODY = b"308 Permanent Redirect\n"
_BODY_OF_NOBODY = b"400 Bad Request\n"
_GOES_WITHOUT_SAYING = 443
_HOST = re.compile(rb"\[[^]]*\]|[^:]*")
"""What comes before the port in an authority, which has been judged."""


class Refused(Protocol):
    """What hears of a request that cannot be answered; the wires' ``Shared`` has it."""

    def __call__(self, client: Address | None, fault: RemoteFault, *, left: bool) -> None: ...


def redirecting(port: int | None, refused: Refused) -> Open:
    """Make an ``open`` that answers 308 to every request: the same of the same host, by https.

    308 "does not allow changing the request method" (RFC 9110, section 15.4.9). `port` is https's,
    ``None`` where nobody knows better than 443. A request without a host is answered 400.
    """
    suffix = b"" if port in (None, _GOES_WITHOUT_SAYING) else b":%d" % port

    def open_redirected(request: Request, stream: Stream) -> Exchange:
        host = _HOST.match(request.authority)
        if host is None or not host[0]:
            refused(request.peer, RemoteFault(400, "no host to redirect to"), left=False)
            return answer(request, stream, 400, _BODY_OF_NOBODY)
        return answer(
            request, stream, 308, _BODY, (b"location", location(request, host[0] + suffix))
        )

    return open_redirected


def location(request: Request, authority: bytes) -> bytes:
    """Where the secure twin of `request` is.

    A target that is no path, that of ``OPTIONS *``, stands for the host as a whole.
    """
    scheme = b"https" if request.upgrade is None else b"wss"
    target = request.raw_target
    path = ascii_target(target) if target.startswith(b"/") else b""
    return b"%b://%b%b" % (scheme, authority, path)
