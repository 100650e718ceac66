"""Twisted endpoint strings from a host, a port, a path and a descriptor, as Daphne spells them.

This module must not know how an endpoint listens: that is the transport's.
"""

from __future__ import annotations


def build_endpoint_description_strings(
    host: str | None = None,
    port: int | None = None,
    unix_socket: str | None = None,
    file_descriptor: int | None = None,
) -> list[str]:
    """The strings for what is given, in this order; raises :class:`ValueError`.

    A host needs a port and the other way round. The path of a Unix socket is taken as it is:
    for a colon in it write a backslash before the colon.
    """
    if bool(host) != (port is not None):
        raise ValueError("TCP binding requires both port and host kwargs.")
    strings = []
    if host and port is not None:
        interface = host.strip("[]").replace(":", r"\:")
        strings.append(f"tcp:port={int(port)}:interface={interface}")
    if unix_socket:
        strings.append(f"unix:{unix_socket}")
    if file_descriptor is not None:
        strings.append(f"fd:fileno={int(file_descriptor)}")
    return strings
