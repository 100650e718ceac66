"""The words of the benchmark: servers, requests, scenarios, figures, and how long to measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Sample = dict[str, float]
"""One measurement: a value for each figure, by the figure's key."""

Wire = Literal["http", "websocket", "https", "h2c", "h2"]
"""What goes between client and server: HTTP/1.1, WebSockets from it, HTTP/1.1 over TLS, HTTP/2 in
cleartext whose client knows beforehand that the server speaks it, HTTP/2 over TLS."""

_OVER_TLS = ("https", "h2")


class Failed(Exception):
    """A server cannot run a scenario; the message is the reason, fit to be published."""


@dataclass(frozen=True)
class Server:
    """One server, as it is started from the shell with its fastest settings.

    Attributes:
        name: how options and tables name it.
        environment: the virtual environment it is installed in (``environments.py``).
        command: its command line; ``{port}``, ``{app}`` and, where one wire needs other arguments
            than another, ``{extra}`` are filled in.
        packages: the distributions whose versions say what was measured, its own first.
        extra: the extra arguments for each wire that it can be measured on; in them
            ``{certificate}`` and ``{key}`` are filled in, too.
        ours: whether it is ours, and so compared with the best of the others.
    """

    name: str
    environment: str
    command: str
    packages: tuple[str, ...]
    extra: Mapping[Wire, str] = field(default_factory=lambda: {"http": "", "websocket": ""})
    ours: bool = False

    def command_line(self, wire: Wire) -> str:
        """Return the command line for a wire; port, files and application are to be filled in."""
        return " ".join(self.command.replace("{extra}", self.extra[wire]).split())


@dataclass(frozen=True)
class Request:
    """The request that a scenario sends over and over.

    Attributes:
        headers: what is sent beyond ``Host`` and ``Content-Length``.
        body_size: how many letters ``x`` the body is made of.
    """

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body_size: int = 0

    @property
    def body(self) -> bytes:
        """The body that is sent."""
        return b"x" * self.body_size


@dataclass(frozen=True)
class Answer:
    """The one right answer to a scenario's request."""

    body: bytes
    status: int = 200


@dataclass(frozen=True)
class Echo:
    """The message that a scenario sends over each WebSocket, and the echo of which it awaits."""

    kind: Literal["text", "binary"]
    size: int


@dataclass(frozen=True)
class Figure:
    """One number that a measurement yields, and how a table shows it.

    Attributes:
        digits: how many places after the point are worth showing.
    """

    key: str
    label: str
    digits: int = 0


@dataclass(frozen=True)
class Pace:
    """How much is measured.

    Attributes:
        rounds: how often each server has its turn in each scenario.
        seconds: how long each load lasts, after ``warm_up`` seconds of the same load.
        starts: how often a server is started in one measurement of its start-up time.
    """

    rounds: int = 5
    seconds: int = 4
    warm_up: int = 1
    starts: int = 3


@dataclass(frozen=True)
class Measure:
    """A way to measure a server in a scenario.

    Attributes:
        figures: what it yields; the first is what servers are ranked by, and less is better.
        take: takes one sample, and raises ``Failed`` if there is none to take.
    """

    figures: tuple[Figure, ...]
    take: Callable[[Server, Scenario, Pace], Sample]


@dataclass(frozen=True)
class Scenario:
    """One row of the benchmark: an application, a request for it, and what is measured.

    A server that cannot be measured on its wire is left out of it.

    Attributes:
        name: how options name it.
        title: how the tables and the plot name it.
        app: the application, as ``module:attribute`` of the package ``apps``.
        answer: the right answer to ``request``, by which a server is known to be ready.
        wire: over what it goes.
        streams: how many requests each connection has under way; more than one on HTTP/2 alone.
        echo: what goes over WebSockets, if the scenario has them.
        summarised: whether the summary shows it.
    """

    name: str
    title: str
    app: str
    measure: Measure
    answer: Answer
    request: Request = field(default_factory=Request)
    connections: int = 64
    wire: Wire = "http"
    streams: int = 1
    echo: Echo | None = None
    summarised: bool = True

    @property
    def tls(self) -> bool:
        """Whether it goes over TLS."""
        return self.wire in _OVER_TLS

    def origin(self, port: int) -> str:
        """Return how a URL of this machine begins."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
