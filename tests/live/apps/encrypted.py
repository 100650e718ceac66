"""What an application is told of its connection, over HTTP and over WebSockets."""

from __future__ import annotations

import json
from typing import Any


async def told(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what its scope says of TLS, and what it offers."""
    offered, version = scope["extensions"], scope["http_version"]
    seen = {"scheme": scope["scheme"], "tls": offered.get("tls"), "http_version": version}
    shown = json.dumps(seen | {"offered": sorted(offered)})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": shown})
        await send({"type": "websocket.close"})
        return
    assert scope["type"] == "http"
    headers = [(b"content-length", b"%d" % len(shown))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": shown.encode()})
