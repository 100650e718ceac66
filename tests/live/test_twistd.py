"""The same server as a twistd plugin: its reactor, its log, and how it ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.live.serving import Serving
from tests.support.certificates import localhost

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


def test_a_hangup_lets_certificates_be_read_again(tmp_path: Path) -> None:
    pair = ["--ssl-certfile", localhost().write_in_one(tmp_path)]
    with Serving("served:hello", *pair, command=command(), log="stdout") as server:
        server.tell(signal.SIGHUP)
        assert server.stdout.wait_for(f"Read the certificates of {tmp_path}/server.pem again")
        assert server.stop() in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (["--reactor=epoll"], [], ["EPollReactor is installed already", "--reactor=asyncio"]),
        ([], ["--bogus"], ["unknown option --bogus"]),
    ],
    ids=["reactor", "option"],
)
def test_what_is_refused_is_said_in_one_line(
    before: list[str], after: list[str], words: list[str]
) -> None:
    server = Serving("served:hello", *after, command=command(*before), noise=True)
    assert server.wait() == 2
    [line] = server.stderr.lines
    assert line.startswith("daphne-like: ")
    assert all(word in line for word in words)
    assert server.stdout.lines == []


def test_a_start_that_fails_is_logged_and_sets_the_status() -> None:
    server = Serving("served:failing_startup", command=command(), noise=True)
    assert server.wait() == 3
    assert len(server.stdout.wait_for("The application failed to start: no database.")) == 1
