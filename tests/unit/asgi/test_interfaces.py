"""What an application speaks: what is found out, what is named, what is refused and how."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from asgiref.compatibility import guarantee_single_callable

from daphne_like.asgi.interfaces import adapted
from daphne_like.asgi.rsgi import RSGI
from daphne_like.asgi.wsgi import WSGI
from daphne_like.errors import ConfigError
from daphne_like.limits import Limits
from tests.unit.asgi.fakes import START, body, calls_of, sending

OK = [("respond", 200, b"ok")]
ok = sending(START, body(b"ok"))

# --- Kinds of applications -------------------------------------------------------------------


class Callable3:
    async def __call__(self, scope, receive, send):
        await ok(scope, receive, send)

    @staticmethod
    def returning(scope, receive, send):
        return ok(scope, receive, send)


class Awaitable3:
    """As Starlette's endpoints are."""

    def __init__(self, scope, receive, send):
        self.arguments = scope, receive, send

    def __await__(self):
        return ok(*self.arguments).__await__()


class Class2:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await ok(self.scope, receive, send)


class Anything2(Class2):
    """A class that tells nobody how many arguments it takes."""

    def __init__(self, *arguments):
        super().__init__(*arguments)


class Callable2:
    """As the routers of the first Channels were."""

    def __call__(self, scope):
        return Class2(scope)


def function_2(scope):
    async def instance(receive, send):
        await ok(scope, receive, send)

    return instance


class Nameless:
    """A callable that tells nobody what it takes."""

    __signature__ = "none"

    async def __call__(self, scope, receive, send):
        await ok(scope, receive, send)


@functools.wraps(lambda environ, start_response: None)
def wrapper(*arguments):
    """What it wraps takes other arguments than it does itself."""
    return ok(*arguments)


KINDS: list[Any] = [
    ok,
    Callable3(),
    Callable3.returning,
    lambda *arguments: ok(*arguments),  # noqa: PLW0108 - what it is matters here
    functools.partial(lambda extra, *arguments: ok(*arguments), "extra"),
    Awaitable3,
    Class2,
    Anything2,
    Callable2(),
    function_2,
    guarantee_single_callable(Class2),
    Nameless(),
    wrapper,
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_asgi_application_is_served(kind):
    assert calls_of(adapted(kind, "it", Limits())) == OK


class Both(Callable3):
    """As Emmett's are."""

    def __rsgi__(self, scope, protocol):
        raise NotImplementedError


def test_what_is_asgi_and_something_else_is_served_as_asgi():
    assert calls_of(adapted(Both(), "it", Limits())) == OK


# --- What is something else ------------------------------------------------------------------


def wsgi(environ, start_response):
    raise NotImplementedError


class Wsgi:
    """As Flask's and Django's are."""

    def __call__(self, environ, start_response):
        raise NotImplementedError


class WsgiClass:
    """As PEP 3333 shows one."""

    def __init__(self, environ, start_response):
        raise NotImplementedError

    def __iter__(self):
        raise NotImplementedError


class Rsgi:
    """Nothing that can be called by itself."""

    @staticmethod
    async def __rsgi__(scope, protocol):
        raise NotImplementedError


@pytest.mark.parametrize("kind", [wsgi, Wsgi(), WsgiClass, functools.partial(wsgi)])
def test_what_is_plainly_wsgi_is_found_out_and_said(kind, caplog):
    caplog.set_level("INFO")
    found = adapted(kind, "a:b", Limits(wsgi_threads=3))
    assert isinstance(found, WSGI)
    assert found.threads.most == 3
    assert caplog.messages == ["a:b is WSGI: up to 3 requests run at a time"]


def test_what_is_plainly_rsgi_is_found_out():
    assert isinstance(adapted(Rsgi(), "a:b", Limits()), RSGI)


def test_an_interface_that_is_named_is_not_doubted():
    async def plain(scope, protocol):
        raise NotImplementedError

    limits = Limits()
    assert adapted(wsgi, "a:b", limits, "asgi3") is wsgi
    assert calls_of(adapted(function_2, "a:b", limits, "asgi2")) == OK
    assert isinstance(adapted(ok, "a:b", limits, "wsgi"), WSGI)
    assert isinstance(adapted(plain, "a:b", limits, "rsgi"), RSGI)
    assert isinstance(adapted(Both(), "a:b", limits, "rsgi"), RSGI)


@pytest.mark.parametrize("interface", ["auto", "asgi3", "asgi2", "wsgi", "rsgi"])
def test_what_cannot_be_called_is_no_application(interface):
    with pytest.raises(ConfigError, match=r"^a:b is no application: it cannot be called"):
        adapted("shop", "a:b", Limits(), interface)


# --- What is none ----------------------------------------------------------------------------


class Forgotten:
    """A class whose instance was meant."""

    async def __call__(self, scope, receive, send):
        raise NotImplementedError


class NeverCalled:
    def __init__(self, scope):
        raise NotImplementedError


class NeverAwaited:
    def __init__(self, scope, receive, send):
        raise NotImplementedError


class PairAwaited:
    def __init__(self, environ, start_response):
        raise NotImplementedError


def create_from(settings=None, more=None):
    raise NotImplementedError


def create(settings=None):
    raise NotImplementedError


async def create_later():
    raise NotImplementedError


async def view(request):
    raise NotImplementedError


async def half(receive, send):
    raise NotImplementedError


FACTORY = "it needs no arguments; if it returns the application, give --factory"
CLASS = "its instances can be neither called as ASGI 2 says nor awaited"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (create, FACTORY),
        (create_from, FACTORY),
        (create_later, FACTORY),
        (Forgotten, FACTORY),
        (NeverCalled, CLASS),
        (NeverAwaited, CLASS),
        (view, r"it takes \(request\), not \(scope, receive, send\)"),
        (
            half,
            r"it takes \(receive, send\), not \(scope, receive, send\); if it is RSGI, give --i",
        ),
        (PairAwaited, CLASS),
        (lambda a, b, c, d: None, r"it takes \(a, b, c, d\), not"),
        (lambda *, name: None, r"it takes \(name\), not"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_seen_to_be_no_application_is_refused_with_what_to_do(kind, reason):
    with pytest.raises(ConfigError, match=f"^a:b is no application that can be served: {reason}"):
        adapted(kind, "a:b", Limits())
