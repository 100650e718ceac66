"""The server as a Twisted service: assemble, start the application, listen, drain, stop.

``startService`` and ``stopService`` are what the command line, twistd, runserver and every
worker run. This module must not know any of them, nor install a reactor.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IPushProducer, IStreamServerEndpoint

from daphne_like.access import AccessLog
from daphne_like.actions import Actions, Tell
from daphne_like.asgi.application import Application, ASGIApplication, counted, settle
from daphne_like.asgi.lifespan import Lifespan
from daphne_like.assembly import (
    HTTPFactory,
    access_log,
    application_of,
    asgi,
    beside,
    describe,
    https_port,
    is_encrypted,
    listening_on,
    negotiation_of,
    redirecting_on,
    shared_for,
)
from daphne_like.config import Config
from daphne_like.encryption import Encryption
from daphne_like.errors import DaphneLikeError, StartupError
from daphne_like.health import Stage
from daphne_like.proxies import Proxies
from daphne_like.tally import Tally
from daphne_like.watchdog import Watchdog
from daphne_like.wire.shared import Shared

if TYPE_CHECKING:
    from daphne_like.admin import Admin

_logger = logging.getLogger("daphne_like.server")

_AT_ONCE = 0.1
"""Seconds in which a stop is over when nothing is in flight, and needs no explanation."""

_LAST_WORDS = 1.0
"""Seconds for what was written last to reach its client, and for a reset to be noticed."""


class ASGIService(Service):
    """One ASGI application, served as `config` says on `reactor` (an asyncio one).

    ``failed`` is called with the error, instead of serving, where the start fails; without
    it the error is logged and the reactor stopped. ``way_out`` is what the log adds where a
    stop has to wait: how an operator can have it at once. ``tell`` hears of every step, as Daphne's
    ``action_logger`` does.
    """

    name = "daphne-like"

    def __init__(
        self,
        config: Config,
        reactor: Any,
        *,
        application: ASGIApplication | None = None,
        failed: Callable[[DaphneLikeError], None] | None = None,
        way_out: str = "",
        tell: Tell | None = None,
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._given = application
        self._failed = failed or self._log_and_stop
        self._way_out = way_out
        self._tell = tell
        self._stage = Stage.STARTING
        self._ports: list[IListeningPort] = []
        self._crowds = Tally(time.monotonic)
        self._lifespan: Lifespan | None = None
        self._application: Application | None = None
        self._shared: Shared | None = None
        self._access_log: AccessLog | None = None
        self._watchdog: Watchdog | None = None
        self._admin: Admin | None = None
        self._encryption: Encryption | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    # --- Start ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Load the application, answer probes, start it, then listen.

        Raises :class:`DaphneLikeError` where something of it cannot be done.
        """
        config, limits = self._config, self._config.limits
        call = self._given or application_of(config)
        application = asgi(config, call, asyncio.get_running_loop())
        proxies = Proxies(config)
        shared = shared_for(config, application, proxies, self._retire)
        shared.crowded = self._crowded
        if limits.watchdog:
            self._watchdog = Watchdog(shared.clock, limits.watchdog)
        await self._administer(application, shared)
        lifespan = self._lifespan = Lifespan(call, limits, config.lifespan)
        await lifespan.startup()
        application.state = lifespan.state
        self._application = application
        self._observe(application)
        self._shared = shared
        if self._watchdog is not None:
            self._watchdog.start()
        negotiation = negotiation_of(config, shared)
        if not (config.no_http2 or negotiation.has_http2):
            _logger.info("HTTP/2 is off: pip install 'daphne-like[http2]' brings it")
        await self._listen(HTTPFactory(shared, negotiation), proxies)
        self._stage = Stage.READY

    async def _administer(self, application: Application, shared: Shared) -> None:
        address = self._config.admin_bind
        if address is None:
            return
        from daphne_like.admin import Admin  # Most do without, and without what it loads.

        sources = application, shared, self._watchdog
        self._admin = Admin(address, self._reactor, lambda: self._stage, *sources)
        await self._admin.listen()

    def _crowded(self, crowded: bool) -> None:
        """Let who comes wait in the kernel while there are too many connections."""
        if crowded and self._shared is not None and self._crowds.count():
            _logger.warning("%d connections: more have to wait", len(self._shared.connections))
        for port in self._ports:
            pausable = cast(IPushProducer, port)
            (pausable.pauseProducing if crowded else pausable.resumeProducing)()

    def _observe(self, application: Application) -> None:
        self._access_log = access_log(self._config)
        if self._access_log is not None:
            application.observers.append(self._access_log)
            application.beginnings.append(self._access_log.began)
        if self._tell is not None:
            actions = Actions(self._tell)
            application.observers.append(actions.ended)
            application.beginnings.append(actions.began)

    async def _listen(self, factory: HTTPFactory, proxies: Proxies) -> None:
        config, shared = self._config, factory.shared
        preambles = proxies.preambles(shared)
        encryption = self._encryption = Encryption(config, shared, factory.protocols)
        asked = *preambles, encryption
        listening = await self._bind(listening_on(config, self._reactor, *asked), factory)
        redirecting: list[IListeningPort] = []
        if config.insecure_bind:
            # Only now is it known on which port there is TLS.
            redirected = beside(config, shared, proxies, https_port(config, listening))
            factory = HTTPFactory(redirected, negotiation_of(config, redirected))
            endpoints = redirecting_on(config, self._reactor, preambles[1])
            redirecting = await self._bind(endpoints, factory)
        encryption.start()
        for port in listening:
            _logger.info("Listening on %s", describe(port.getHost(), secure=is_encrypted(port)))
        for port in redirecting:
            _logger.info("Redirecting to https from %s", describe(port.getHost()))
        for level, line in proxies.announced([port.getHost() for port in self._ports]):
            _logger.log(level, line)

    async def _bind(
        self, endpoints: Iterable[tuple[str, IStreamServerEndpoint]], factory: HTTPFactory
    ) -> list[IListeningPort]:
        """Listen on each."""
        loop, bound = asyncio.get_running_loop(), []
        for name, endpoint in endpoints:
            try:
                self._ports.append(await endpoint.listen(factory).asFuture(loop))
            except DaphneLikeError:
                raise
            except Exception as error:
                raise StartupError(f"Cannot listen on {name}: {error}.") from error
            bound.append(self._ports[-1])
        return bound

    # --- Stop -----------------------------------------------------------------------------

    async def stop(self) -> None:
        """Close the listeners, let requests finish, end the application's lifespan."""
        self._stage = Stage.DRAINING
        await self._stop_listening()
        if self._shared is not None and self._application is not None:
            await self._drain(self._shared, self._application)
        self._stage = Stage.STOPPED
        if self._lifespan is not None:
            await self._lifespan.shutdown()
        if self._application is not None:
            await self._application.close()
        if self._admin is not None:
            await self._admin.close()
        if self._watchdog is not None:
            self._watchdog.stop()

    async def _stop_listening(self) -> None:
        loop = asyncio.get_running_loop()
        ports, self._ports = self._ports, []
        stopping = [maybeDeferred(port.stopListening).asFuture(loop) for port in ports]
        for result in await asyncio.gather(*stopping, return_exceptions=True):
            if isinstance(result, Exception):
                _logger.error("A port did not close cleanly:", exc_info=result)

    async def _drain(self, shared: Shared, application: Application) -> None:
        """Wait until every response is with its client, and every application has ended."""
        loop, seconds = asyncio.get_running_loop(), self._config.limits.graceful_timeout
        end = loop.time() + seconds
        gone = loop.create_future()
        shared.drain(partial(settle, gone))
        await asyncio.wait([gone], timeout=min(seconds, _AT_ONCE))
        if loop.time() < end:
            self._say_what_is_waited_for(shared, application)
        await asyncio.wait([gone], timeout=end - loop.time())
        await application.drain(end - loop.time())
        # What an application has answered to its cancellation is on its way out.
        await asyncio.wait([gone], timeout=min(seconds, _LAST_WORDS))
        shared.abort()
        await asyncio.wait([gone], timeout=_LAST_WORDS)

    def _say_what_is_waited_for(self, shared: Shared, application: Application) -> None:
        sockets = [one for one in application.live if one.request.upgrade is not None]
        others = len(application.live) - len(sockets)
        if sockets and others:
            what = f"{counted(range(others), 'request')} and {counted(sockets, 'WebSocket')}"
        elif application.live:
            what = counted(application.live, "WebSocket" if sockets else "request")
        elif shared.connections:
            what = counted(shared.connections, "connection")
        else:
            return
        seconds = self._config.limits.graceful_timeout
        _logger.info("Stopping: waiting up to %g s for %s%s", seconds, what, self._way_out)

    def _retire(self) -> None:
        _logger.info("Stopping: as many requests as --limit-max-requests says have come")
        cast(Shared, self._shared).draining = True  # Every response from now on says so.
        self._reactor.callLater(0, self._reactor.stop)

    def force(self) -> None:
        """Wait for nothing any more: a second signal's meaning."""
        if self._lifespan is not None:
            self._lifespan.abandon()
        if self._application is not None:
            self._application.cancel()
        if self._shared is not None:
            self._shared.abort()
        if self._stopping is not None:
            self._stopping.cancel()

    def reopen_logs(self) -> None:
        """Go on with the access lines in a new file, where the old one was moved away."""
        if self._access_log is not None:
            self._access_log.reopen()

    def reload(self) -> None:
        """Read the files of certificates again: connections that there are go on."""
        if self._encryption is not None:
            self._encryption.reload()

    def _log_and_stop(self, error: DaphneLikeError) -> None:
        _logger.critical("%s", error)
        self._reactor.stop()

    # --- Twisted --------------------------------------------------------------------------

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callLater(0, self._start_soon)

    def _start_soon(self) -> None:
        if self.running:  # Otherwise it was stopped before it began.
            self._starting = asyncio.ensure_future(self._start_or_fail())

    async def _start_or_fail(self) -> None:
        try:
            await self.start()
        except DaphneLikeError as error:
            self._start_failed(error)
        except Exception as error:
            _logger.exception("The server did not start:")
            self._start_failed(StartupError(f"The server did not start: {error!r}."))

    def _start_failed(self, error: DaphneLikeError) -> None:
        self._stage = Stage.FAILED
        if self.running:  # Otherwise it is being stopped anyway.
            self._failed(error)

    def stopService(self) -> Deferred[None]:
        """Fires when everything is drained and the application has shut down."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._stopping = asyncio.ensure_future(self._stop_all())
        stopped: Deferred[None] = Deferred()
        self._stopping.add_done_callback(lambda _: stopped.callback(None))
        return stopped

    async def _stop_all(self) -> None:
        try:
            if self._starting is not None and not self._starting.done():
                self._starting.cancel()
                await asyncio.wait([self._starting])
            await self.stop()
        except Exception:
            _logger.exception("The server did not stop cleanly:")
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """What is left when a stop is over, or was cut short."""
        if self._encryption is not None:
            self._encryption.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._admin is not None:
            self._admin.abort()
        if self._access_log is not None:
            self._access_log.close()

    @property
    def ports(self) -> list[IListeningPort]:
        """What is listened on, in the order of the configuration; what only redirects is last."""
        return list(self._ports)
