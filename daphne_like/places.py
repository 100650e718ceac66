"""Where to listen, as an operator writes it; from text to what is meant.

This module must not know how anything is listened on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from daphne_like.errors import ConfigError
from daphne_like.exchange import Address

if TYPE_CHECKING:
    from daphne_like.config import Config


def admin_place(text: str) -> Address:
    """What ``--admin-bind`` says; raises :class:`ConfigError`."""
    return place("--admin-bind", text)


def insecure_place(text: str) -> Address:
    """What ``--insecure-bind`` says; raises :class:`ConfigError`."""
    return place("--insecure-bind", text)


def place(option: str, text: str) -> Address:
    """A place to listen on from ``host:port``, ``[::1]:9000`` or ``unix:/path``.

    Raises :class:`ConfigError`, which names `option`, for anything else.
    """
    kind, _, path = text.partition(":")
    if kind == "unix" and path:
        return path, None
    found = re.fullmatch(r"(\[[^]]+\]|[^]\[:]+):(\d{1,5})", text)
    if found is None:
        raise ConfigError(f"{option} {text!r}: write it as host:port, [::1]:9000, or unix:/path.")
    if int(found[2]) > 65535:
        raise ConfigError(f"{option} {text!r}: {found[2]} is no port: those are from 0 to 65535.")
    return found[1], int(found[2])


OWN_KINDS = frozenset(("tcp", "tcp6", "unix", "fd", "systemd", "ssl", "tls"))
"""Kinds of endpoint strings that need nothing of Twisted's."""


def kind_of(endpoint: str) -> str:
    """What stands in front of an endpoint string, behind ``haproxy:`` or not."""
    return endpoint.lower().removeprefix("haproxy:").partition(":")[0]


def is_secure(endpoint: str) -> bool:
    """Whether an endpoint string is of a kind that speaks TLS."""
    return kind_of(endpoint) in ("ssl", "tls")


def addresses(config: Config) -> tuple[str, int] | None:
    """The TCP address to listen on, or ``None`` where only other ways were asked for.

    Daphne's rule: with nothing given both have their default, with one given the other has.
    """
    elsewhere = config.unix_socket or config.file_descriptor is not None or config.endpoints
    if config.host is None and config.port is None and elsewhere:
        return None
    return (
        "127.0.0.1" if config.host is None else config.host,
        8000 if config.port is None else config.port,
    )


def listens(config: Config) -> bool:
    """Whether options, not endpoint strings alone, say where to listen."""
    inherited = config.file_descriptor is not None
    return bool(addresses(config) or config.unix_socket) or inherited
