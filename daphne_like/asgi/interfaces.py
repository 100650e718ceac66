"""What an application is, and the ASGI 3 application that it is made of it.

ASGI 3 and 2, WSGI and RSGI. What is seen to be none of them is refused before anybody can connect;
what cannot be known is let through. This module must not know where the application is from.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from asgiref.compatibility import (
    double_to_single_callable,
    guarantee_single_callable,
    is_double_callable,
)

from daphne_like.asgi.application import ASGIApplication
from daphne_like.asgi.threads import Threads
from daphne_like.asgi.wsgi import WSGI
from daphne_like.errors import ConfigError
from daphne_like.limits import Limits

_logger = logging.getLogger("daphne_like.server")


def adapted(
    application: Any, name: str, limits: Limits, interface: str = "auto"
) -> ASGIApplication:
    """The ASGI 3 application that `application` is, if `interface` is what it speaks.

    Raises :class:`ConfigError`, about `name`, for what is seen to be no such application.
    """
    if not (callable(application) or _is_rsgi(application)):
        raise ConfigError(f"{name} is no application: it cannot be called.")
    return _ADAPTED[interface](application, name, limits)


def _asgi3(application: Any, name: str, limits: Limits) -> ASGIApplication:
    return application  # type: ignore[no-any-return]


def _asgi2(application: Any, name: str, limits: Limits) -> ASGIApplication:
    return double_to_single_callable(application)  # type: ignore[no-any-return]


def _wsgi(application: Any, name: str, limits: Limits) -> ASGIApplication:
    return WSGI(application, Threads(limits.wsgi_threads, "wsgi"))


def _rsgi(application: Any, name: str, limits: Limits) -> ASGIApplication:
    from daphne_like.asgi.rsgi import RSGI  # Behind the application: see rsgi_words.

    return RSGI(application)


def _found_out(application: Any, name: str, limits: Limits) -> ASGIApplication:
    """What is ASGI and something else besides is taken for ASGI."""
    found = _of_asgi(application, name)
    if found is not None:
        return found
    if _is_rsgi(application):
        return _rsgi(application, name, limits)
    _logger.info("%s is WSGI: up to %d requests run at a time", name, limits.wsgi_threads)
    return _wsgi(application, name, limits)


_ADAPTED: dict[str, Callable[[Any, str, Limits], ASGIApplication]] = {
    "auto": _found_out,
    "asgi3": _asgi3,
    "asgi2": _asgi2,
    "wsgi": _wsgi,
    "rsgi": _rsgi,
}


def _is_rsgi(application: Any) -> bool:
    return callable(getattr(application, "__rsgi__", None))


def _of_asgi(application: Any, name: str) -> ASGIApplication | None:
    """An ASGI 3 application from one of ASGI 3 or 2; ``None`` for what is another kind.

    Raises :class:`ConfigError`, about `name`, for what is seen to be of no kind.
    """
    if not callable(application):
        return None
    try:
        # What a wrapper says of the wrapped is not what the wrapper itself takes.
        signature = inspect.signature(application, follow_wrapped=False)
    except (TypeError, ValueError):
        return guarantee_single_callable(application)  # type: ignore[no-any-return]
    if _is_single(application, signature):
        return application  # type: ignore[no-any-return]
    if _is_double(application, signature):
        return guarantee_single_callable(application)  # type: ignore[no-any-return]
    if _is_rsgi(application) or _is_wsgi(application, signature):
        return None
    raise ConfigError(
        f"{name} is no application that can be served: {_why_not(application, signature)}."
    )


def _is_wsgi(application: Any, signature: inspect.Signature) -> bool:
    """A plain callable of (environ, start_response); of a class, the instances are iterated."""
    if not _takes(signature, 2) or _takes(signature, 0) or _is_coroutine_function(application):
        return False
    return not inspect.isclass(application) or hasattr(application, "__iter__")


def _is_single(application: Any, signature: inspect.Signature) -> bool:
    """A plain function of (scope, receive, send) is ASGI 3, whatever it returns.

    So is a class whose instances are awaited. asgiref would take both for double callables.
    """
    if inspect.isclass(application):
        return hasattr(application, "__await__")
    return _takes(signature, 3)


def _is_double(application: Any, signature: inspect.Signature) -> bool:
    """Whatever is called with the scope, and then with receive and send.

    What can do without the scope is a factory; what takes any arguments may be anything.
    """
    if inspect.isclass(application) and not _has_callable_instances(application):
        return False
    if _takes(signature, 0) and not _takes(signature, 3):
        return False
    return _takes(signature, 1) and bool(is_double_callable(application))


def _has_callable_instances(application: type) -> bool:
    return any("__call__" in base.__dict__ for base in application.__mro__)


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _why_not(application: Any, signature: inspect.Signature) -> str:
    if _takes(signature, 0):
        return "it needs no arguments; if it returns the application, give --factory"
    if inspect.isclass(application):
        return "its instances can be neither called as ASGI 2 says nor awaited"
    hint = "; if it is RSGI, give --interface rsgi" if _takes(signature, 2) else ""
    return f"it takes ({', '.join(signature.parameters)}), not (scope, receive, send){hint}"


def _is_coroutine_function(application: Any) -> bool:
    return any(map(inspect.iscoroutinefunction, (application, application.__call__)))
