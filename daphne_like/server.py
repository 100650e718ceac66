"""The server as a Twisted service: assemble, start the application, listen, drain, stop.

``startService`` and ``stopService`` are what the command line, twistd, runserver and every
worker run. This module must not know any of them, nor install a reactor.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort

from daphne_like.access import AccessLog
from daphne_like.actions import Actions, Tell
from daphne_like.asgi.application import Application, ASGIApplication, Live, counted, settle
from daphne_like.asgi.lifespan import Lifespan
from daphne_like.assembly import access_log, application_of, asgi, run, shared_for, take_sockets
from daphne_like.clock import LoopClock
from daphne_like.config import Config
from daphne_like.encryption import Encryption
from daphne_like.errors import DaphneLikeError, StartupError
from daphne_like.health import Stage
from daphne_like.listening import Listening
from daphne_like.notify import Notifier
from daphne_like.orders import ADMIN, Orders
from daphne_like.proxies import Proxies
from daphne_like.siblings import Siblings
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

_WRONG_LOOP = (
    "The event loop that runs was not the current one when the service was to bind: call "
    "asyncio.set_event_loop() where the reactor is installed."
)


class ASGIService(Service):
    """One ASGI application, served as `config` says on `reactor` (an asyncio one).

    ``failed`` is called with the error, instead of serving, where the start fails; without
    it the error is logged and the reactor stopped. ``way_out`` is what the log adds where a
    stop has to wait: how an operator can have it at once. ``tell`` hears of every step, as Daphne's
    ``action_logger`` does, and ``notifier`` of every stage, for a service manager. A worker does as
    its ``orders`` say.

    A service that was stopped may be started again: then the application's lifespan begins anew.
    """

    name = "daphne-like"
    closing: float | None = None
    """Seconds that a stop leaves to what it cancels; else ``--application-close-timeout``."""

    def __init__(
        self,
        config: Config,
        reactor: Any,
        *,
        application: ASGIApplication | None = None,
        failed: Callable[[DaphneLikeError], None] | None = None,
        way_out: str = "",
        tell: Tell | None = None,
        notifier: Notifier | None = None,
        orders: Orders | None = None,
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._given = application
        self._failed = failed or self._log_and_stop
        self._way_out = way_out
        self._tell = tell
        self._notifier = notifier or Notifier()
        self._orders = orders
        self._stage = Stage.STARTING
        self._crowds = Tally(time.monotonic)
        self._lifespan: Lifespan | None = None
        self._application: Application | None = None
        self._shared: Shared | None = None
        self._access_log: AccessLog | None = None
        self._watchdog: Watchdog | None = None
        self._admin: Admin | None = None
        self._listening: Listening | None = None
        self._made: tuple[Application, Shared, Listening] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    # --- Start ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Load the application, answer probes, start it, then listen.

        Raises :class:`DaphneLikeError` where something of it cannot be done.
        """
        config, loop = self._config, asyncio.get_running_loop()
        self._notifier.start(LoopClock(loop))
        self._enter(Stage.STARTING)
        call = self._given or application_of(config)
        made, self._made = self._made or self._make(loop), None
        application, shared, listening = made
        if application.loop is not loop:
            raise StartupError(_WRONG_LOOP)
        run(application, call, config)
        if self._admin is not None:
            await self._admin.listen()
        lifespan = self._lifespan = Lifespan(call, config.limits, config.lifespan)
        await lifespan.startup()
        application.state = lifespan.state
        self._application = application
        self._observe(application)
        self._shared = shared
        if self._watchdog is not None:
            self._watchdog.start()
        if not (config.no_http2 or listening.negotiation.has_http2):
            _logger.info("HTTP/2 is off: pip install 'daphne-like[http2]' brings it")
        await listening.listen()
        self._enter(Stage.READY)

    def _enter(self, stage: Stage, detail: str = "") -> None:
        self._stage = stage
        self._notifier.entered(stage, self._config.limits, detail)

    def _make(self, loop: asyncio.AbstractEventLoop) -> tuple[Application, Shared, Listening]:
        """Make what can be made before there is an application."""
        config, limits = self._config, self._config.limits
        take_sockets(config)
        application = asgi(config, self._given or _not_loaded, loop)
        proxies = Proxies(config)
        shared = shared_for(config, application, proxies, self._retire)
        shared.crowded = self._crowded
        if limits.watchdog:
            self._watchdog = Watchdog(shared.clock, limits.watchdog)
        listening = self._listening = Listening(config, self._reactor, shared, proxies)
        self._administer(application, shared, listening.encryption)
        if self._orders is not None:
            listening.share(self._orders)
        return application, shared, listening

    def _administer(self, application: Application, shared: Shared, tls: Encryption) -> None:
        address = self._config.admin_bind
        if address is None:
            return
        from daphne_like.admin import Admin  # Most do without, and without what it loads.
        from daphne_like.metrics import Requests, Sources

        measured = self._watchdog, tls.handshakes, tls.certificates
        more: dict[str, Any] = {"sources": Sources(Requests(), shared, application, *measured)}
        if self._orders is not None:
            siblings = Siblings(self._orders.directory, self._orders.number)
            more |= {"siblings": siblings, "socket": self._orders.sockets[ADMIN]}
        self._admin = Admin(address, self._reactor, lambda: self._stage, **more)

    def _crowded(self, crowded: bool) -> None:
        """Let who comes wait in the kernel while there are too many connections."""
        if crowded and self._shared is not None and self._crowds.count():
            _logger.warning("%d connections: more have to wait", len(self._shared.connections))
        if self._listening is not None:
            (self._listening.pause if crowded else self._listening.resume)()

    def _observe(self, application: Application) -> None:
        self._access_log = access_log(self._config)
        if self._access_log is not None:
            application.observers.append(self._access_log)
            application.beginnings.append(self._access_log.began)
        if self._tell is not None:
            actions = Actions(self._tell)
            application.observers.append(actions.ended)
            application.beginnings.append(actions.began)

    # --- Stop -----------------------------------------------------------------------------

    async def stop(self) -> None:
        """Close the listeners, let requests finish, end the application's lifespan."""
        self._enter(Stage.DRAINING)
        try:
            await self._serve_on()
        finally:
            if self._listening is not None:
                await self._listening.stop()
        if self._shared is not None and self._application is not None:
            await self._drain(self._shared, self._application)
        self._enter(Stage.STOPPED)
        if self._lifespan is not None:
            await self._lifespan.shutdown()
        if self._application is not None:
            await self._application.close()
        if self._admin is not None:
            await self._admin.close()
        if self._watchdog is not None:
            self._watchdog.stop()

    async def _serve_on(self) -> None:
        """Let balancers see that nobody should be sent here, while whoever comes is served."""
        seconds = self._config.limits.drain_delay
        if not (seconds and self.ports and self._shared):
            return
        self._shared.leaving = True
        self._wait(f"Stopping: serving on for {seconds:g} s, while readiness fails")
        await asyncio.sleep(seconds)

    def _wait(self, what: str) -> None:
        """Tell what a stop waits for."""
        _logger.info("%s%s", what, self._way_out)
        self._notifier.waits(what)

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
        await application.drain(end - loop.time(), self.closing)
        # What an application has answered to its cancellation is on its way out.
        await asyncio.wait([gone], timeout=min(seconds, _LAST_WORDS))
        shared.abort()
        await asyncio.wait([gone], timeout=_LAST_WORDS)

    def _say_what_is_waited_for(self, shared: Shared, application: Application) -> None:
        sockets = [one for one in application.live if one.request.upgrade is not None]
        requests = range(len(application.live) - len(sockets))
        things: dict[str, Collection[object]] = {"request": requests, "WebSocket": sockets}
        if not application.live:
            things = {"connection": shared.connections}
        what = " and ".join(counted(these, name) for name, these in things.items() if these)
        if what:
            seconds = self._config.limits.graceful_timeout
            self._wait(f"Stopping: waiting up to {seconds:g} s for {what}")

    def _retire(self) -> None:
        if self._orders is not None:
            self._notifier.retires()  # Somebody has to take its place first.
            return
        _logger.info("Stopping: as many requests as --limit-max-requests says have come")
        cast(Shared, self._shared).leaving = True  # Every response from now on says so.
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
        ready = self._stage is Stage.READY
        if ready:
            self._notifier.reloads()
        if self._listening is not None:
            self._listening.encryption.reload()
        if ready:
            self._enter(Stage.READY)

    def _log_and_stop(self, error: DaphneLikeError) -> None:
        _logger.critical("%s", error)
        self._reactor.stop()

    # --- Twisted --------------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind, and read certificates, before twistd gives its privileges up.

        Who comes waits until `startService` has started the application, which is loaded only
        then. Raises :class:`DaphneLikeError`, with nothing left bound.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        made = self._made = self._make(asyncio.get_event_loop())
        made[-1].bind()
        if self._admin is not None:
            try:
                self._admin.bind()
            except DaphneLikeError:
                made[-1].unbind()
                raise

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callLater(0, self._start_soon)

    def _start_soon(self) -> None:
        if self.running and self._starting is None:  # It may have been stopped meanwhile.
            self._starting = asyncio.ensure_future(self._start_or_fail(self._stopping))

    async def _start_or_fail(self, stopping: asyncio.Task[None] | None) -> None:
        try:
            if stopping is not None:
                await asyncio.wait([stopping])
            self._stage = Stage.STARTING
            await self.start()
        except DaphneLikeError as error:
            self._start_failed(error)
        except Exception as error:
            _logger.exception("The server did not start:")
            self._start_failed(StartupError(f"The server did not start: {error!r}."))

    def _start_failed(self, error: DaphneLikeError) -> None:
        self._enter(Stage.FAILED, str(error))
        if self.running:  # Otherwise it is being stopped anyway.
            self._failed(error)

    def stopService(self) -> Deferred[None]:
        """Fires when everything is drained and the application has shut down."""
        super().stopService()  # type: ignore[no-untyped-call]
        starting, self._starting = self._starting, None
        self._stopping = asyncio.ensure_future(self._stop_all(starting, self._stopping))
        stopped: Deferred[None] = Deferred()
        self._stopping.add_done_callback(lambda _: stopped.callback(None))
        return stopped

    async def _stop_all(
        self, starting: asyncio.Task[None] | None, stopping: asyncio.Task[None] | None
    ) -> None:
        """Cut a start short, let an earlier stop end, then stop."""
        try:
            if starting is not None and not starting.done():
                starting.cancel()
                await asyncio.wait([starting])
            if stopping is not None:
                await asyncio.wait([stopping])
            await self.stop()
        except Exception:
            _logger.exception("The server did not stop cleanly:")
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """What is left when a stop is over, or was cut short."""
        if self._listening is not None:
            self._listening.unbind()
            self._listening.encryption.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        self._notifier.stop()
        if self._admin is not None:
            self._admin.abort()
        if self._access_log is not None:
            self._access_log.close()
        self._made = self._listening = self._admin = self._watchdog = self._access_log = None
        self._lifespan = self._application = self._shared = None

    @property
    def ports(self) -> list[IListeningPort]:
        """What is listened on, in the order of the configuration; what only redirects is last."""
        return [] if self._listening is None else list(self._listening.ports)

    @property
    def live(self) -> Collection[Live]:
        """The exchanges that the application has not ended yet."""
        return () if self._application is None else tuple(self._application.live)


async def _not_loaded(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the application until it is loaded: nobody is accepted before."""


# --- Daphne's names -----------------------------------------------------------------------


def __getattr__(name: str) -> Any:
    """``Server``, and ``twisted_loop``, the loop of the reactor, which asking for it installs."""
    if name == "Server":
        from daphne_like.standalone import Server

        return Server
    if name == "twisted_loop":
        from daphne_like import process

        return process.loop_of(process.install_reactor(tls=True))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
