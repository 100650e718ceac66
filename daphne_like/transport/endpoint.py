"""One endpoint on the event loop's own transports: bound ahead, in time, or by somebody else.

This module must not know how an endpoint is written, nor which protocol is served.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from daphne_like.errors import StartupError
from daphne_like.limits import Limits
from daphne_like.transport.port import NativePort, Yields
from daphne_like.transport.proxied import Preambles
from daphne_like.transport.sockets import Listener, bound_unsent, inherited_listener, owning
from daphne_like.transport.stream import Carry, NativeTransport
from daphne_like.transport.tls import Secured


@implementer(IStreamServerEndpoint)
class NativeEndpoint:
    """An endpoint whose connections are the event loop's own transports.

    `listen` binds, with the backlog that it is given; connections begin with `preambles`, if
    there are any, and are `secured`, if they are. `path` is that of a Unix socket of our own.
    """

    def __init__(
        self,
        reactor: Any,
        listen: Callable[[int], Listener],
        limits: Limits,
        backlog: int | None = None,
        preambles: Preambles | None = None,
        secured: Secured | None = None,
        path: str | None = None,
    ) -> None:
        self._reactor = reactor
        self._listen = listen
        self._path = path
        self._yields: Yields | None = None
        self._limits = limits
        self._backlog = limits.backlog if backlog is None else backlog
        self._carry = carrying(preambles, secured)
        self._secure = secured is not None
        self._bound: Listener | None = None

    def bind(self) -> None:
        """Bind ahead of `listen`: who comes waits in the kernel until then.

        For whoever may do so now and not later. Raises :class:`StartupError`.
        """
        if self._bound is None:
            self._bound = self._listen(self._backlog)

    def unbind(self) -> None:
        """Give back what is bound, unless `listen` has taken it."""
        bound, self._bound = self._bound, None
        if bound is not None:
            bound.socket.close()
            if bound.closed is not None:
                bound.closed()

    def bound(self, handed: int | None) -> Listener:
        """What it listens on, for who shares it: bound now, or `handed` over as a descriptor.

        Raises :class:`StartupError`.
        """
        if handed is None:
            return self._listen(self._backlog)
        listener = inherited_listener(handed, self._backlog)
        return listener if self._path is None else owning(listener, self._path)

    def share(self, fileno: int, yields: Yields | None = None) -> None:
        """Listen on this descriptor, which is others' too, in the place of one of our own."""
        self._listen = partial(inherited_listener, fileno)
        self._yields = yields

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Bind at once, if that is not done, and accept as soon as the reactor runs.

        Fails with :class:`StartupError`.
        """
        try:
            listener = self._bound or self._listen(self._backlog)
        except StartupError:
            return fail()
        self._bound = None
        bound_unsent(listener.socket, self._limits.unsent_budget)
        budget = self._limits.write_budget
        port = NativePort(
            listener.socket,
            factory,
            self._backlog,
            budget,
            listener.closed,
            self._carry,
            secure=self._secure,
            yields=self._yields,
        )
        accepted: Deferred[IListeningPort] = deferLater(self._reactor, 0, port.accept)
        return accepted.addErrback(_give_back, port)


def carrying(preambles: Preambles | None, secured: Secured | None) -> Carry:
    """What makes what carries a connection, from the outermost layer in."""
    if preambles is None:
        return NativeTransport if secured is None else secured.carry
    return preambles.carry if secured is None else partial(preambles.carry, then=secured.carry)


def _give_back(failure: Failure, port: NativePort) -> Failure:
    """Listening failed, or was cancelled: nothing stays bound."""
    port.stopListening()
    return failure
