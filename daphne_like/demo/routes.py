"""The application as tables: scope type to protocol, and path (and method) to handler.

Must not know what the handlers answer.
"""

from collections.abc import Awaitable, Callable

from daphne_like.demo.chat import chat
from daphne_like.demo.description import scope_json
from daphne_like.demo.events import events
from daphne_like.demo.page import page
from daphne_like.demo.reply import Receive, Scope, Send, respond
from daphne_like.demo.upload import upload

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TEXT = b"text/plain; charset=utf-8"


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection scope (ASGI 3).

    Raises `ValueError` for a scope type it does not speak (ASGI spec, "Applications").
    """
    protocol = PROTOCOLS.get(scope["type"])
    if protocol is None:
        raise ValueError(f"the demonstration does not speak {scope['type']!r}")
    await protocol(scope, receive, send)


async def http(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the request to its handler, or answer 404, or 405 with `Allow` (RFC 9110, 15.5.6)."""
    methods = ROUTES.get(local_path(scope))
    if methods is None:
        await respond(scope, send, 404, TEXT, b"Not Found\n")
    elif scope["method"] in methods:
        await methods[scope["method"]](scope, receive, send)
    else:
        allow = (b"allow", ", ".join(methods).encode())
        await respond(scope, send, 405, TEXT, b"Method Not Allowed\n", allow)


def local_path(scope: Scope) -> str:
    """Return the path below `root_path`, where the application is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


async def websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the socket to its handler, or refuse it.

    The server answers 403 to who is refused (ASGI spec, WebSocket, "Close - send event").
    """
    await SOCKETS.get(local_path(scope), refuse)(scope, receive, send)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Close the socket before it is accepted."""
    await receive()
    await send({"type": "websocket.close"})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Confirm startup and shutdown: there is nothing to prepare and nothing to put away."""
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


PROTOCOLS: dict[str, Application] = {"http": http, "websocket": websocket, "lifespan": lifespan}

ROUTES: dict[str, dict[str, Application]] = {
    "/": {"GET": page, "HEAD": page},
    "/scope": {"GET": scope_json, "HEAD": scope_json},
    "/events": {"GET": events, "HEAD": events},
    "/upload": {"POST": upload},
}

SOCKETS: dict[str, Application] = {"/chat": chat}
