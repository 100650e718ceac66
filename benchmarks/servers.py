"""The servers that are measured, one row each: one worker process, no access log.

Where a server offers a choice, the row has what cost least CPU time when the choices took turns:
h2corn's I/O on two threads rather than one, even on one core; uvicorn on httptools, since its
other fast parser costs far more for large answers. Granian's choices could not be told apart for
HTTP; for small WebSocket messages two threads cost less than one. Of uvicorn's three ways to
speak WebSocket, ``websockets-sansio`` costs least. Nobody compresses messages.
"""

from benchmarks.model import Server

SERVERS = (
    Server(
        "daphne-like",
        "ours",
        "daphne-like -b 127.0.0.1 -p {port} --no-access-log -v 0 --app-dir . {app}",
        ("daphne-like", "Twisted", "httptools", "uvloop"),
        ours=True,
    ),
    Server(
        "granian",
        "peers",
        "granian --host 127.0.0.1 --port {port} --interface asgi --loop uvloop --workers 1"
        " --runtime-mode st --http 1 {extra} --no-log {app}",
        ("granian", "uvloop"),
        http="--runtime-threads 1 --no-ws",
        websocket="--runtime-threads 2",
    ),
    Server(
        "h2corn",
        "peers",
        "h2corn --bind 127.0.0.1:{port} --loop uvloop --workers 1 --runtime-threads 2 {extra}"
        " --no-access-log {app}",
        ("h2corn", "uvloop"),
        websocket="--no-websocket-per-message-deflate",
    ),
    Server(
        "uvicorn",
        "peers",
        "uvicorn --host 127.0.0.1 --port {port} --loop uvloop --http httptools {extra}"
        " --no-access-log --log-level warning {app}",
        ("uvicorn", "httptools", "uvloop", "websockets"),
        http="--ws none",
        websocket="--ws websockets-sansio --ws-per-message-deflate false",
    ),
    Server(
        "gunicorn",
        "peers",
        "gunicorn --bind 127.0.0.1:{port} --worker-class asgi --asgi-loop uvloop"
        " --http-parser fast --workers 1 --no-control-socket --log-level warning {app}",
        ("gunicorn", "gunicorn_h1c", "uvloop"),
    ),
    Server(
        "hypercorn",
        "peers",
        "hypercorn --bind 127.0.0.1:{port} --worker-class uvloop --workers 1"
        " --log-level warning {app}",
        ("Hypercorn", "h11", "uvloop", "wsproto"),
    ),
    Server(
        "daphne",
        "peers",
        "daphne -b 127.0.0.1 -p {port} -v 0 --no-server-name {app}",
        ("daphne", "Twisted", "autobahn"),
    ),
)
