"""From options and endpoint strings to endpoints that listen.

Our own kinds (TCP, Unix, inherited descriptors, TLS) take the native transport, also behind
``haproxy:``; every other endpoint string works through Twisted. This module must not know
which protocol is served.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from twisted.internet.interfaces import (
    IStreamServerEndpoint,
)

from daphne_like.errors import ConfigError, StartupError
from daphne_like.limits import Limits
from daphne_like.transport import activation
from daphne_like.transport.certificates import Source
from daphne_like.transport.contexts import Pair, Words
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.sockets import (
    DOMAINS,
    inherited_listener,
    tcp_listener,
    unix_listener,
)
from daphne_like.transport.tls import Secured

UNIX_MODE = 0o666
"""Who may connect to a Unix socket: everybody who may reach its directory, as with Daphne."""


def tcp(  # noqa: PLR0913 - what may be said of a port
    reactor: Any,
    host: str,
    port: int,
    limits: Limits,
    backlog: int | None = None,
    preambles: Preambles | None = None,
    option: str = "--bind",
    secured: Secured | None = None,
    *,
    shared: bool = False,
) -> NativeEndpoint:
    """TCP over IPv4 or IPv6, with a port that may be `shared`; errors say `option`."""
    listen = partial(tcp_listener, host, port, option=option, shared=shared)
    return NativeEndpoint(reactor, listen, limits, backlog, preambles, secured)


def unix(
    reactor: Any,
    path: str,
    limits: Limits,
    mode: int = UNIX_MODE,
    backlog: int | None = None,
    preambles: Preambles | None = None,
    option: str = "--unix-socket",
    secured: Secured | None = None,
) -> NativeEndpoint:
    """A Unix socket of our own; errors say `option`."""
    listen = partial(unix_listener, path, mode, option=option)
    return NativeEndpoint(reactor, listen, limits, backlog, preambles, secured, path)


def inherited(
    reactor: Any,
    fileno: int,
    limits: Limits,
    preambles: Preambles | None = None,
    secured: Secured | None = None,
    domain: str | None = None,
    option: str = "--fd",
) -> NativeEndpoint:
    """A listening socket that somebody else has made, of `domain` if given; errors say `option`."""
    listen = partial(inherited_listener, fileno, domain=domain, option=option)
    return NativeEndpoint(reactor, listen, limits, preambles=preambles, secured=secured)


Secure = Callable[[Source, str | None], Secured]
"""Makes what secures a listener, of its certificates and its parameters for Diffie-Hellman."""


class Asked(NamedTuple):
    """What is asked of an endpoint beside its string."""

    preambles: Preambles | None
    secure: Secure


def from_string(
    reactor: Any,
    text: str,
    limits: Limits,
    of_everybody: Preambles,
    of_some: Preambles | None,
    secure: Secure,
) -> list[IStreamServerEndpoint]:
    """The endpoints of a string, ``tcp:8000:interface=127.0.0.1`` for example.

    There is one, but for ``systemd:``, to which several sockets may have been passed.
    Behind ``haproxy:`` the preambles are `of_everybody`, otherwise `of_some`, or none; ``ssl:``
    and ``tls:`` are made by `secure`. Raises :class:`ConfigError` for a string that names no
    endpoint, or none that can do so.
    """
    behind, rest = behind_proxy(text)
    asked = Asked(of_everybody if behind else of_some, secure)
    name, positional, named = parse(rest)
    make = _NATIVE.get(name.lower())
    try:
        if make is not None:
            given = _bound(make, name, reactor, limits, asked, *positional, **named)
            made: Any = make(*given.args, **given.kwargs)
            return made if isinstance(made, list) else [made]
        if asked.preambles and not behind:
            raise ValueError("--proxy-protocol needs haproxy: in front of it")
        return [_twisteds(reactor, text)]
    except Exception as error:
        reason = str(error).removesuffix(".")
        raise ConfigError(f"Bad endpoint {text!r}: {reason}.") from None


def _bound(
    make: Callable[..., Any], name: str, /, *positional: Any, **named: Any
) -> inspect.BoundArguments:
    """What `make` is called with; who says something else hears what `name` takes."""
    signature = inspect.signature(make)
    try:
        return signature.bind(*positional, **named)
    except TypeError as error:
        _, _, _, *ours = signature.parameters
        raise ValueError(f"{error}; {name}: takes {', '.join(ours)}") from None


def behind_proxy(text: str) -> tuple[bool, str]:
    """Whether an endpoint string begins with ``haproxy:``; and what follows it."""
    name, _, rest = text.partition(":")
    return (True, rest) if name.lower() == "haproxy" else (False, text)


def _twisteds(reactor: Any, text: str) -> IStreamServerEndpoint:
    # Twisted's endpoints load pyOpenSSL, 13 MB: only who asks for one of them pays.
    from twisted.internet.endpoints import serverFromString

    endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    return endpoint


# The arguments of the strings are these functions': so are their names and defaults, and
# what is missing or unknown is found where they are bound.

_OPTION = "--endpoint"


def _tcp_from(
    reactor: Any, limits: Limits, asked: Asked, port: str, interface: str = "", backlog: str = ""
) -> NativeEndpoint:
    return tcp(reactor, interface, _port(port), limits, _backlog(backlog), asked.preambles, _OPTION)


def _tcp6_from(
    reactor: Any, limits: Limits, asked: Asked, port: str, interface: str = "::", backlog: str = ""
) -> NativeEndpoint:
    return tcp(reactor, interface, _port(port), limits, _backlog(backlog), asked.preambles, _OPTION)


def _unix_from(
    reactor: Any,
    limits: Limits,
    asked: Asked,
    address: str,
    mode: str = f"{UNIX_MODE:o}",
    backlog: str = "",
    lockfile: str = "",
) -> NativeEndpoint:
    """``lockfile`` is Twisted's way to know a stale socket; we know it without."""
    return unix(
        reactor, address, limits, _number(mode, 8), _backlog(backlog), asked.preambles, _OPTION
    )


def _fd_from(
    reactor: Any, limits: Limits, asked: Asked, fileno: str, domain: str = ""
) -> NativeEndpoint:
    """``domain`` is what Daphne's has to be told; we see the socket's family."""
    return inherited(reactor, _number(fileno), limits, asked.preambles, option=_OPTION)


def _systemd_from(
    reactor: Any,
    limits: Limits,
    asked: Asked,
    domain: str | None = None,
    name: str | None = None,
    index: str | None = None,
) -> list[NativeEndpoint]:
    """All that were passed, those with `name`, or one. Who passes none is told when we listen."""
    if domain is not None and domain not in DOMAINS:
        raise ValueError(f"{domain} is no domain: those are {', '.join(DOMAINS)}")
    if name is not None and index is not None:
        raise ValueError("give name or index, not both")
    place = None if index is None else _number(index)
    if place is not None and place < 0:
        raise ValueError(f"{index} is no index: the first socket is 0")
    try:
        numbers = activation.chosen(name, place)
    except StartupError as error:
        return [NativeEndpoint(reactor, partial(_fail, error), limits)]
    of_unit = asked.preambles, None, domain, "the .socket unit"
    return [inherited(reactor, number, limits, *of_unit) for number in numbers]


def _fail(error: StartupError, backlog: int) -> NoReturn:
    raise error


def _ssl_from(  # noqa: PLR0913, PLR0917 - Twisted's arguments
    reactor: Any,
    limits: Limits,
    asked: Asked,
    port: str,
    privateKey: str = "server.pem",  # noqa: N803
    certKey: str | None = None,  # noqa: N803
    sslmethod: str | None = None,
    interface: str = "",
    backlog: str = "",
    extraCertChain: str | None = None,  # noqa: N803
    dhParameters: str | None = None,  # noqa: N803
) -> NativeEndpoint:
    if sslmethod is not None and sslmethod not in _METHODS:
        raise ValueError(f"sslmethod {sslmethod}: TLS 1.2 is the oldest there is; leave it out")
    chain = None if extraCertChain is None else Path(extraCertChain)
    pair = Pair(Path(certKey or privateKey), Path(privateKey), chain, _WORDS)
    preambles, secured = asked.preambles, asked.secure(Source(pair), dhParameters)
    bound = _port(port), limits, _backlog(backlog), preambles, _OPTION, secured
    return tcp(reactor, interface, *bound)


def _tls_from(
    reactor: Any,
    limits: Limits,
    asked: Asked,
    path: str,
    port: str = "443",
    backlog: str = "",
    interface: str = "::",
) -> NativeEndpoint:
    secured = asked.secure(Source(directory=Path(path), word="tls:"), None)
    bound = _port(port), limits, _backlog(backlog), asked.preambles, _OPTION, secured
    return tcp(reactor, interface, *bound)


_WORDS = Words("certKey", "privateKey", keyless="give privateKey")
_METHODS = frozenset(("TLS_METHOD", "TLS_SERVER_METHOD", "SSLv23_METHOD", "TLSv1_2_METHOD"))
"""Those of OpenSSL's names that allow TLS 1.2."""


def _port(text: str) -> int:
    port = _number(text)
    if not 0 <= port <= 65535:
        raise ValueError(f"{text} is no port: those are from 0 to 65535")
    return port


def _backlog(text: str) -> int | None:
    backlog = _number(text) if text else None
    if backlog is not None and not 0 <= backlog < 2**31:
        raise ValueError(f"{text} is no backlog: {2**31 - 1} at most")
    return backlog


def _number(text: str, base: int = 10) -> int:
    try:
        return int(text, base)
    except ValueError:
        raise ValueError(f"{text!r} is not a number to base {base}") from None


_NATIVE: dict[str, Callable[..., NativeEndpoint | list[NativeEndpoint]]] = {
    "tcp": _tcp_from,
    "tcp6": _tcp6_from,
    "unix": _unix_from,
    "fd": _fd_from,
    "systemd": _systemd_from,
    "ssl": _ssl_from,
    "tls": _tls_from,
}

_PART = re.compile(r"((?:\\.|[^:\\])*)(?::|\Z)", re.DOTALL)
_NAMED = re.compile(r"(\w+)=(.*)", re.DOTALL)


def parse(text: str) -> tuple[str, list[str], dict[str, str]]:
    r"""Split an endpoint string into its prefix, its positional and its named arguments.

    ``\`` escapes a colon, an equals sign or itself.
    """
    parts = [match[1] for match in _PART.finditer(text)]
    name, *rest = parts[:-1] if text and len(parts) > 1 and not parts[-1] else parts
    given: list[str] = []
    named: dict[str, str] = {}
    for part in rest:
        match = _NAMED.fullmatch(part)
        if match is None:
            given.append(_unescaped(part))
        else:
            named[match[1]] = _unescaped(match[2])
    return name, given, named


def _unescaped(part: str) -> str:
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)
