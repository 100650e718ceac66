"""Where one server listens: bound ahead or in time, announced, paused and closed together.

This module must not know the application, nor in what order a server starts and stops.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IPushProducer, IStreamServerEndpoint

from daphne_like.assembly import (
    HTTPFactory,
    describe,
    https_port,
    is_encrypted,
    listening_on,
    negotiation_of,
    redirected,
    redirecting_on,
)
from daphne_like.config import Config
from daphne_like.encryption import Encryption
from daphne_like.errors import DaphneLikeError, StartupError
from daphne_like.orders import SHARES, Orders
from daphne_like.proxies import Proxies
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.shares import Shares
from daphne_like.wire.shared import Shared

_logger = logging.getLogger("daphne_like.server")

Endpoints = list[tuple[str, IStreamServerEndpoint]]
"""Each with its name, for messages."""


class Listening:
    """The listeners that `config` asks for, whose connections are `shared`'s.

    ``ports`` are those that listen, in the order of the configuration; what only redirects is
    last. The files of certificates are read here: raises :class:`ConfigError`.
    """

    def __init__(self, config: Config, reactor: Any, shared: Shared, proxies: Proxies) -> None:
        self.ports: list[IListeningPort] = []
        self.negotiation = negotiation_of(config, shared)
        self.encryption = Encryption(config, shared, self.negotiation.protocols)
        self._config = config
        self._shared = shared
        self._proxies = proxies
        self._shares: Shares | None = None
        preambles = proxies.preambles(shared)
        self._serving = listening_on(config, reactor, *preambles, self.encryption)
        self._redirecting = redirecting_on(config, reactor, preambles[1])

    def share(self, orders: Orders) -> None:
        """Listen on what a supervisor has bound for all of its workers, of whom we are one."""
        if not self._config.reuse_port:
            self._shares = Shares(Path(orders.directory, SHARES), orders.place)
        yields = None if self._shares is None else self._is_ahead
        for name, endpoint in self._serving + self._redirecting:
            cast(NativeEndpoint, endpoint).share(orders.sockets[name], yields)

    def _is_ahead(self) -> bool:
        """Whether another worker should take the next connection."""
        return cast(Shares, self._shares).is_ahead(len(self._shared.connections))

    def bind(self) -> None:
        """Bind what can be bound ahead, our own endpoints: who comes waits until we listen.

        Raises :class:`StartupError`, with nothing left bound.
        """
        try:
            for endpoint in _bindable(self._serving + self._redirecting):
                endpoint.bind()
        except StartupError:
            self.unbind()
            raise

    def unbind(self) -> None:
        """Give back what is bound and does not listen."""
        for endpoint in _bindable(self._serving + self._redirecting):
            endpoint.unbind()

    async def listen(self) -> None:
        """Accept, everywhere; raises :class:`StartupError`."""
        config, shared = self._config, self._shared
        serving = await self._accept(self._serving, HTTPFactory(shared, self.negotiation))
        redirecting: list[IListeningPort] = []
        if config.insecure_bind:
            # Only now is it known on which port there is TLS.
            negotiation = redirected(config, shared, self._proxies, https_port(config, serving))
            factory = HTTPFactory(shared, negotiation)
            redirecting = await self._accept(self._redirecting, factory)
        self.encryption.start()
        for port in serving:
            _logger.info("Listening on %s", describe(port.getHost(), secure=is_encrypted(port)))
        for port in redirecting:
            _logger.info("Redirecting to https from %s", describe(port.getHost()))
        for level, line in self._proxies.announced([port.getHost() for port in self.ports]):
            _logger.log(level, line)

    async def _accept(self, endpoints: Endpoints, factory: HTTPFactory) -> list[IListeningPort]:
        loop, accepting = asyncio.get_running_loop(), []
        for name, endpoint in endpoints:
            try:
                listening = endpoint.listen(factory).addCallback(self._keep)
                accepting.append(await listening.asFuture(loop))
            except DaphneLikeError:
                raise
            except Exception as error:
                raise StartupError(f"Cannot listen on {name}: {error}.") from error
        return accepting

    def _keep(self, port: IListeningPort) -> IListeningPort:
        """Whoever waits for it may be cancelled now: it is to be closed all the same."""
        self.ports.append(port)
        return port

    def pause(self) -> None:
        """Let who comes wait in the kernel."""
        for port in self.ports:
            cast(IPushProducer, port).pauseProducing()

    def resume(self) -> None:
        """Accept again."""
        for port in self.ports:
            cast(IPushProducer, port).resumeProducing()

    async def stop(self) -> None:
        """Close them all; connections go on."""
        if self._shares is not None:
            self._shares.leave()
        self.unbind()
        loop = asyncio.get_running_loop()
        ports, self.ports = self.ports, []
        stopping = [maybeDeferred(port.stopListening).asFuture(loop) for port in ports]
        for result in await asyncio.gather(*stopping, return_exceptions=True):
            if isinstance(result, Exception):
                _logger.error("A port did not close cleanly:", exc_info=result)


def _bindable(found: Endpoints) -> list[NativeEndpoint]:
    """Those that can be bound ahead: our own, and not Twisted's."""
    return [cast(NativeEndpoint, each) for _, each in found if hasattr(each, "bind")]
