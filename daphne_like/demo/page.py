"""The page: `page.html` with the scope of the request written into it, every value escaped.

The file holds all of its style and script inline; the content security policy allows exactly these
two, by hash. Must not know what the script does with the other routes.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from daphne_like.demo.description import describe
from daphne_like.demo.reply import Receive, Scope, Send, respond

TEMPLATE = files("daphne_like.demo").joinpath("page.html").read_text("utf-8")


def source_hash(element: str) -> str:
    """Return the hash of the template's one inline `element` (CSP Level 3, "hash-source")."""
    inline = TEMPLATE.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"'sha256-{b64encode(sha256(inline.encode()).digest()).decode()}'"


POLICY = "; ".join(
    (
        "default-src 'none'",
        f"script-src {source_hash('script')}",
        f"style-src {source_hash('style')}",
        "img-src data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
).encode()


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the page."""
    body = render(scope).encode()
    await respond(scope, send, 200, b"text/html; charset=utf-8", body, policy=POLICY)


def render(scope: Scope) -> str:
    """Return the template with its marks replaced.

    Escaped text holds no `<`, so nothing the client sent can be taken for a mark.
    """
    described = describe(scope)
    headers = described.pop("headers")
    return (
        hinting(scope)
        .replace("<!-- protocols -->", protocols(scope))
        .replace("<!-- scope -->", rows((name, markup(value)) for name, value in described.items()))
        .replace("<!-- headers -->", rows((name, code(value)) for name, value in headers))
    )


def hinting(scope: Scope) -> str:
    """Return the template, its commands for a certificate that nobody vouches for."""
    if "tls" not in scope.get("extensions", {}):
        return TEMPLATE
    return TEMPLATE.replace("<code>curl ", "<code>curl -k ").replace(
        "<code>python -m websockets ",
        "<code>SSL_CERT_FILE=~/.cache/daphne-like/development.pem python -m websockets ",
    )


def protocols(scope: Scope) -> str:
    """Return what was spoken to get here, from the browser to the application, as list items."""
    asgi, scheme = scope["asgi"]["version"], scope.get("scheme", "http")
    spoken = (f"HTTP/{scope['http_version']}", scheme, f"ASGI {asgi}")
    return "".join(f"<li>{escape(word)}</li>" for word in spoken)


def rows(items: Iterable[tuple[str, str]]) -> str:
    """Return names, yet to be escaped, and their markup as a description list."""
    groups = (f"<div><dt>{escape(name)}</dt><dd>{shown}</dd></div>" for name, shown in items)
    return f"<dl>{''.join(groups)}</dl>"


def markup(value: Any) -> str:
    """Return a JSON value as escaped HTML: an object as a list of its own, the rest as JSON."""
    if isinstance(value, dict) and value:
        return rows((name, markup(item)) for name, item in value.items())
    return code(json.dumps(value))


def code(text: str) -> str:
    """Return `text` as escaped HTML."""
    return f"<code>{escape(text)}</code>"
