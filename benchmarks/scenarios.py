"""The scenarios that the servers are measured in, one row each."""

import json

from benchmarks.apps.contract import DOWNLOAD, GREETING, bearer_token, items_of
from benchmarks.measures import ECHOES, HANDSHAKES, LOAD, MEMORY, SOCKETS, START, STREAMS
from benchmarks.model import Answer, Echo, Request, Scenario, Wire

_USER = 7

# With Host, the fourteen headers of a browser's navigation to a site that it has a cookie of.
_BROWSER = (
    ("Connection", "keep-alive"),
    ("sec-ch-ua", '"Chromium";v="140", "Not=A?Brand";v="24"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/140.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.7"),
    ("Cookie", "sessionid=4c1f6a2b9e8d7c5a3f1e; csrftoken=Zk3vT9pLq2Xw7Rb5; theme=dark"),
)

_ITEMS = Answer(json.dumps(items_of(_USER), separators=(",", ":")).encode())
_UPLOAD = Request("POST", headers=(("Content-Type", "text/plain"),), body_size=64 * 1024)


def _streams(name: str, title: str, wire: Wire, app: str, body: bytes) -> Scenario:
    """Return a load of HTTP/2, as much as eight browsers that fetch sixteen things each."""
    return Scenario(name, title, app, STREAMS, Answer(body), connections=8, wire=wire, streams=16)


def _echo(
    name: str, message: str, echo: Echo, connections: int, *, summarised: bool = True
) -> Scenario:
    """Return a load of echoes, over as many connections as keep a server busy.

    Each has one message under way, so that no two messages reach the server in one segment.
    """
    return Scenario(
        name,
        f"WebSocket echo of {message}, {connections} connections",
        "apps.sockets:echo",
        ECHOES,
        Answer(GREETING),
        connections=connections,
        wire="websocket",
        echo=echo,
        summarised=summarised,
    )


SCENARIOS = (
    Scenario("small", "22-byte answer, 64 connections", "apps.plain:small", LOAD, Answer(GREETING)),
    Scenario(
        "single",
        "22-byte answer, 1 connection",
        "apps.plain:small",
        LOAD,
        Answer(GREETING),
        connections=1,
    ),
    Scenario(
        "browser",
        "22-byte answer, a browser's 14 headers",
        "apps.plain:small",
        LOAD,
        Answer(GREETING),
        Request(headers=_BROWSER),
    ),
    Scenario("large", "430 kB answer", "apps.plain:large", LOAD, Answer(DOWNLOAD)),
    Scenario(
        "echo",
        "64 KiB sent and echoed",
        "apps.plain:echo",
        LOAD,
        Answer(_UPLOAD.body),
        _UPLOAD,
    ),
    Scenario(
        "fastapi",
        "FastAPI: token, SQLite query, JSON",
        "apps.api:app",
        LOAD,
        _ITEMS,
        Request(path="/items", headers=(("Authorization", f"Bearer {bearer_token(_USER)}"),)),
    ),
    Scenario(
        "tls",
        "22-byte answer over TLS, 64 connections",
        "apps.plain:small",
        LOAD,
        Answer(GREETING),
        wire="https",
    ),
    Scenario(
        "handshake",
        "TLS handshake and 22-byte answer",
        "apps.plain:small",
        HANDSHAKES,
        Answer(GREETING),
        connections=8,
        wire="https",
    ),
    _streams("h2c-small", "22-byte answer, HTTP/2", "h2c", "apps.plain:small", GREETING),
    _streams("h2c-large", "430 kB answer, HTTP/2", "h2c", "apps.plain:large", DOWNLOAD),
    _streams("h2-small", "22-byte answer, HTTP/2 over TLS", "h2", "apps.plain:small", GREETING),
    _streams("h2-large", "430 kB answer, HTTP/2 over TLS", "h2", "apps.plain:large", DOWNLOAD),
    Scenario("memory", "Memory", "apps.plain:small", MEMORY, Answer(GREETING)),
    Scenario("start", "Start-up", "apps.plain:small", START, Answer(GREETING)),
    _echo("ws-text", "64 B text", Echo("text", 64), 16),
    _echo("ws-binary", "64 B binary", Echo("binary", 64), 16, summarised=False),
    _echo("ws-16k", "16 KiB text", Echo("text", 16 * 1024), 8, summarised=False),
    _echo("ws-1mb", "1 MB binary", Echo("binary", 1_000_000), 4, summarised=False),
    Scenario(
        "ws-idle",
        "5,000 idle WebSockets",
        "apps.sockets:echo",
        SOCKETS,
        Answer(GREETING),
        connections=5_000,
        wire="websocket",
        echo=Echo("text", 64),
    ),
)
