"""The sockets that workers listen on: bound once, by the supervisor, and kept by it.

Who comes while a worker is replaced waits in them. This module must not know who accepts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from hashlib import blake2s
from typing import Any, NamedTuple, cast

from daphne_like.assembly import admin_endpoint, listening_on, redirecting_on, take_sockets
from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.notify import Notifier
from daphne_like.orders import ADMIN
from daphne_like.transport import activation
from daphne_like.transport.endpoint import NativeEndpoint
from daphne_like.transport.sockets import Listener, beside

VARIABLE = "_DAPHNE_LIKE_BOUND"
"""The variable by which a supervisor hands its sockets over to the one that follows it."""


class _Plain(NamedTuple):
    """What stands for TLS here: the workers' business, as are the preambles of proxies."""

    secured: Callable[..., None] = lambda *_: None
    of_options: Callable[[], None] = lambda: None


def endpoints_of(config: Config) -> dict[str, NativeEndpoint]:
    """Every place that `config` names; raises :class:`ConfigError` for what cannot be shared."""
    nobody: Any = None
    take_sockets(config)
    asked = listening_on(config, None, nobody, None, cast(Any, _Plain()))
    asked += redirecting_on(config, None, None)
    if config.admin_bind is not None:
        asked.append((ADMIN, admin_endpoint(config.admin_bind, None, config.limits)))
    found = {}
    for name, endpoint in asked:
        if not isinstance(endpoint, NativeEndpoint):
            raise ConfigError(
                f"--workers cannot share {name!r}, which is Twisted's: take tcp:, unix:, fd:, ssl: "
                "or tls:, or run one process."
            )
        found[name] = endpoint
    return found


class Bound:
    """The sockets by the names of their places; of some every worker has one of its own."""

    def __init__(self, config: Config, handed: Mapping[str, int]) -> None:
        """Bind every place that is not `handed` over already.

        Raises :class:`DaphneLikeError` with nothing left bound.
        """
        self._config = config
        self._handed = handed or _kept(config)
        self.listeners: dict[str, Listener] = {}
        self._own: dict[str, Listener] = {}
        try:
            for name, endpoint in endpoints_of(config).items():
                self.listeners[name] = endpoint.bound(self._handed.get(name))
        except Exception:
            self.release(keep_paths=bool(handed))
            raise

    def sockets(self, number: int) -> dict[str, int]:
        """What worker `number` listens on.

        With ``--reuse-port`` the kernel spreads clients over one socket for each worker, which
        its successors have too: nobody who waits in it is lost.
        """
        found = {name: listener.socket.fileno() for name, listener in self.listeners.items()}
        if self._config.reuse_port and number > 1:
            for name, listener in self.listeners.items():
                if name != ADMIN and listener.closed is None:
                    found[name] = self._own_one(f"{name}@{number}", listener).socket.fileno()
        return found

    def _own_one(self, key: str, listener: Listener) -> Listener:
        if key not in self._own:
            self._own[key] = beside(listener, self._config.limits.backlog, self._handed.get(key))
        return self._own[key]

    def keep(self, manager: Notifier) -> None:
        """Let a service manager keep the sockets while no supervisor runs.

        Not those whose paths we remove: nobody would find them.
        """
        for name, listener in self.listeners.items():
            if listener.closed is None:
                manager.keeps(kept_as(name), listener.socket.fileno())

    def give(self, environ: MutableMapping[str, str]) -> list[int]:
        """Put the sockets' numbers into the environment of the supervisor that follows."""
        both = self.listeners | self._own
        numbers = {name: listener.socket.fileno() for name, listener in both.items()}
        environ[VARIABLE] = json.dumps({"sockets": numbers, "passed": activation.known()})
        for variable in activation.VARIABLES:
            environ.pop(variable, None)
        return list(numbers.values())

    def drop(self, number: int) -> None:
        """Worker `number` is wanted no more: what only it has listened on is closed."""
        for key in [key for key in self._own if key.endswith(f"@{number}")]:
            self._own.pop(key).socket.close()

    def detach(self) -> None:
        """In a copy of this process: the sockets are for who takes them by their numbers."""
        for listener in (*self.listeners.values(), *self._own.values()):
            listener.socket.detach()

    def close(self) -> None:
        """Close the sockets; who has them too goes on."""
        for listener in (*self.listeners.values(), *self._own.values()):
            listener.socket.close()

    def release(self, *, keep_paths: bool = False) -> None:
        """The same, for good: paths of our own are removed, or kept."""
        self.close()
        for listener in self.listeners.values():
            if listener.closed is not None and not keep_paths:
                listener.closed()


def kept_as(name: str) -> str:
    """What a service manager calls the socket of a place (``FDNAME=`` takes few characters)."""
    return activation.KEPT + blake2s(name.encode(), digest_size=8).hexdigest()


def _kept(config: Config) -> dict[str, int]:
    """What a service manager has kept since the last time, as far as it is still asked for."""
    found = {each.name: each.fileno for each in activation.kept()}
    return {name: found[kept_as(name)] for name in endpoints_of(config) if kept_as(name) in found}


def taken(environ: MutableMapping[str, str]) -> dict[str, int]:
    """What a predecessor has handed over, taken out of the environment."""
    text = environ.pop(VARIABLE, None)
    if text is None:
        return {}
    found = json.loads(text)
    activation.know(found["passed"])
    sockets: dict[str, int] = found["sockets"]
    return sockets
