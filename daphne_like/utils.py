"""Two functions that Daphne has made public under this name, for those who import them.

The server itself has others: ``asgi.loading`` and ``forwarded``. This module must not know who
calls it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Protocol


class Headers(Protocol):
    """What Twisted's ``Headers`` offers of itself."""

    def getAllRawHeaders(self) -> Iterable[tuple[bytes, list[bytes]]]:  # noqa: N802
        """Names, each with its values."""


HeaderMapping = Mapping[bytes, bytes | list[bytes]]


def import_by_path(path: str) -> Any:
    """What ``package.module:name.of.attribute`` names.

    Raises :class:`ImportError`, :class:`AttributeError`, or :class:`ValueError` without a colon.
    """
    module, attribute = path.split(":", 1)
    return attrgetter(attribute)(importlib.import_module(module))


def parse_x_forwarded_for(
    headers: Headers | HeaderMapping,
    address_header_name: str | None = "X-Forwarded-For",
    port_header_name: str | None = "X-Forwarded-Port",
    proto_header_name: str | None = "X-Forwarded-Proto",
    original_addr: list[Any] | None = None,
    original_scheme: str | None = None,
) -> tuple[list[Any] | None, str | None]:
    """The client's ``[host, port]`` and the scheme, as `headers` say, or else the original ones.

    It believes whoever has sent them and takes the left-most address, as Daphne does: only for
    requests that have passed a proxy which sets these headers anew.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers.getAllRawHeaders()
    said = {name.lower(): _first(value) for name, value in pairs}

    def value(name: str | None) -> str | None:
        return said.get(name.lower().encode()) if name else None

    address, port = value(address_header_name), value(port_header_name)
    if address is None:
        return original_addr, original_scheme
    host = address.partition(",")[0].strip()
    scheme = value(proto_header_name)
    return [host, _number(port)], original_scheme if scheme is None else scheme


def _first(value: bytes | list[bytes]) -> str:
    return (value[0] if isinstance(value, list) else value).decode()


def _number(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
