"""The whole exception tree of the server.

Errors carry their answer: what the operator reads, the status the client gets, or what
the application did wrong. This module must not know who raises or who catches.
"""

from __future__ import annotations

from collections.abc import Iterable


class DaphneLikeError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigError(DaphneLikeError):
    """The configuration cannot work; the message is one line that names the fix."""

    exit_status = 2


class StartupError(DaphneLikeError):
    """The server cannot start; the message is one line for the operator.

    ``exit_status`` is 3 where the application itself cannot start, which tells a
    supervisor not to try again, and 1 otherwise (an address in use, for example).
    """

    FOR_GOOD = 3
    """The highest status of what a second try would not mend."""

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class RemoteFault(DaphneLikeError):
    """The peer broke the protocol or a limit: ``status`` answers it, ``reason`` is logged.

    ``fields`` go with the answer.
    """

    def __init__(
        self, status: int, reason: str, fields: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.fields = fields


class AppFault(DaphneLikeError, ValueError):
    """The application sent a message that its protocol state does not allow.

    Raised out of the application's ``send()``: "If the server receives an invalid event
    dictionary, it should raise an exception" (ASGI 3.0, Error Handling).

    ``state`` names the protocol state, ``message`` the message's type, ``fault`` the field
    or rule that was broken.
    """

    def __init__(self, state: str, message: object, fault: str) -> None:
        super().__init__(f"{message!r} in state {state}: {fault}")
        self.state = state
        self.message = message
        self.fault = fault

    def __reduce__(self) -> tuple[type[AppFault], tuple[str, object, str]]:
        return type(self), (self.state, self.message, self.fault)


class ClientDisconnected(OSError):
    """``send()`` after the client has left.

    "If send() is called on a closed connection the server should raise a server-specific
    subclass of OSError" (ASGI HTTP spec 2.4).
    """


def is_disconnect(error: BaseException) -> bool:
    """Tell whether `error` is our own :class:`ClientDisconnected`, or its consequence.

    Frameworks turn it into an error of their own, and task groups wrap it: an exception's
    cause or context is looked into, and of a group every member has to be one.
    """
    return _stems_from_disconnect(error, frozenset())


def _stems_from_disconnect(error: BaseException | None, above: frozenset[int]) -> bool:
    """A framework may raise a group's only member from the group: `above` ends the circle."""
    while error is not None and id(error) not in above:
        if isinstance(error, ClientDisconnected):
            return True
        above |= {id(error)}
        if isinstance(error, BaseExceptionGroup):
            return all(_stems_from_disconnect(inner, above) for inner in error.exceptions)
        error = error.__cause__ or error.__context__
    return False
