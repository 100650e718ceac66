"""What options must be, each for itself and beside others.

This module must not know how a value is given, nor the table of options.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import fields

from daphne_like.config import FACTS, Config, facts
from daphne_like.errors import ConfigError
from daphne_like.headers import is_free
from daphne_like.limits import Limits
from daphne_like.places import addresses, is_secure, listens
from daphne_like.values import LEVELS, sendable


def check(config: Config, flags: Mapping[str, str]) -> None:
    """Raise :class:`ConfigError`, one line that names the fix, for what cannot be meant.

    ``flags`` has what an operator calls each option.
    """
    _check_limits(config.limits, flags)
    if config.application is None and not config.demo:
        raise ConfigError("No application: give it as module:attribute, or try --demo.")
    if config.application is not None and config.demo:
        raise ConfigError("An application and --demo: give one of the two.")
    _check_host(config.host or "")
    _check_listening(config)
    if config.port is not None and not 0 <= config.port <= 65535:
        raise ConfigError(f"--port {config.port} is not between 0 and 65535.")
    if config.verbosity not in LEVELS.values():
        raise ConfigError(f"--verbosity {config.verbosity} is not between -2 and 3.")
    if config.root_path and not config.root_path.startswith("/"):
        path = config.root_path
        raise ConfigError(f"--root-path {path} has no slash in front: write /{path}.")
    if config.health_path is not None:
        _check_path("--health-path", config.health_path)
    sendable("--server-name", "server", config.server_name)
    if config.request_id is not None:
        _check_request_id(config.request_id)
    _check_proxies(config, flags)
    _check_tls(config, flags)
    _check_sockets(config)
    _check_redirects(config)


_ORIGIN = re.compile(r"\*|same|null|[a-z][a-z0-9+.-]*://(?:\*\.)?[^*/?#@\s]+", re.IGNORECASE)
_BOUNDS = {
    "ws_compression_window_bits": (9, 15),
    "ws_compression_memory_level": (1, 9),
}


def _check_sockets(config: Config) -> None:
    for origin in config.ws_origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(
                f"--ws-origins {origin!r}: write it as https://example.org, or same; "
                "give the option once for each."
            )
    for name, (least, most) in _BOUNDS.items():
        if not least <= getattr(config, name) <= most:
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} {getattr(config, name)} is not between {least} and {most}.")
    default = Config()
    for name in (*_BOUNDS, "ws_compression_no_takeover"):
        if config.ws_compression == "off" and getattr(config, name) != getattr(default, name):
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"--ws-compression on has to be passed for {flag}.")
    if config.ws_close_code not in (1001, 1012):
        raise ConfigError(f"--ws-close-code {config.ws_close_code} is none of 1001 and 1012.")


def _check_redirects(config: Config) -> None:
    port = config.https_port
    if port is not None and not 0 < port <= 65535:
        raise ConfigError(f"--https-port {port} is not between 1 and 65535.")
    if config.insecure_bind and port is None and not _speaks_tls(config):
        raise ConfigError(
            "--insecure-bind has no https to redirect to: give --ssl-certfile, or say where it is "
            "by --https-port."
        )


def _speaks_tls(config: Config) -> bool:
    """Whether any listener does."""
    given = config.ssl_certfile or config.ssl_sni or config.ssl_dev
    return any(map(is_secure, config.endpoints)) or (bool(given) and listens(config))


_NEEDS = {
    "proxy_headers_host": "proxy_headers",
    "proxy_headers_port": "proxy_headers",
    "forwarded_style": "proxy_headers",
    "forwarded_fields": "proxy_headers",
    "proxy_protocol_allow_ips": "proxy_protocol",
    "https_port": "insecure_bind",
    "unix_mode": "unix_socket",
}
"""Options that mean nothing without the switch that they stand with."""

_ENCRYPTED = re.compile(r"(?:haproxy:)?(?:ssl|tls):", re.IGNORECASE)
_OF_CLIENTS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_min_version", "ssl_ciphers")


def _check_tls(config: Config, flags: Mapping[str, str]) -> None:
    default = Config()
    own = config.ssl_certfile is not None or config.ssl_sni is not None
    if config.ssl_dev and own:
        other = flags["ssl_sni" if config.ssl_certfile is None else "ssl_certfile"]
        raise ConfigError(f"--ssl-dev brings a certificate: leave it out, or {other}.")
    if (config.ssl_dev or own) and not listens(config):
        raise ConfigError("TLS options are for --bind, --port, --unix-socket or --fd: give one.")
    strings = any(_ENCRYPTED.match(text) for text in config.endpoints)
    if not (config.ssl_dev or own or strings):
        for name in (*_OF_CLIENTS, "ssl_keyfile", "ssl_keyfile_password"):
            if getattr(config, name) != getattr(default, name):
                raise ConfigError(f"--ssl-certfile has to be passed for {flags[name]}.")
    if config.ssl_keyfile is not None and config.ssl_certfile is None:
        raise ConfigError("--ssl-certfile has to be passed for --ssl-keyfile.")
    if (config.ssl_cert_reqs != "none") != (config.ssl_ca_certs is not None):
        raise ConfigError("--ssl-cert-reqs and --ssl-ca-certs need each other: give both.")


_NAMED = {"proxy_headers_host": "for", "proxy_headers_port": "port"}
"""Options that name the header of a fact."""


def _check_proxies(config: Config, flags: Mapping[str, str]) -> None:
    default = Config()
    for name, switch in _NEEDS.items():
        if getattr(config, name) != getattr(default, name) and not getattr(config, switch):
            raise ConfigError(f"{flags[switch]} has to be passed for {flags[name]}.")
    said = facts(config)
    _check_facts(said, config.forwarded_style)
    for name, fact in _NAMED.items():
        given = getattr(config, name)
        if given is None:
            continue
        sendable(flags[name], given, "")
        if config.forwarded_style != "x-forwarded":
            raise ConfigError(f"{flags[name]} is for --forwarded-style x-forwarded only.")
        if fact not in said:
            raise ConfigError(f"{flags[name]} needs {fact!r} in --forwarded-fields.")


def _check_facts(said: tuple[str, ...], style: str) -> None:
    for fact in said:
        if fact not in FACTS:
            raise ConfigError(f"--forwarded-fields {fact!r} is none of {', '.join(FACTS)}.")
    if "port" in said and "for" not in said:
        raise ConfigError("--forwarded-fields 'port' needs 'for': it is the client's port.")
    if "prefix" in said and style == "forwarded":
        raise ConfigError("--forwarded-fields 'prefix': the header Forwarded does not say it.")


def _check_request_id(name: str) -> None:
    if not is_free(name.lower().encode()):
        raise ConfigError(f"--request-id {name!r} cannot be its header; try X-Request-ID.")


def _check_host(host: str) -> None:
    """An address has no port; an IPv6 address has more than one colon."""
    kind, _, path = host.partition(":")
    if kind == "unix":
        raise ConfigError(f"--bind {host}: a Unix socket has its own option, --unix-socket {path}.")
    with_port = re.fullmatch(r"(?:\[.*\]|[^:]*):(\d+)", host)
    if with_port:
        raise ConfigError(f"--bind {host}: the port has its own option, --port {with_port[1]}.")


def _check_listening(config: Config) -> None:
    if not re.fullmatch("0?[0-7]{3}", config.unix_mode):
        raise ConfigError(f"--unix-mode {config.unix_mode!r}: write it as chmod does, 660.")
    redirected = any(port is not None for _, port in config.insecure_bind)
    if config.reuse_port and not (addresses(config) or redirected):
        raise ConfigError("--reuse-port is for --bind and --port: give one of them.")


def _check_path(flag: str, path: str) -> None:
    """A path as it stands in a request line, so that it can be compared as it comes."""
    if not re.fullmatch(r"/[!\"$->@-~]*", path):
        raise ConfigError(f"{flag} {path!r}: write a path as clients send it, /health for example.")


_OF_THE_KERNEL = ("unsent_budget", "backlog")
_KERNELS_MOST = 2**31 - 1
"""What a C ``int`` holds, in which the kernel is told a limit."""


_RECORD_AND_MORE = 17 * 1024
"""Bytes of a record of TLS at the most, with what is around it."""


def _check_limits(limits: Limits, flags: Mapping[str, str]) -> None:
    for item in fields(limits):
        name, flag, value = item.name, flags[item.name], getattr(limits, item.name)
        unlimited = name == "websocket_timeout" and value == -1
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{flag} {value} is not a number of seconds.")
        if value is not None and value < 0 and not unlimited:
            raise ConfigError(f"{flag} {value} is negative; give 0 or more.")
        if name in _OF_THE_KERNEL and value > _KERNELS_MOST:
            raise ConfigError(f"{flag} {value} is too much; {_KERNELS_MOST} at most.")
    if 0 < limits.tls_empty_size <= _RECORD_AND_MORE:
        size = limits.tls_empty_size
        raise ConfigError(f"--tls-empty-size {size} is less than a record: give 0, or 17409 up.")
    if not limits.wsgi_threads:
        raise ConfigError("--wsgi-threads 0: nothing could run; give 1 or more.")
    if limits.max_requests_jitter and not limits.max_requests:
        raise ConfigError("--limit-max-requests-jitter is nothing without --limit-max-requests.")
