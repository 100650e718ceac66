"""The service: in what order it starts and stops, and what it makes of a configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed

from daphne_like.errors import StartupError
from daphne_like.notify import Notifier
from daphne_like.server import ASGIService
from tests.support.certificates import localhost
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


def test_certificates_are_kept_up_to_date_while_it_serves(house, caplog, tmp_path):
    async def main(at: House) -> None:
        at.service.reload()

    caplog.set_level(logging.INFO)
    path = localhost().write_in_one(tmp_path)
    at = house(hello, ssl_certfile=path)
    at.service.reload()
    serving(at, main)
    assert at.secured[0].identity.context
    assert caplog.messages[1:] == [f"Read the certificates of {path} again"]
    at = house(hello, ssl_certfile="/nowhere")
    serving(at)
    assert str(at.failures[0]).startswith("--ssl-certfile /nowhere: No such file")


def test_where_it_listens_with_tls_is_https(house, caplog):
    def secure(port: Any) -> Any:
        port.secure = True
        return succeed(port)

    caplog.set_level(logging.INFO)
    at = house(hello)
    at.listening = secure
    serving(at)
    assert caplog.messages == ["Listening on https://127.0.0.1:0"]


def test_who_is_believed_is_logged_once_everything_listens(house, caplog):
    caplog.set_level(logging.INFO)
    serving(house(hello, proxy_protocol=True))
    assert caplog.messages == [
        "Listening on http://127.0.0.1:0",
        "PROXY protocol: required from 127.0.0.1, ::1 and Unix sockets",
    ]


def test_an_idle_connection_is_closed_by_the_loops_clock(house):
    async def main(at: House) -> None:
        wire = at.connect()
        for seconds, closed in ((74, False), (2, True)):
            await asyncio.sleep(seconds)
            assert wire.closed is closed

    serving(house(hello, keep_alive=75.0), main)


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
    at.tcp, at.stop = lambda *_, **__: 1 / 0, lambda: stops.append(len(caplog.records))
    serving(at)
    [error] = at.failures
    at.service = ASGIService(at.config, at, application=hello)
    serving(at)
    assert stops == [3]
    assert caplog.messages == ["The server did not start:", "The server did not start:", str(error)]
    assert caplog.records[0].exc_info[0] is ZeroDivisionError


# --- With privileges ---------------------------------------------------------------------------


def test_what_needs_privileges_is_done_before_the_application_is_loaded(house, tmp_path):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await hello(scope, receive, send)
            return
        await receive()
        started.append((len(at.ports), list(at.bound)))
        await send({"type": "lifespan.startup.complete"})
        await receive()

    async def main() -> None:
        at.service.privilegedStartService()
        tmp_path.joinpath("server.pem").unlink()
        assert (at.bound, len(at.ports), started) == (["bound"], 0, [])
        at.service.startService()
        await asyncio.sleep(5)
        assert started == [(0, ["bound"])]
        assert (await at.get()).startswith("HTTP/1.1 200 ")
        await at.stopped()

    started: list[Any] = []
    path = localhost().write_in_one(tmp_path)
    at = house(app, ssl_certfile=path, lifespan="on")
    run(main())
    assert at.failures == []


def test_the_loop_has_to_be_the_current_one_by_then(house):
    async def early() -> None:
        at.service.privilegedStartService()

    at = house(hello)
    run(early())
    serving(at)
    [error] = at.failures
    assert "call asyncio.set_event_loop() where the reactor is installed" in str(error)
    assert at.bound[:2] == ["bound", "unbound"]


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_bound_is_given_back_by_a_stop_and_by_a_start_that_fails(house, begun):
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def main() -> None:
        at.service.privilegedStartService()
        if begun:
            at.service.startService()
            await asyncio.sleep(5)
        await at.stopped()

    at = house(app, lifespan="on")
    run(main())
    assert [error.exit_status for error in at.failures] == [3] * begun
    assert at.ports == []
    assert at.bound[:2] == ["bound", "unbound"]


def test_what_cannot_be_bound_is_raised_to_who_starts_it(house):
    def bind() -> None:
        raise StartupError("permission denied")

    async def main() -> None:
        at.service.privilegedStartService()

    at = house(hello)
    at.binding = bind
    with pytest.raises(StartupError, match="permission denied"):
        run(main())
    assert at.bound == ["bound", "unbound"]


# --- Again -----------------------------------------------------------------------------------


def counting(events: list[str]) -> Any:
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await hello(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await asyncio.sleep(1)
            events.append(phase)
            await send({"type": f"lifespan.{phase}.complete"})

    return app


def test_a_service_that_has_stopped_may_be_started_again(house):
    async def main() -> None:
        for number in range(3):
            at.service.startService()
            await asyncio.sleep(5)
            assert at.service.ports == at.ports[number:]
            assert (await at.get()).startswith("HTTP/1.1 200 ")
            await at.stopped()
            assert at.service.ports == []

    events: list[str] = []
    at = house(counting(events), lifespan="on")
    run(main())
    assert events == ["startup", "shutdown"] * 3
    assert at.failures == []


def test_a_start_waits_for_the_stop_before_it(house):
    async def main() -> None:
        at.service.startService()
        await asyncio.sleep(5)
        stopped = at.service.stopService()
        at.service.startService()
        assert not stopped.called
        await asyncio.sleep(5)
        assert stopped.called
        assert events == ["startup", "shutdown", "startup"]
        assert at.service.ports == at.ports[1:]
        await at.stopped()

    events: list[str] = []
    at = house(counting(events), lifespan="on")
    run(main())


def test_who_changes_his_mind_again_and_again_is_served_or_not_as_he_said_last(house):
    async def main(last: bool) -> None:
        at.service.startService()
        await asyncio.sleep(5)
        for _ in range(3):
            at.service.stopService()
            at.service.startService()
        if last:
            await asyncio.sleep(5)
            assert at.service.ports == at.ports[1:]
        await at.stopped()
        assert events == ["startup", "shutdown"] * (2 if last else 1)

    for last in (True, False):
        events: list[str] = []
        at = house(counting(events), lifespan="on")
        run(main(last))
        assert at.failures == []


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


def test_who_still_comes_is_served_for_a_while_and_readiness_fails_already(house, caplog):
    async def main(at: House) -> None:
        loop = asyncio.get_running_loop()
        idle, began = at.connect(), loop.time()
        stopping = at.service.stopService()
        for _ in range(2):
            await asyncio.sleep(4)
            assert "HTTP/1.1 503 " in await at.get(GET.replace(b"/p", b"/up"))
            reply = await at.get()
            assert reply.startswith("HTTP/1.1 200 OK\r\n")
            assert "\r\nconnection: close\r\n" in reply
            assert (at.ports[0].open, idle.closed) == (True, False)
        await stopping.asFuture(loop)
        assert loop.time() - began == 10
        assert (at.ports[0].open, idle.closed) == (False, True)
        assert caplog.messages[-1] == "Stopping: serving on for 10 s, while readiness fails!"
        assert b"STATUS=Stopping: serving on for 10 s, while readiness fails" in at.words

    caplog.set_level(logging.INFO)
    serving(house(hello, drain_delay=10.0, health_path="/up"), main)


def test_a_second_signal_ends_that_too_and_every_port_closes(house):
    async def main(at: House) -> None:
        loop = asyncio.get_running_loop()
        stopping, began = at.service.stopService(), loop.time()
        await turn()
        assert at.ports[0].open
        at.service.force()
        await stopping.asFuture(loop)
        assert (at.ports[0].open, loop.time()) == (False, began)

    serving(house(hello, drain_delay=10.0), main)


def test_a_start_that_failed_is_not_waited_for(house):
    async def main(at: House) -> None:
        assert at.failures
        assert await at.stopped() < 1

    at = house(hello, drain_delay=10.0)
    at.listening = lambda port: fail(StartupError("in use."))
    serving(at, main)


# --- The service manager ----------------------------------------------------------------------


def first_words(at: House) -> list[str]:
    return [words.decode().partition("\n")[0].partition("_USEC")[0] for words in at.words]


def test_a_service_manager_hears_of_every_stage(house):
    async def main(at: House) -> None:
        assert first_words(at) == ["EXTEND_TIMEOUT", "READY=1"]
        at.service.reload()
        await at.stopped()
        at.service.reload()

    at = house(hello)
    at.service.reload()
    assert at.words == []
    serving(at, main)
    stages = ["EXTEND_TIMEOUT", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1", "EXTEND_TIMEOUT"]
    assert first_words(at)[:6] == stages


def test_a_service_manager_hears_why_a_start_fails(house):
    at = house(hello)
    at.listening = lambda port: fail(StartupError("in use."))
    serving(at)
    assert at.words[1] == b"STATUS=Failed: in use."
    assert not [words for words in at.words if words.startswith(b"READY")]


def test_a_service_manager_hears_the_loop_until_all_is_over(house, monkeypatch):
    async def main(at: House) -> None:
        await asyncio.sleep(20)
        assert at.words.count(b"WATCHDOG=1") == 3

    at = house(hello)
    monkeypatch.setattr(at.service, "_notifier", Notifier(at.words.append, 10.0))
    serving(at, main)
    assert at.words[-1] != b"WATCHDOG=1"


# --- The access log ---------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [True, False])
def test_a_file_that_was_moved_away_is_opened_again_and_closed_at_the_end(
    house, tmp_path, opened, lines
):
    async def main(at: House) -> None:
        log.rename(tmp_path / "log.1")
        at.service.reopen_logs()
        await at.get()

    log = tmp_path / "log"
    log.touch()
    serving(house(hello, access_log=str(log), no_access_log=not lines), main)
    assert [file.closed for file in opened] == [True] * (2 * lines)
    assert log.exists() is lines
    assert (tmp_path / "log.1").read_bytes() == b""


# --- Actions ----------------------------------------------------------------------------------


def test_who_wants_to_hear_of_every_step_does(house):
    async def main(at: House) -> None:
        await at.get()
        [(protocol, action, details)] = at.told
        assert (protocol, action, details["status"]) == ("http", "complete", 200)

    serving(house(hello), main)


# --- Daphne's names ---------------------------------------------------------------------------


def test_daphnes_names_are_found_when_they_are_asked_for(monkeypatch):
    from daphne_like import process, server, standalone

    assert server.Server is standalone.Server
    loops: list[Any] = []
    monkeypatch.setattr(process, "install_reactor", lambda *, tls: f"a reactor, {tls}")
    monkeypatch.setattr(process, "loop_of", lambda reactor: loops.append(reactor) or "its loop")
    assert server.twisted_loop == "its loop"
    assert loops == ["a reactor, True"]
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = server.other
