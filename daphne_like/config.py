"""One configuration: everything that an operator can set, each written once.

An option is a field here, or, where it is a limit, in ``limits``, and nowhere else: the
table of ``options`` is made from both. This module must not know how a value is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daphne_like.exchange import Address, Field
from daphne_like.limits import Limits
from daphne_like.places import admin_place, insecure_place
from daphne_like.values import header, level, requirement

LOG_FORMAT = "%(asctime)-15s %(levelname)-8s %(message)s"

FACTS = ("for", "port", "proto", "host", "prefix")
"""What proxy headers can say."""

GROUPS = (
    "Application", "Listening", "TLS", "HTTP", "HTTP/2", "Proxies", "WebSocket", "Logging",
    "Health", "Limits",
)  # fmt: skip


CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
"""Of TLS 1.2, those that HTTP/2 allows (RFC 9113, appendix A): forward secret, authenticated."""


def _option(default: Any, *flags: str, group: str, **more: Any) -> Any:
    """A field of :class:`Config` that is an option.

    ``help`` says what it sets; ``type`` parses its text (``str`` unless given); a ``bool``
    default makes it a switch, a tuple makes it repeatable; ``empty`` allows an empty text;
    a ``secret`` is not printed.
    """
    metadata = {"flags": flags, "group": group, **more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything an operator can set, and nothing else."""

    application: str | None = None
    demo: bool = _option(
        False, "--demo", group="Application", help="Serve the built-in demonstration."
    )
    factory: bool = _option(
        False,
        "--factory",
        group="Application",
        help="The application's path names a function that returns it.",
    )
    app_dir: str = _option(
        ".",
        "--app-dir",
        group="Application",
        help="The directory in which the application's module is looked for.",
    )
    lifespan: str = _option(
        "auto",
        "--lifespan",
        group="Application",
        help="Run the application's startup and shutdown: where it can, always, or never.",
        choices=("auto", "on", "off"),
    )
    root_path: str = _option(
        "",
        "--root-path",
        group="Application",
        help="The path that the application is mounted at (SCRIPT_NAME); not cut off the path.",
        empty=True,
    )
    loop: str = _option(
        "auto",
        "--loop",
        group="Application",
        help="The event loop under the reactor; auto takes uvloop where it is installed.",
        choices=("auto", "uvloop", "asyncio"),
    )
    twisted_tls: bool = _option(
        False,
        "--twisted-tls",
        group="Application",
        help="Load pyOpenSSL into the reactor, for an application that uses Twisted's startTLS.",
    )
    host: str | None = _option(
        None, "-b", "--bind", "--host", group="Listening", help="The address to listen on."
    )
    port: int | None = _option(
        None, "-p", "--port", group="Listening", help="The port to listen on; 0 for any.", type=int
    )
    unix_socket: str | None = _option(
        None, "-u", "--unix-socket", "--uds", group="Listening", help="A Unix socket to listen on."
    )
    file_descriptor: int | None = _option(
        None,
        "--fd",
        group="Listening",
        help="An inherited socket to listen on, of any family.",
        type=int,
    )
    endpoints: tuple[str, ...] = _option(
        (),
        "-e",
        "--endpoint",
        group="Listening",
        help="A Twisted endpoint string to listen on; may be given several times.",
    )
    ssl_certfile: str | None = _option(
        None,
        "--ssl-certfile",
        group="TLS",
        help="A certificate in PEM form, with those that vouch for it behind it (fullchain.pem): "
        "--bind, --unix-socket and --fd then speak https. Endpoint strings say so for themselves, "
        "by ssl: or tls:.",
    )
    ssl_keyfile: str | None = _option(
        None,
        "--ssl-keyfile",
        group="TLS",
        help="The certificate's private key; without it, it is looked for in --ssl-certfile.",
    )
    ssl_keyfile_password: str | None = _option(
        None,
        "--ssl-keyfile-password",
        group="TLS",
        help="What opens an encrypted key, of --ssl-sni and ssl: too. Every user of the machine "
        "sees command lines: give it by the environment, DAPHNE_LIKE_SSL_KEYFILE_PASSWORD.",
        secret=True,
    )
    ssl_sni: str | None = _option(
        None,
        "--ssl-sni",
        group="TLS",
        help="A directory of certificates, of which each client is shown that of the host it asks "
        "for: *.pem with the key inside, or NAME.crt or NAME.pem with NAME.key beside it. Others "
        "are shown --ssl-certfile, or the first.",
    )
    ssl_dev: bool = _option(
        False,
        "--ssl-dev",
        group="TLS",
        help="Serve https on this machine with a certificate that is made for it, and signed by "
        "nobody.",
    )
    ssl_cert_reqs: str = _option(
        "none",
        "--ssl-cert-reqs",
        group="TLS",
        help="Whether clients have to show a certificate; uvicorn's 0, 1 and 2 mean the same. "
        "ssl: and tls: hear this and what follows too.",
        type=requirement,
        choices=("none", "optional", "required"),
    )
    ssl_ca_certs: str | None = _option(
        None,
        "--ssl-ca-certs",
        group="TLS",
        help="The authorities that may vouch for clients: a file, or a directory by OpenSSL's "
        "hashes; needs --ssl-cert-reqs.",
    )
    ssl_min_version: str = _option(
        "1.2",
        "--ssl-min-version",
        group="TLS",
        help="The oldest version of TLS that is spoken.",
        choices=("1.2", "1.3"),
    )
    ssl_ciphers: str = _option(
        CIPHERS,
        "--ssl-ciphers",
        group="TLS",
        help="The ciphers of TLS 1.2, as OpenSSL writes them; those of 1.3 are all good.",
    )
    insecure_bind: tuple[Address, ...] = _option(
        (),
        "--insecure-bind",
        group="TLS",
        help="A place without TLS that redirects every request to https, and serves nothing else: "
        "host:port, [::1]:80, or unix:/path; may be given several times.",
        type=insecure_place,
    )
    https_port: int | None = _option(
        None,
        "--https-port",
        group="TLS",
        help="The port that --insecure-bind redirects to, where clients know https by another than "
        "the one that is listened on.",
        type=int,
    )
    server_name: str = _option(
        "daphne-like",
        "-s",
        "--server-name",
        group="HTTP",
        help="The Server header; empty for none.",
        empty=True,
    )
    no_server_name: bool = _option(
        False,
        "--no-server-name",
        "--no-server-header",
        group="HTTP",
        help="Send no Server header.",
    )
    no_date_header: bool = _option(
        False, "--no-date-header", group="HTTP", help="Send no Date header."
    )
    headers: tuple[Field, ...] = _option(
        (),
        "--header",
        group="HTTP",
        help="A header for every response, as 'name: value'; may be given several times.",
        type=header,
    )
    no_http2: bool = _option(
        False, "--no-http2", group="HTTP/2", help="Speak HTTP/1 only, with and without TLS."
    )
    no_h2c: bool = _option(
        False,
        "--no-h2c",
        group="HTTP/2",
        help="Speak HTTP/2 over TLS only: without it, a client may begin with it.",
    )
    proxy_headers: bool = _option(
        False,
        "--proxy-headers",
        group="Proxies",
        help="Believe what trusted peers say about the client in X-Forwarded- headers.",
    )
    proxy_headers_host: str | None = _option(
        None,
        "--proxy-headers-host",
        group="Proxies",
        help="The header that names the client's address; needs --proxy-headers.",
    )
    proxy_headers_port: str | None = _option(
        None,
        "--proxy-headers-port",
        group="Proxies",
        help="The header that names the client's port; needs --proxy-headers.",
    )
    forwarded_allow_ips: str = _option(
        "127.0.0.1,::1,unix",
        "--forwarded-allow-ips",
        group="Proxies",
        help="Peers that --proxy-headers trusts: addresses, networks, 'unix', or '*' for all.",
    )
    forwarded_style: str = _option(
        "x-forwarded",
        "--forwarded-style",
        group="Proxies",
        help="The headers that the proxy sets: X-Forwarded-For and its kin, or Forwarded.",
        choices=("x-forwarded", "forwarded"),
    )
    forwarded_fields: str = _option(
        "for,port,proto",
        "--forwarded-fields",
        group="Proxies",
        help="What the proxy says in them, of for, port, proto, host and prefix; a client's own "
        "headers of these would be believed if it did not.",
    )
    proxy_protocol: bool = _option(
        False,
        "--proxy-protocol",
        group="Proxies",
        help="Require the PROXY protocol, version 1 or 2, of the peers it is allowed.",
    )
    proxy_protocol_allow_ips: str = _option(
        "127.0.0.1,::1,unix",
        "--proxy-protocol-allow-ips",
        group="Proxies",
        help="Peers that --proxy-protocol trusts: addresses, networks, 'unix', or '*' for all.",
    )
    verbosity: int = _option(
        1,
        "-v",
        "--verbosity",
        "--log-level",
        group="Logging",
        help="-2 or critical, -1 error, 0 warning, 1 info, 2 debug, 3 or trace: asyncio too.",
        type=level,
    )
    access_log: str | None = _option(
        None,
        "--access-log",
        group="Logging",
        help="A file for access lines; - for standard output, which is the default from -v 1 on; "
        "logging for the logger daphne_like.access.",
    )
    no_access_log: bool = _option(
        False, "--no-access-log", group="Logging", help="Write no access lines."
    )
    access_log_format: str = _option(
        "daphne",
        "--access-log-format",
        "--access-logformat",
        group="Logging",
        help="What an access line says: daphne, common, combined, json, or atoms such as %(h)s.",
    )
    log_format: str = _option(
        LOG_FORMAT, "--log-fmt", group="Logging", help="The format of log lines (logging module)."
    )
    log_config: str | None = _option(
        None,
        "--log-config",
        group="Logging",
        help="A file that sets up logging, by its suffix .ini, .conf, .json or .toml.",
    )
    color: str = _option(
        "auto",
        "--color",
        group="Logging",
        help="Colour the default formats; auto does on a terminal, and hears NO_COLOR.",
        choices=("auto", "always", "never"),
    )
    request_id: str | None = _option(
        None,
        "--request-id",
        group="Logging",
        help="Give each request an id, in this header, both ways, and in logs: X-Request-ID.",
    )
    health_path: str | None = _option(
        None,
        "--health-path",
        group="Health",
        help="The path that the server answers by itself: 200 while it serves. When it stops, "
        "nobody can connect any more; who is connected still gets 503.",
    )
    admin_bind: tuple[str, int | None] | None = _option(
        None,
        "--admin-bind",
        group="Health",
        help="A place for /livez, /readyz, /metrics and /connections, and nothing else: host:port, "
        "[::1]:9000, or unix:/path, which is for this user alone.",
        type=admin_place,
    )
    ws_origins: tuple[str, ...] = _option(
        (),
        "--ws-origins",
        group="WebSocket",
        help="Pages that may open WebSockets: https://example.org, https://*.example.org, or same "
        "for pages of the host that is asked; may be given several times. Without it, or with *, "
        "all may.",
    )
    ws_compression: str = _option(
        "off",
        "--ws-compression",
        group="WebSocket",
        help="Compress messages where the client can (permessage-deflate). It costs time for each "
        "message and memory for each socket.",
        choices=("off", "on"),
    )
    ws_compression_window_bits: int = _option(
        12,
        "--ws-compression-window-bits",
        group="WebSocket",
        help="The window in which repetitions are found, as a power of two: 9 to 15.",
        type=int,
    )
    ws_compression_memory_level: int = _option(
        5,
        "--ws-compression-memory-level",
        group="WebSocket",
        help="What zlib may use beside the window: 1 to 9.",
        type=int,
    )
    ws_compression_no_takeover: bool = _option(
        False,
        "--ws-compression-no-takeover",
        group="WebSocket",
        help="Compress each message by itself: larger, and no memory is kept in between.",
    )
    ws_close_code: int = _option(
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
