"""The servers that are measured, one row each: one worker process, no access log.

Ours has two: as pip installs it, and compiled.

Where a server offers a choice, the row has what cost least CPU time when the choices took turns:
h2corn's I/O on two threads rather than one, even on one core; uvicorn on httptools, since its
other fast parser costs far more for large answers. Granian's choices could not be told apart for
HTTP/1.1 in cleartext; over TLS, for HTTP/2 and for small WebSocket messages two threads cost less
than one. Of uvicorn's three ways to speak WebSocket, ``websockets-sansio`` costs least. Nobody
compresses messages.

Who is not measured on a wire has no row for it. Daphne speaks HTTP/2 over TLS alone. Uvicorn's
HTTP/2 is experimental, and takes such loads for a flood. Hypercorn gives
up an HTTP/2 connection after a thousand requests, with those that are under way, if not told else.
"""

from benchmarks.model import Server

_OURS = (
    "daphne-like -b 127.0.0.1 -p {port} {extra} --no-access-log -v 0 --app-dir . {app}",
    ("daphne-like", "Twisted", "httptools", "ngh2", "uvloop"),
    {
        "http": "",
        "websocket": "",
        "https": "--ssl-certfile {certificate} --ssl-keyfile {key}",
        "h2c": "",
        "h2": "--ssl-certfile {certificate} --ssl-keyfile {key}",
    },
)

_DAPHNE_TLS = "-e ssl:{port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"

SERVERS = (
    Server("daphne-like", "ours", *_OURS, ours=True),
    Server("daphne-like, compiled", "compiled", *_OURS, ours=True),
    Server(
        "granian",
        "peers",
        "granian --host 127.0.0.1 --port {port} --interface asgi --loop uvloop --workers 1"
        " --runtime-mode st {extra} --no-log {app}",
        ("granian", "uvloop"),
        {
            "http": "--http 1 --runtime-threads 1 --no-ws",
            "websocket": "--http 1 --runtime-threads 2",
            "https": "--http 1 --runtime-threads 2 --no-ws"
            " --ssl-certificate {certificate} --ssl-keyfile {key}",
            "h2c": "--http 2 --runtime-threads 2 --no-ws",
            "h2": "--http 2 --runtime-threads 2 --no-ws"
            " --ssl-certificate {certificate} --ssl-keyfile {key}",
        },
    ),
    Server(
        "h2corn",
        "peers",
        "h2corn --bind 127.0.0.1:{port} --loop uvloop --workers 1 --runtime-threads 2 {extra}"
        " --no-access-log {app}",
        ("h2corn", "uvloop"),
        {
            "http": "",
            "websocket": "--no-websocket-per-message-deflate",
            "https": "--certfile {certificate} --keyfile {key}",
            "h2c": "",
            "h2": "--certfile {certificate} --keyfile {key}",
        },
    ),
    Server(
        "uvicorn",
        "peers",
        "uvicorn --host 127.0.0.1 --port {port} --loop uvloop --http httptools {extra}"
        " --no-access-log --log-level warning {app}",
        ("uvicorn", "httptools", "uvloop", "websockets"),
        {
            "http": "--ws none",
            "websocket": "--ws websockets-sansio --ws-per-message-deflate false",
            "https": "--ws none --ssl-certfile {certificate} --ssl-keyfile {key}",
        },
    ),
    Server(
        "gunicorn",
        "peers",
        "gunicorn --bind 127.0.0.1:{port} --worker-class asgi --asgi-loop uvloop"
        " --http-parser fast --workers 1 {extra} --no-control-socket --log-level warning {app}",
        ("gunicorn", "gunicorn_h1c", "h2", "uvloop"),
        {
            "http": "",
            "websocket": "",
            "https": "--certfile {certificate} --keyfile {key}",
            # Whom it lets speak HTTP/2 in cleartext is whom it takes for a proxy.
            "h2c": "--http-protocols h2,h1 --http2-cleartext prior-knowledge",
            "h2": "--http-protocols h2,h1 --certfile {certificate} --keyfile {key}",
        },
    ),
    Server(
        "hypercorn",
        "peers",
        "hypercorn --bind 127.0.0.1:{port} --worker-class uvloop --workers 1 {extra}"
        " --log-level warning {app}",
        ("Hypercorn", "h11", "h2", "uvloop", "wsproto"),
        {
            "http": "",
            "websocket": "",
            "https": "--certfile {certificate} --keyfile {key}",
            "h2c": "--config apps/hypercorn.toml",
            "h2": "--config apps/hypercorn.toml --certfile {certificate} --keyfile {key}",
        },
    ),
    Server(
        "daphne",
        "peers",
        "daphne {extra} -v 0 --no-server-name {app}",
        ("daphne", "Twisted", "autobahn", "h2"),
        {
            "http": "-b 127.0.0.1 -p {port}",
            "websocket": "-b 127.0.0.1 -p {port}",
            "https": _DAPHNE_TLS,
            "h2": _DAPHNE_TLS,
        },
    ),
)
