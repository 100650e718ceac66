"""A scope put into plain JSON values, fit to be shown to the client that sent the request.

Must not know how it is shown: escaping is the business of whoever writes it out.
"""

import json
from typing import Any

from daphne_like.demo.reply import Receive, Scope, Send, respond

# a script in the page must not read what the browser hides from scripts
SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})


def describe(scope: Scope) -> dict[str, Any]:
    """Return `scope` in JSON values, in its own order, with the values of secret headers hidden."""
    described = {name: plain(value) for name, value in scope.items()}
    described["headers"] = [
        [name, hidden(value) if name in SECRET else value] for name, value in described["headers"]
    ]
    return described


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it: bytes as Latin-1 text, and what JSON lacks as `repr`."""
    match value:
        case bytes():
            return value.decode("latin-1")
        case dict():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case None | bool() | int() | float() | str():
            return value
    return repr(value)


def hidden(value: str) -> str:
    """Return what may be said of a secret header: its length in bytes."""
    return f"(hidden, {len(value)} bytes)"


async def scope_json(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the scope of this request as JSON."""
    body = json.dumps(describe(scope), indent=2).encode() + b"\n"
    await respond(scope, send, 200, b"application/json", body)
