"""One configuration: everything that an operator can set, each written once.

An option is a field here, or, where it is a limit, in ``limits``, and nowhere else: the
table of ``options`` is made from both. This module must not know how a value is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from daphne_like.config_workers import WorkersConfig
from daphne_like.exchange import Field
from daphne_like.limits import Limits
from daphne_like.option_field import option
from daphne_like.places import admin_place
from daphne_like.values import header, level

LOG_FORMAT = "%(asctime)-15s %(levelname)-8s %(message)s"

FACTS = ("for", "port", "proto", "host", "prefix")
"""What proxy headers can say."""

GROUPS = (
    "Application", "Listening", "TLS", "HTTP", "HTTP/2", "Proxies", "WebSocket", "Workers",
    "Logging", "Health", "Limits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config(WorkersConfig):
    """Everything an operator can set, and nothing else."""

    application: str | None = None
    demo: bool = option(
        False, "--demo", group="Application", help="Serve the built-in demonstration."
    )
    factory: bool = option(
        False,
        "--factory",
        group="Application",
        help="The application's path names a function that returns it.",
    )
    interface: str = option(
        "auto",
        "--interface",
        group="Application",
        help="What the application speaks; auto finds it out, and takes for ASGI what is that and "
        "something else.",
        choices=("auto", "asgi3", "asgi2", "wsgi", "rsgi"),
    )
    app_dir: str = option(
        ".",
        "--app-dir",
        group="Application",
        help="The directory in which the application's module is looked for.",
    )
    lifespan: str = option(
        "auto",
        "--lifespan",
        group="Application",
        help="Run the application's startup and shutdown: where it can, always, or never.",
        choices=("auto", "on", "off"),
    )
    root_path: str = option(
        "",
        "--root-path",
        group="Application",
        help="The path that the application is mounted at (SCRIPT_NAME); not cut off the path.",
        empty=True,
    )
    loop: str = option(
        "auto",
        "--loop",
        group="Application",
        help="The event loop under the reactor; auto takes uvloop where it is installed.",
        choices=("auto", "uvloop", "asyncio"),
    )
    twisted_tls: bool = option(
        False,
        "--twisted-tls",
        group="Application",
        help="Load pyOpenSSL into the reactor, for an application that uses Twisted's startTLS.",
    )
    host: str | None = option(
        None, "-b", "--bind", "--host", group="Listening", help="The address to listen on."
    )
    port: int | None = option(
        None, "-p", "--port", group="Listening", help="The port to listen on; 0 for any.", type=int
    )
    unix_socket: str | None = option(
        None, "-u", "--unix-socket", "--uds", group="Listening", help="A Unix socket to listen on."
    )
    unix_mode: str = option(
        "666",
        "--unix-mode",
        group="Listening",
        help="Who may connect to --unix-socket, as an octal number: 660 for its user and group.",
    )
    reuse_port: bool = option(
        False,
        "--reuse-port",
        group="Listening",
        help="Let other processes that say so listen on the same --port: the kernel spreads "
        "connections (SO_REUSEPORT).",
    )
    file_descriptor: int | None = option(
        None,
        "--fd",
        group="Listening",
        help="An inherited socket to listen on, of any family.",
        type=int,
    )
    endpoints: tuple[str, ...] = option(
        (),
        "-e",
        "--endpoint",
        group="Listening",
        help="A Twisted endpoint string to listen on; may be given several times.",
    )
    server_name: str = option(
        "daphne-like",
        "-s",
        "--server-name",
        group="HTTP",
        help="The Server header; empty for none.",
        empty=True,
    )
    no_server_name: bool = option(
        False,
        "--no-server-name",
        "--no-server-header",
        group="HTTP",
        help="Send no Server header.",
    )
    no_date_header: bool = option(
        False, "--no-date-header", group="HTTP", help="Send no Date header."
    )
    headers: tuple[Field, ...] = option(
        (),
        "--header",
        group="HTTP",
        help="A header for every response, as 'name: value'; may be given several times.",
        type=header,
    )
    no_http2: bool = option(
        False, "--no-http2", group="HTTP/2", help="Speak HTTP/1 only, with and without TLS."
    )
    no_h2c: bool = option(
        False,
        "--no-h2c",
        group="HTTP/2",
        help="Speak HTTP/2 over TLS only: without it, a client may begin with it.",
    )
    proxy_headers: bool = option(
        False,
        "--proxy-headers",
        group="Proxies",
        help="Believe what trusted peers say about the client in X-Forwarded- headers.",
    )
    proxy_headers_host: str | None = option(
        None,
        "--proxy-headers-host",
        group="Proxies",
        help="The header that names the client's address; needs --proxy-headers.",
    )
    proxy_headers_port: str | None = option(
        None,
        "--proxy-headers-port",
        group="Proxies",
        help="The header that names the client's port; needs --proxy-headers.",
    )
    forwarded_allow_ips: str = option(
        "127.0.0.1,::1,unix",
        "--forwarded-allow-ips",
        group="Proxies",
        help="Peers that --proxy-headers trusts: addresses, networks, 'unix', or '*' for all.",
    )
    forwarded_style: str = option(
        "x-forwarded",
        "--forwarded-style",
        group="Proxies",
        help="The headers that the proxy sets: X-Forwarded-For and its kin, or Forwarded.",
        choices=("x-forwarded", "forwarded"),
    )
    forwarded_fields: str = option(
        "for,port,proto",
        "--forwarded-fields",
        group="Proxies",
        help="What the proxy says in them, of for, port, proto, host and prefix; a client's own "
        "headers of these would be believed if it did not.",
    )
    proxy_protocol: bool = option(
        False,
        "--proxy-protocol",
        group="Proxies",
        help="Require the PROXY protocol, version 1 or 2, of the peers it is allowed.",
    )
    proxy_protocol_allow_ips: str = option(
        "127.0.0.1,::1,unix",
        "--proxy-protocol-allow-ips",
        group="Proxies",
        help="Peers that --proxy-protocol trusts: addresses, networks, 'unix', or '*' for all.",
    )
    verbosity: int = option(
        1,
        "-v",
        "--verbosity",
        "--log-level",
        group="Logging",
        help="-2 or critical, -1 error, 0 warning, 1 info, 2 debug, 3 or trace: asyncio too.",
        type=level,
    )
    access_log: str | None = option(
        None,
        "--access-log",
        group="Logging",
        help="A file for access lines; - for standard output, which is the default from -v 1 on; "
        "logging for the logger daphne_like.access.",
    )
    no_access_log: bool = option(
        False, "--no-access-log", group="Logging", help="Write no access lines."
    )
    access_log_format: str = option(
        "daphne",
        "--access-log-format",
        "--access-logformat",
        group="Logging",
        help="What an access line says: daphne, common, combined, json, or atoms such as %(h)s.",
    )
    log_format: str = option(
        LOG_FORMAT, "--log-fmt", group="Logging", help="The format of log lines (logging module)."
    )
    log_config: str | None = option(
        None,
        "--log-config",
        group="Logging",
        help="A file that sets up logging, by its suffix .ini, .conf, .json or .toml.",
    )
    color: str = option(
        "auto",
        "--color",
        group="Logging",
        help="Colour the default formats; auto does on a terminal, and hears NO_COLOR.",
        choices=("auto", "always", "never"),
    )
    request_id: str | None = option(
        None,
        "--request-id",
        group="Logging",
        help="Give each request an id, in this header, both ways, and in logs: X-Request-ID.",
    )
    health_path: str | None = option(
        None,
        "--health-path",
        group="Health",
        help="The path that the server answers by itself: 200 while it serves. When it stops, "
        "nobody can connect any more; who is connected still gets 503.",
    )
    admin_bind: tuple[str, int | None] | None = option(
        None,
        "--admin-bind",
        group="Health",
        help="A place for /livez, /readyz, /metrics and /connections, and nothing else: host:port, "
        "[::1]:9000, or unix:/path, which is for this user alone.",
        type=admin_place,
    )
    ws_origins: tuple[str, ...] = option(
        (),
        "--ws-origins",
        group="WebSocket",
        help="Pages that may open WebSockets: https://example.org, https://*.example.org, or same "
        "for pages of the host that is asked; may be given several times. Without it, or with *, "
        "all may.",
    )
    ws_compression: str = option(
        "off",
        "--ws-compression",
        group="WebSocket",
        help="Compress messages where the client can (permessage-deflate). It costs time for each "
        "message and memory for each socket.",
        choices=("off", "on"),
    )
    ws_compression_window_bits: int = option(
        12,
        "--ws-compression-window-bits",
        group="WebSocket",
        help="The window in which repetitions are found, as a power of two: 9 to 15.",
        type=int,
    )
    ws_compression_memory_level: int = option(
        5,
        "--ws-compression-memory-level",
        group="WebSocket",
        help="What zlib may use beside the window: 1 to 9.",
        type=int,
    )
    ws_compression_no_takeover: bool = option(
        False,
        "--ws-compression-no-takeover",
        group="WebSocket",
        help="Compress each message by itself: larger, and no memory is kept in between.",
    )
    ws_close_code: int = option(
        1012,
        "--ws-close-code",
        group="WebSocket",
        help="What WebSockets are closed with when the server stops: 1012, service restart, or "
        "1001, going away.",
        type=int,
    )
    limits: Limits = field(default_factory=Limits)


def facts(config: Config) -> tuple[str, ...]:
    """What the proxy says: the words of ``--forwarded-fields``."""
    return tuple(word.strip().lower() for word in config.forwarded_fields.split(","))
