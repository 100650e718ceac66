"""The service: in what order it starts and stops, and what it makes of a configuration."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed

from daphne_like.config import Config
from daphne_like.errors import StartupError
from daphne_like.server import ASGIService, default_fields, describe, listening_on
from tests.unit.asgi.fakes import body, run, sending, start, turn
from tests.unit.fakes import GET, House, serving


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


async def hello(scope, receive, send) -> None:
    await sending(start(200, (b"content-length", b"5")), body(b"hello"))(scope, receive, send)


async def shown(scope, receive, send) -> None:
    text = f"{scope['client']} {scope['root_path']} {scope.get('state')}"
    await sending(start(), body(text.encode()))(scope, receive, send)


# --- Starting ---------------------------------------------------------------------------------


def test_the_application_starts_then_ports_listen_and_it_ends_when_they_do_not(house, caplog):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await shown(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await asyncio.sleep(1)
            events.append((phase, [port.open for port in at.ports]))
            scope["state"]["phase"] = phase
            await send({"type": f"lifespan.{phase}.complete"})

    events: list[Any] = []
    caplog.set_level(logging.INFO)
    at = house(app, lifespan="on", root_path="/at", endpoints=("tcp:0", "tcp:1"))
    assert "('192.0.2.1', 50000) /at {'phase': 'startup'}" in serving(at, House.get)
    assert events == [("startup", []), ("shutdown", [False, False])]
    assert at.service.ports == at.failures == []
    assert caplog.messages == [f"Listening on http://127.0.0.1:{number}" for number in (0, 1)]


def test_an_idle_connection_is_closed_by_the_loops_clock(house):
    async def main(at: House) -> None:
        wire = at.connect()
        for seconds, closed in ((74, False), (2, True)):
            await asyncio.sleep(seconds)
            assert wire.closed is closed

    serving(house(hello, keep_alive=75.0), main)


@pytest.mark.parametrize(
    ("options", "client"),
    [
        ({}, ("10.0.0.1", 1)),
        ({"proxy_headers": False}, ("192.0.2.1", 50000)),
        ({"forwarded_allow_ips": "192.0.2.2"}, ("192.0.2.1", 50000)),
        ({"proxy_headers_host": "X-Real", "proxy_headers_port": "X-Port"}, ("10.0.0.2", 2)),
    ],
)
def test_who_the_client_is_is_said_by_whom_the_operator_trusts(house, options, client):
    said = b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Port: 1\r\n"
    said += b"X-Real: 10.0.0.2\r\nX-Port: 2\r\n\r\n"
    at = house(shown, **{"proxy_headers": True, "forwarded_allow_ips": "192.0.2.1", **options})
    answer = serving(at, lambda at: at.get(GET[:-2] + said))
    assert str(client) in answer


def test_whom_to_trust_is_judged_whether_anybody_asks_or_not(house):
    at = house(hello, forwarded_allow_ips="nobody")
    serving(at)
    [error] = at.failures
    assert "--forwarded-allow-ips 'nobody'" in str(error)
    assert at.ports == []


def test_the_application_is_the_one_that_is_asked_for(house, tmp_path, monkeypatch):
    source = "from tests.unit.asgi.fakes import sending, start, body\n"
    source += "app = sending(start(299), body())\nmake = lambda: app\n"
    (tmp_path / "unheard_of.py").write_text(source)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "unheard_of", None)
    monkeypatch.delitem(sys.modules, "unheard_of")
    for name, factory in (("app", False), ("make", True)):
        given = {"application": f"unheard_of:{name}", "app_dir": str(tmp_path)}
        answer = serving(house(demo=None, factory=factory, **given), House.get)
        assert answer.startswith("HTTP/1.1 299 ")
    assert sys.path.count(str(tmp_path)) == 1
    assert serving(house(demo=True), House.get).startswith("HTTP/1.1 404 "), "no path of its own"


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({"verbosity": 1}, True),
        ({"access_log": "-"}, True),
        ({"verbosity": 0}, False),
        ({"verbosity": 1, "access_log": "-", "no_access_log": True}, False),
    ],
)
def test_access_lines_go_to_standard_output_at_once(house, monkeypatch, wrapped, options, written):
    async def main(at: House) -> bool:
        await at.get()
        text = raw.getvalue().decode() if wrapped else out.getvalue()
        return text.endswith('"GET /p" 200 5\n')

    raw = io.BytesIO()
    out = io.TextIOWrapper(raw) if wrapped else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert serving(house(hello, **options), main) is written
    assert not out.closed


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files that were opened."""
    files: list[Any] = []
    real = Path.open
    monkeypatch.setattr(
        Path, "open", lambda *at, **how: files.append(real(*at, **how)) or files[-1]
    )
    return files


def test_a_file_gets_access_lines_at_once_until_it_is_closed(house, tmp_path, opened):
    async def main(at: House) -> None:
        await at.get()
        assert log.read_bytes().startswith(b"before\n192.0.2.1:50000 - - [")
        assert log.read_bytes().endswith(b'"GET /p" 200 5\n')

    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    serving(house(hello, access_log=str(log)), main)
    assert opened[0].closed


@pytest.mark.parametrize(
    ("log", "fault", "said"),
    [
        ("/", None, "Cannot write to --access-log /: Is a directory."),
        (None, StartupError("in use."), "in use."),
        (None, OSError("no device"), "Cannot listen on tcp:1: no device."),
    ],
)
def test_a_start_that_fails_says_why_and_what_was_open_is_closed(house, log, fault, said):
    async def main(at: House) -> None:
        assert [(type(error), str(error)) for error in at.failures] == [(StartupError, said)]
        assert [port.open for port in at.ports] == ([True, True] if fault else [])
        assert at.service.ports == at.ports[:1]

    at = house(hello, access_log=log, endpoints=("tcp:0", "tcp:1", "tcp:2"))
    at.listening = lambda port: fail(fault) if port.number else succeed(port)
    serving(at, main)
    assert not any(port.open for port in at.ports[:1])


def test_a_fault_of_ours_is_logged_and_without_anybody_to_tell_the_reactor_stops(house, caplog):
    at, stops = house(hello), []
    at.tcp, at.stop = lambda *_: 1 / 0, lambda: stops.append(len(caplog.records))
    serving(at)
    [error] = at.failures
    at.service = ASGIService(at.config, at, application=hello)
    serving(at)
    assert stops == [3]
    assert caplog.messages == ["The server did not start:", "The server did not start:", str(error)]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


# --- Stopping ---------------------------------------------------------------------------------


async def forever(scope, receive, send):
    await asyncio.sleep(1000)


async def stubborn(scope, receive, send):
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(1000)
    await asyncio.sleep(1000)


async def begun(scope, receive, send):
    await sending(start(), body(b"begun", more=True))(scope, receive, send)
    await asyncio.sleep(1000)


async def touchy(scope, receive, send):
    """As frameworks are that take the cancellation of their lifespan for a failure of theirs."""
    if scope["type"] == "http":
        await begun(scope, receive, send)
    await receive()
    await send({"type": "lifespan.startup.complete"})
    try:
        await receive()
    finally:
        await send({"type": "lifespan.shutdown.failed"})


@pytest.mark.parametrize("closes", [1, 4])
def test_what_is_in_flight_finishes_when_every_port_has_closed(house, closes):
    async def app(scope, receive, send):
        await asyncio.sleep(3)
        await hello(scope, receive, send)

    async def main(at: House) -> None:
        wire, closed = at.connect(), Deferred()
        at.ports[0].stopListening = lambda: closed
        asyncio.get_running_loop().call_later(closes, closed.callback, None)
        assert await at.stopped() == max(closes, 3)
        assert wire.received.endswith(b"\r\n\r\nhello")
        assert (wire.closed, wire.aborted) == (True, False)

    serving(house(app), main)


@pytest.mark.parametrize(
    ("app", "reading", "time", "seconds", "aborted", "waits_for"),
    [
        (forever, True, 20, 20, False, "1 request"),
        (begun, True, 20, 20, True, "1 request"),
        (hello, False, 0, 0, True, None),
        (stubborn, True, 20, 31, True, "1 request"),
        (hello, False, 20, 21, True, "1 connection"),
        (hello, True, 20, 0, False, None),
    ],
)
def test_what_does_not_end_in_time_is_cut(
    house, caplog, app, reading, time, seconds, aborted, waits_for
):
    async def main(at: House) -> None:
        wire = at.connect(reading=reading)
        await turn()
        assert await at.stopped() == seconds
        assert (wire.closed, wire.aborted) == (True, aborted)
        told = [message for message in caplog.messages if message.startswith("Stopping")]
        assert told == ([f"Stopping: waiting up to 20 s for {waits_for}!"] if waits_for else [])

    caplog.set_level(logging.INFO)
    serving(house(app, graceful_timeout=time, application_close_timeout=10), main)


@pytest.mark.parametrize(
    ("app", "lifespan", "reading", "left"),
    [(begun, "off", 1, 0), (hello, "off", 0, 0), (stubborn, "on", 1, 2), (touchy, "on", 1, 1)],
)
def test_a_second_signal_waits_for_nothing(
    house, tmp_path, opened, caplog, app, lifespan, reading, left
):
    async def main(at: House) -> None:
        wires = [at.connect(reading=reading) for _ in at.ports]
        await turn()
        stopping = at.service.stopService()
        await turn()
        assert not stopping.called
        at.service.force()
        await turn()
        assert stopping.called
        assert all(wire.aborted for wire in wires)
        assert all(file.closed for file in opened)
        assert len(asyncio.all_tasks()) - 1 == left, "what ignores its cancellation"

    given = {"access_log": str(tmp_path / "log"), "lifespan": lifespan, "graceful_timeout": 300}
    serving(house(app, **given), main)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_stop_that_fails_is_logged_and_over(house, caplog):
    async def main(at: House) -> None:
        at.ports[0].stopListening = lambda: 1 / 0
        await at.stopped()
        assert caplog.records[0].exc_info[0] is ZeroDivisionError

    serving(house(hello), main)


@pytest.mark.parametrize(
    ("after", "lifespan", "fails"),
    [(0, "on", False), (1, "on", False), (1, "off", False), (1, "off", True)],
)
def test_a_start_that_is_not_over_ends_in_silence(house, caplog, after, lifespan, fails):
    async def main() -> None:
        at.service.force()  # Nothing has begun that it could end.
        at.service.startService()
        await asyncio.sleep(after)
        if fails:
            listening.errback(StartupError("in use"))
        assert await at.stopped() == 0
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == 1
        assert at.service.ports == at.failures == caplog.records == []

    at, listening = house(forever, lifespan=lifespan), Deferred()
    at.listening = lambda port: listening
    run(main())


# --- What a configuration means ---------------------------------------------------------------


def test_the_default_fields_are_there_once_and_the_operators_own_instead_of_ours():
    def names(**options: Any) -> list[bytes]:
        return [name for name, _ in default_fields(Config(**options)).fields()]

    assert names() == [b"date", b"server"]
    assert names(no_date_header=True) == [b"server"]
    assert names(no_server_name=True) == names(server_name="") == [b"date"]
    own = ((b"server", b"s"), (b"date", b"d"), (b"x", b"y"))
    assert default_fields(Config(headers=own)).fields() == list(own)
    assert (b"server", b"caf\xe9") in default_fields(Config(server_name="caf\xe9")).fields()


def test_everything_asked_for_is_listened_on_and_named_as_an_operator_would(house):
    at = house(endpoints=("a:1", "b:2"), port=0, unix_socket="/x", file_descriptor=3)
    named = [text for text, _ in listening_on(at.config, at)]
    assert named == ["a:1", "b:2", "127.0.0.1:0", "/x", "descriptor 3"]
    own = [("tcp", "127.0.0.1", 0), ("unix", "/x"), ("inherited", 3)]
    assert at.asked == [("string", "a:1"), ("string", "b:2"), *own]
    assert describe(IPv4Address("TCP", "127.0.0.1", 80)) == "http://127.0.0.1:80"
    assert describe(IPv6Address("TCP", "::1", 80)) == "http://[::1]:80"
    assert describe(UNIXAddress(b"/a/\xff")) == "unix:/a/\ufffd"
