"""``Server``: the service with a reactor of its own, under the names that Daphne has given it.

It makes a configuration of Daphne's keyword arguments and runs the service by it; it adds
nothing to how anything is served. It must not know the command line, nor Django.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from daphne_like import logs, process
from daphne_like.actions import Tell
from daphne_like.asgi.application import ASGIApplication
from daphne_like.config import Config
from daphne_like.errors import ConfigError, DaphneLikeError
from daphne_like.limits import MIB
from daphne_like.options import configure
from daphne_like.server import ASGIService

_logger = logging.getLogger("daphne_like.server")

_PROTO = "x-forwarded-proto"


@dataclass(eq=False, repr=False)
class Server:
    """Serves `application` on `endpoints`, Twisted endpoint strings, until it is stopped.

    The arguments are Daphne's, in its order and with its defaults, times in seconds and sizes
    in bytes; `options` has any other option by name, and wins. `closing` are the
    seconds that a stop leaves to what it cancels, `application_close_timeout` unless given. Leaves
    the process with status 1 where there are no endpoints.

    `request_buffer_size` is taken and not used: bodies are handed over as they come.
    Of `websocket_connect_timeout` and `websocket_handshake_timeout` the shorter one counts.
    """

    application: ASGIApplication
    endpoints: Sequence[object] | None = None
    signal_handlers: bool = True
    action_logger: Tell | None = None
    http_timeout: float | None = None
    request_buffer_size: int = 8192
    websocket_timeout: float = 86400
    websocket_connect_timeout: float = 20
    ping_interval: float = 20
    ping_timeout: float = 30
    root_path: str = ""
    proxy_forwarded_address_header: str | None = None
    proxy_forwarded_port_header: str | None = None
    proxy_forwarded_proto_header: str | None = None
    verbosity: int = 1
    websocket_handshake_timeout: float = 5
    websocket_max_message_size: int = MIB
    websocket_max_frame_size: int = MIB
    application_close_timeout: float = 10
    ready_callable: Callable[[], object] | None = None
    server_name: str = "daphne-like"
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    closing: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.endpoints = list(self.endpoints or ())
        self.listening_addresses: list[tuple[str, int]] = []
        self.abort_start = False
        self.failure: DaphneLikeError | None = None
        self._service: ASGIService | None = None
        self._reactor: Any = None
        if not self.endpoints:
            _logger.error("No endpoints: there is nothing to listen on.")
            raise SystemExit(1)

    def run(self) -> None:
        """Serve until a signal, :meth:`stop`, or the reactor's own stop; once in a process.

        `ready_callable` is called when everything listens. With `signal_handlers` it has to be
        the main thread. What keeps it from serving is logged, stays as `failure`, and is the
        cause of the :class:`SystemExit` that is raised, with status 1, 2 where the arguments
        cannot work, and 3 where the application cannot start.
        """
        try:
            if not self.abort_start:
                self._serve(configure(options_of(self)))
        except DaphneLikeError as error:
            self._fail(error)
        if self.failure is not None:
            raise SystemExit(getattr(self.failure, "exit_status", 1)) from self.failure

    def _serve(self, config: Config) -> None:
        if not callable(self.application):
            raise ConfigError(f"{self.application!r} is no application: it cannot be called.")
        reactor = process.install_reactor(tls=True)
        loop = process.loop_of(reactor)
        if reactor.running or loop.is_closed():
            raise ConfigError(
                "The reactor runs already, or has run: a process serves with one Server, once; "
                "start a process for each."
            )
        self._reactor = reactor
        asyncio.set_event_loop(loop)  # This may be another thread than the one that made it.
        loop.set_debug(self.verbosity >= 3 or loop.get_debug())
        logs.bridge_twisted_log()
        service = self._service = _Announced(self, config, reactor)
        way = service.startService, service.stopService
        if self.signal_handlers:
            process.run(reactor, *way, service.force, service.reopen_logs, service.reload)
        else:
            process.run_beside(reactor, *way)

    def stop(self) -> None:
        """Stop in order, from any thread; before :meth:`run`, let it do nothing."""
        if self._reactor is not None and self._reactor.running:
            process.stop_from_thread(self._reactor)
        else:
            self.abort_start = True

    def _give_up(self, error: DaphneLikeError) -> None:
        self._fail(error)
        self._reactor.stop()

    def _fail(self, error: DaphneLikeError) -> None:
        _logger.critical("%s", error)
        self.failure, self.abort_start = error, True

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Tell `action_logger`, if there is one, of a step of an exchange."""
        if self.action_logger:
            self.action_logger(protocol, action, details)

    @property
    def listeners(self) -> list[Any]:
        """What is listened on, ``IListeningPort`` each."""
        return [] if self._service is None else self._service.ports

    @property
    def connections(self) -> dict[Any, dict[str, Any]]:
        """The exchanges that the application has not ended yet, each with its task."""
        live = () if self._service is None else self._service.live
        return {one: {"application_instance": one.task} for one in live}


class _Announced(ASGIService):
    """The service of a :class:`Server`, which hears when everything listens."""

    def __init__(self, server: Server, config: Config, reactor: Any) -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            try:
                # Each time anew: agents that measure put a property in its place.
                await server.application(scope, receive, send)
            except KeyboardInterrupt:
                # It would end the event loop, and with it what others are in the middle of.
                server.stop()
                raise asyncio.CancelledError from None

        super().__init__(
            config,
            reactor,
            application=application,
            failed=server._give_up,
            tell=server.log_action,
        )
        self._server = server
        self.closing = server.closing

    async def start(self) -> None:
        server = self._server
        if server.abort_start:  # It was told to stop while the reactor was about to run.
            server.stop()
            return
        await super().start()
        hosts = [cast(Any, port.getHost()) for port in self.ports]
        server.listening_addresses += [(at.host, at.port) for at in hosts if hasattr(at, "port")]
        if server.ready_callable is not None:
            server.ready_callable()


def options_of(server: Server) -> dict[str, Any]:
    """The options that Daphne's keyword arguments stand for."""
    waits = server.websocket_connect_timeout, server.websocket_handshake_timeout
    return {
        "application": "given to Server",
        "no_access_log": True,
        "endpoints": tuple(map(str, server.endpoints or ())),
        "http_timeout": server.http_timeout or None,
        "websocket_connect_timeout": min((wait for wait in waits if wait > 0), default=0.0),
        "verbosity": max(0, min(server.verbosity, 3)),
        **{name: getattr(server, name) for name in _SAME},
        **_proxies(server),
        **server.options,
    }


_SAME = (
    "websocket_timeout",
    "ping_interval",
    "ping_timeout",
    "root_path",
    "websocket_max_message_size",
    "websocket_max_frame_size",
    "application_close_timeout",
    "server_name",
)
"""Arguments that are options of the same name and meaning."""


def _proxies(server: Server) -> dict[str, Any]:
    """Without a header for the address Daphne does not look at the others."""
    port, proto = server.proxy_forwarded_port_header, server.proxy_forwarded_proto_header
    if not server.proxy_forwarded_address_header:
        return {}
    if proto and proto.lower() != _PROTO:
        raise ConfigError(f"proxy_forwarded_proto_header {proto}: only X-Forwarded-Proto is read.")
    said = {"for": True, "port": port, "proto": proto}
    return {
        "proxy_headers": True,
        "proxy_headers_host": server.proxy_forwarded_address_header,
        "proxy_headers_port": port or None,
        "forwarded_fields": ",".join(fact for fact, header in said.items() if header),
    }
