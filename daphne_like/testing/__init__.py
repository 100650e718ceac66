"""Test doubles of the seam and of a connection, for our tests and for those of others.

* :class:`FakeStream` stands for a wire, to test what is behind ``open``.
* :class:`RecordingOpen` and :class:`RecordedExchange` stand for an application, to test a wire.
* :class:`MemoryWire` stands for a socket: a Twisted transport and the peer at its other end.

Doubles hold their caller to the rules of ``exchange``: what a real one would not survive
raises :class:`SeamBroken`. Nothing here imports a reactor, nor knows a test runner.
"""

from __future__ import annotations

from daphne_like.testing.memory import MemoryWire
from daphne_like.testing.seam import FakeStream, RecordedExchange, RecordingOpen, SeamBroken

__all__ = ["FakeStream", "MemoryWire", "RecordedExchange", "RecordingOpen", "SeamBroken"]
