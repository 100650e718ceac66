"""What a wire has to offer to be held to the list of behaviours in this directory.

Each behaviour is written once, against :class:`Wire` and :class:`Asked`; each wire has one
small client that speaks it, and is listed in ``conftest.WIRES``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from daphne_like.exchange import Field
from daphne_like.limits import Limits
from daphne_like.testing import RecordedExchange, RecordingOpen
from tests.support.http1 import Response


class Asked(Protocol):
    """One request, as its client sees it."""

    def send(self, data: bytes) -> None:
        """Send a piece of the body, or into the tunnel, as soon as the server takes it."""

    def end(self) -> None:
        """The body is complete; of a tunnel, the client sends no more."""

    def cancel(self) -> None:
        """The client is no longer interested."""

    @property
    def response(self) -> Response | None:
        """What has come of the response; ``None`` while there is no final head.

        A tunnel that was granted is a response with the status 101, whatever it is on this wire.
        """

    @property
    def received(self) -> bytes:
        """What has come through the tunnel."""

    @property
    def broken(self) -> bool:
        """The client knows that there will be no (whole) response."""


class Wire(Protocol):
    """One client's connection to a server whose application is a `RecordingOpen`.

    Everything that can happen at once has happened when a method returns.
    """

    name: str
    http_version: str
    open: RecordingOpen
    limits: Limits

    def __init__(self, **options: Any) -> None:
        """Connect; `options` are those of `tests.support.http1.Served`."""

    def ask(
        self,
        method: str = "GET",
        target: bytes = b"/",
        fields: Sequence[Field] = (),
        body: bytes | None = None,
        *,
        more: bool = False,
    ) -> Asked:
        """Ask ``a.example`` for `target`, with a `body` of known size, or with `more` to come."""

    def ask_for_a_tunnel(self, target: bytes = b"/", fields: Sequence[Field] = ()) -> Asked:
        """Ask for a WebSocket at `target`, as this wire does."""

    def ask_badly(self) -> None:
        """Send a request that breaks the rules of HTTP."""

    def leave(self) -> None:
        """The connection breaks."""

    def stop_reading(self) -> None:
        """The client reads no more, until `read_on`."""

    def read_on(self) -> None:
        """The client reads everything that comes."""

    def wait(self, seconds: float = 0) -> None:
        """Let time pass."""

    def drain(self) -> list[bool]:
        """The server stops; the list gets an item when all its connections are gone."""

    def cut(self) -> None:
        """The server's time is over."""

    @property
    def closed(self) -> bool:
        """The server has closed the connection."""

    @property
    def timers(self) -> int:
        """Timers that are left in the clock."""

    @property
    def last(self) -> RecordedExchange:
        """The newest exchange."""
