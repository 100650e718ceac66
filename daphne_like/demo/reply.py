"""Response heads and whole responses of the demonstration.

Every response leaves through `start`, so none lacks the security headers. Must not know routes.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

# nothing may load, run or frame a response; only the page itself is allowed more
LOCKED = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


async def start(
    send: Send, status: int, content_type: bytes, *headers: Header, policy: bytes = LOCKED
) -> None:
    """Send `http.response.start` with `headers`, the security headers and the CSP `policy`.

    Raises whatever `send` raises: an `OSError` says that the client has left (ASGI spec,
    "Disconnected Client").
    """
    own = ((b"content-type", content_type), (b"content-security-policy", policy))
    fields = [*own, *headers, *SECURITY]
    await send({"type": "http.response.start", "status": status, "headers": fields})


async def respond(
    scope: Scope,
    send: Send,
    status: int,
    content_type: bytes,
    body: bytes,
    *headers: Header,
    policy: bytes = LOCKED,
) -> None:
    """Send a response with its `content-length`; to `HEAD` its head alone (RFC 9110, 9.3.2)."""
    length = (b"content-length", b"%d" % len(body))
    sent = b"" if scope["method"] == "HEAD" else body
    await start(send, status, content_type, length, *headers, policy=policy)
    await send({"type": "http.response.body", "body": sent})
