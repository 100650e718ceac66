"""From a configuration to the parts of a server: what each option makes.

This module must not know in what order the parts start and stop.
"""

from __future__ import annotations

import asyncio
import io
import logging
import random
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from daphne_like import health
from daphne_like.access import AccessFile, AccessLog, AccessLogger, AccessStream
from daphne_like.access_format import compiled, daphne_in_colour
from daphne_like.admission import admitted, admitted_sockets
from daphne_like.asgi.application import Application, ASGIApplication
from daphne_like.asgi.interfaces import adapted
from daphne_like.asgi.loading import load, look_in
from daphne_like.asgi.threads import Threads, ThreadSensitive
from daphne_like.asgi.wsgi import WSGI
from daphne_like.clock import LoopClock
from daphne_like.compression import Compression
from daphne_like.config import Config
from daphne_like.encryption import Encryption
from daphne_like.errors import ConfigError
from daphne_like.exchange import Address, Open, spelled
from daphne_like.limits import Limits
from daphne_like.logs import wants_colour
from daphne_like.origins import from_pages
from daphne_like.places import addresses, kind_of
from daphne_like.proxies import Proxies
from daphne_like.redirect import redirecting
from daphne_like.retirement import retiring
from daphne_like.transport import activation, endpoints
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.sockets import room_for_connections
from daphne_like.wire.negotiate import Negotiation
from daphne_like.wire.shared import DefaultFields, Shared, address_of

_logger = logging.getLogger("daphne_like.server")


class HTTPFactory(Factory):
    """Builds the connection for each client that comes."""

    noisy = False

    def __init__(self, shared: Shared, negotiation: Negotiation) -> None:
        self.shared = shared
        self._negotiation = negotiation
        self._flood = shared.flood(self._tell)

    @property
    def protocols(self) -> tuple[bytes, ...]:
        """What TLS may agree on, best first."""
        return self._negotiation.protocols

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """``None`` for a client that has as many connections as it may have."""
        return self.buildNegotiated(addr, None) if self.admits(addr) else None

    def admits(self, addr: IAddress | None) -> bool:
        """Whether the client may have one more connection."""
        most = self.shared.limits.client_connections
        if most and self._connections_of(address_of(addr)) >= most:
            if told := self._flood.count():
                self._tell(told)
            return False
        return True

    def buildNegotiated(self, addr: IAddress | None, name: bytes | None) -> Protocol:
        """The protocol of a client that was admitted; TLS has agreed on `name`, if on anything."""
        self.shared.accepted += 1
        # Twisted names its own class where any IProtocol will do.
        return cast(Protocol, self._negotiation.connection(name))

    def _tell(self, closed: int) -> None:
        most = self.shared.limits.client_connections
        _logger.warning("Closed %d connections of clients that have %d already", closed, most)

    def _connections_of(self, client: Address | None) -> int:
        return 0 if client is None else self.shared.clients[client[0]]


def negotiation_of(config: Config, shared: Shared, open: Open | None = None) -> Negotiation:
    """Which HTTP the connections of `shared` may speak, and what else they may `open`."""
    return Negotiation(shared, open, http2=not config.no_http2, in_the_clear=not config.no_h2c)


def application_of(config: Config) -> ASGIApplication:
    """The application that `config` names; raises :class:`DaphneLikeError`."""
    if config.demo:
        found = load("daphne_like.demo:application")
    else:
        look_in(config.app_dir)
        found = load(cast(str, config.application), factory=config.factory)
    application = adapted(*found, config.limits, config.interface)
    if isinstance(application, WSGI):
        application.multiprocess = config.workers is not None
    return application


async def rehearse(config: Config, reactor: Any) -> None:
    """Make what `config` asks for, and start nothing of it.

    Raises :class:`DaphneLikeError`, as a start would.
    """
    compiled(config.access_log_format)
    call, loop = application_of(config), asyncio.get_running_loop()
    application = asgi(config, call, loop)
    proxies = Proxies(config)
    shared = shared_for(config, application, proxies, retire=lambda: None)
    protocols = negotiation_of(config, shared).protocols
    preambles = proxies.preambles(shared)
    listening_on(config, reactor, *preambles, Encryption(config, shared, protocols))
    redirecting_on(config, reactor, preambles[1])


def shared_for(
    config: Config, application: Application, proxies: Proxies, retire: Callable[[], None]
) -> Shared:
    """What all connections of clients share, to serve `application`."""
    limits = config.limits
    room = replace(limits, connections=limits.connections or room_for_connections())
    clock = LoopClock(application.loop)
    shared = Shared(application.open, clock, room, default_fields(config))
    open = opened_by(config, application, shared, retire)
    shared.open = _behind_the_gate(open, config, proxies, shared)
    return shared


def redirected(config: Config, shared: Shared, proxies: Proxies, port: int | None) -> Negotiation:
    """Builds the connections that are redirected to https, on `port`, among all others."""
    open = redirecting(port, shared.refused)
    return negotiation_of(config, shared, _behind_the_gate(open, config, proxies, shared))


def _behind_the_gate(open: Open, config: Config, proxies: Proxies, shared: Shared) -> Open:
    """What every request passes, whatever it comes for."""
    open = proxies.before(open)
    if config.health_path is not None:
        open = health.checked(open, config.health_path, shared)
    return open


def opened_by(
    config: Config,
    application: Application,
    shared: Shared,
    retire: Callable[[], None],
    randint: Callable[[int, int], int] = random.randint,
) -> Open:
    """What a wire calls for each request: the application, behind what `config` puts before it.

    `retire` is called when the process has served as much as it may.
    """
    open: Open = application.open
    limits = config.limits
    if limits.max_requests:
        open = retiring(open, limits.max_requests + randint(0, limits.max_requests_jitter), retire)
    counted = shared.flood, shared.refusals
    if limits.concurrency:
        open = admitted(open, application.live, limits.concurrency, *counted)
    if limits.websockets_per_client:
        sockets = application.sockets
        open = admitted_sockets(open, sockets, limits.websockets_per_client, *counted)
    if config.ws_origins:
        open = from_pages(open, config.ws_origins, *counted)
    return open


def asgi(config: Config, call: ASGIApplication, loop: asyncio.AbstractEventLoop) -> Application:
    """The application `call`, run as `config` says."""
    # A loop's own time may stand still for a whole turn (uvloop): durations would be nothing.
    application = Application(
        call,
        config.limits,
        loop,
        root_path=config.root_path,
        now=time.perf_counter,
        compression=_compression(config),
        close_code=config.ws_close_code,
    )
    run(application, call, config)
    return application


def run(application: Application, call: ASGIApplication, config: Config) -> None:
    """Let `application` run `call` from now on, in the threads that `config` gives it.

    Raises :class:`ConfigError` for threads that `call` has no use for.
    """
    threads = call.threads if isinstance(call, WSGI) else None
    if config.limits.sync_threads:
        if threads is not None:
            raise ConfigError("--sync-threads is for ASGI: for WSGI it is --wsgi-threads.")
        threads = Threads(config.limits.sync_threads, "sync")
        call = ThreadSensitive(call, threads)
    application.call, application.threads = call, threads


def _compression(config: Config) -> Compression | None:
    if config.ws_compression == "off":
        return None
    import daphne_like.asgi.channel  # noqa: F401 - else with the first message, while all wait

    return Compression(
        config.ws_compression_window_bits,
        not config.ws_compression_no_takeover,
        config.ws_compression_memory_level,
        config.limits.websocket_compression_size,
    )


def access_log(config: Config) -> AccessLog | None:
    """Where access lines go, if anywhere; raises :class:`DaphneLikeError`."""
    path, line = config.access_log, compiled(config.access_log_format)
    if config.no_access_log or (path is None and config.verbosity < 1):
        return None
    if path == "logging":
        return AccessLogger(line)
    if path is not None and path != "-":
        return AccessFile(path, line)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Into a pipe too: who watches the log wants a line when it happens.
        sys.stdout.reconfigure(line_buffering=True)
    if config.access_log_format == "daphne" and wants_colour(config.color, sys.stdout):
        line = daphne_in_colour
    return AccessStream(sys.stdout, line)


def default_fields(config: Config) -> DefaultFields:
    """The header fields that every response gets; the operator's own replace ours."""
    given = {name for name, _ in config.headers}
    named = config.server_name and not config.no_server_name and b"server" not in given
    return DefaultFields(
        config.server_name.encode("latin-1") if named else None,
        not config.no_date_header and b"date" not in given,
        config.headers,
    )


def listening_on(
    config: Config,
    reactor: Any,
    of_everybody: Preambles,
    of_some: Preambles | None,
    encryption: Encryption,
) -> list[tuple[str, IStreamServerEndpoint]]:
    """The endpoints that `config` asks for, each with a name for messages.

    Preambles are required `of_everybody` behind ``haproxy:``, and elsewhere `of_some`, if so.
    """
    limits = config.limits
    asked = of_everybody, of_some, encryption.secured
    found = [
        (f"{text}#{index}" if index else text, endpoint)
        for text in config.endpoints
        for index, endpoint in enumerate(endpoints.from_string(reactor, text, limits, *asked))
    ]
    around: dict[str, Any] = {"preambles": of_some, "secured": encryption.of_options()}
    address = addresses(config)
    if address is not None:
        shared = config.reuse_port
        endpoint = endpoints.tcp(reactor, *address, limits, **around, shared=shared)
        found.append(("{}:{}".format(*address), endpoint))
    path, fileno = config.unix_socket, config.file_descriptor
    if path is not None:
        mode = int(config.unix_mode, 8)
        found.append((path, endpoints.unix(reactor, path, limits, mode=mode, **around)))
    if fileno is not None:
        endpoint = endpoints.inherited(reactor, fileno, limits, **around)
        found.append((f"descriptor {fileno}", endpoint))
    return found


def redirecting_on(
    config: Config, reactor: Any, preambles: Preambles | None
) -> list[tuple[str, IStreamServerEndpoint]]:
    """The endpoints that only redirect, each with a name for messages."""
    limits, shared = config.limits, config.reuse_port
    around: dict[str, Any] = {"preambles": preambles, "option": "--insecure-bind"}
    found: list[tuple[str, IStreamServerEndpoint]] = []
    for host, port in config.insecure_bind:
        endpoint = (
            endpoints.unix(reactor, host, limits, **around)
            if port is None
            else endpoints.tcp(reactor, host, port, limits, **around, shared=shared)
        )
        found.append((host if port is None else f"{host}:{port}", endpoint))
    return found


def take_sockets(config: Config) -> None:
    """Take what was passed for ``systemd:``, before the application can start another process.

    Raises :class:`StartupError` where it is for another process.
    """
    if "systemd" in map(kind_of, config.endpoints):
        activation.passed()


def is_encrypted(port: IListeningPort) -> bool:
    """Whether TLS is spoken on `port`; of Twisted's own nobody knows."""
    return getattr(port, "secure", False)


def https_port(config: Config, listening: Iterable[IListeningPort]) -> int | None:
    """The port on which clients find https, ``None`` where it is not ours to know."""
    if config.https_port is not None:
        return config.https_port
    ports = [getattr(port.getHost(), "port", None) for port in listening if is_encrypted(port)]
    return next(filter(None, ports), None)


_OURS_ALONE = 0o600


def admin_endpoint(address: Address, reactor: Any, limits: Limits) -> NativeEndpoint:
    """Where the admin listener listens."""
    (host, port), option = address, "--admin-bind"
    if port is None:
        return endpoints.unix(reactor, host, limits, mode=_OURS_ALONE, option=option)
    return endpoints.tcp(reactor, host, port, limits, option=option)


def describe(host: Any, *, secure: bool = False) -> str:
    """An address as an operator would type it."""
    name = getattr(host, "name", None)
    if name is not None:
        path = name.decode(errors="replace") if isinstance(name, bytes) else name
        path = path.replace("\0", "@")  # An abstract one, as unix(7) and systemd have them.
        return f"unix:{path}" + (" (https)" if secure else "")
    return f"{'https' if secure else 'http'}://{spelled(host.host, host.port)}"
