"""Test doubles of the seam and of a connection, and servers in processes of their own.

* :class:`FakeStream` stands for a wire, to test what is behind ``open``.
* :class:`RecordingOpen` and :class:`RecordedExchange` stand for an application, to test a wire.
* :class:`MemoryWire` stands for a socket: a Twisted transport and the peer at its other end.
* :class:`ServerProcess` is no double: a server to be talked to over a socket, also as
  ``DaphneProcess``, and with Daphne's other classes for tests around it.

Doubles hold their caller to the rules of ``exchange``: what a real one would not survive
raises :class:`SeamBroken`. Nothing here imports a reactor, nor knows a test runner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from daphne_like.testing.memory import MemoryWire
from daphne_like.testing.seam import FakeStream, RecordedExchange, RecordingOpen, SeamBroken

if TYPE_CHECKING:
    from daphne_like.testing.instance import (
        BaseDaphneTestingInstance,
        DaphneTestingInstance,
        TestApplication,
    )
    from daphne_like.testing.process import DaphneProcess, ServerProcess

__all__ = [
    "BaseDaphneTestingInstance",
    "DaphneProcess",
    "DaphneTestingInstance",
    "FakeStream",
    "MemoryWire",
    "RecordedExchange",
    "RecordingOpen",
    "SeamBroken",
    "ServerProcess",
    "TestApplication",
]

_PROCESS = ("DaphneProcess", "ServerProcess", "_reinstall_reactor")
_INSTANCE = ("BaseDaphneTestingInstance", "DaphneTestingInstance", "TestApplication")
_LATER = dict.fromkeys(_PROCESS, "process") | dict.fromkeys(_INSTANCE, "instance")
"""Names that most tests do without, and the module of each."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
