"""The same server as a twistd plugin: its reactor, its log, and how it ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.live.serving import Serving

BIN = Path(sys.executable).parent


def command(*options: str, script: str = "twistd") -> tuple[str, ...]:
    """`twistd -n` or `twist`, which log on standard output."""
    quiet = {"twistd": ("-n", "--pidfile="), "twist": ("--log-format=text",)}[script]
    return (sys.executable, "-X", "dev", str(BIN / script), *quiet, *options, "daphne-like")


@pytest.mark.parametrize("options", [[], ["--reactor=asyncio"]], ids=["own", "asyncio"])
@pytest.mark.parametrize("script", ["twistd", "twist"])
def test_it_serves_and_stops(script: str, options: list[str]) -> None:
    line = command(*options, script=script)
    with Serving("served:lifespan", command=line, log="stdout") as server:
        assert server.get().body == b"started"
        # Twisted ends by the signal that it got, once everything is shut down.
        assert server.stop() in (0, -signal.SIGTERM)
    text = "\n".join(server.stdout.lines)
    assert text.index("] startup") < text.index('"GET /" 200 7') < text.index("] shutdown")
    assert server.stderr.lines == []


def test_a_foreign_reactor_is_refused_by_name() -> None:
    server = Serving("served:hello", command=command("--reactor=epoll"), noise=True)
    assert server.wait() == 1
    lines = [*server.stdout.lines, *server.stderr.lines]
    assert "EPollReactor is installed already" in lines[-1]
    assert "twistd --reactor=asyncio" in lines[-1]
    assert not any("Traceback" in line for line in lines)


def test_a_bad_option_is_refused() -> None:
    server = Serving("served:hello", "--bogus", command=command(), noise=True)
    assert server.wait() == 1
    assert "unrecognized arguments: --bogus" in server.stdout.lines[-1]


def test_a_start_that_fails_is_logged_and_sets_the_status() -> None:
    server = Serving("served:failing_startup", command=command(), noise=True)
    assert server.wait() == 3
    assert len(server.stdout.wait_for("The application failed to start: no database.")) == 1
