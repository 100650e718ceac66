"""Daphne's Server: what its arguments mean here, and when its callables are called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import fail, succeed

from daphne_like import standalone
from daphne_like.errors import ConfigError, DaphneLikeError, StartupError
from daphne_like.options import configure
from daphne_like.standalone import Server, options_of
from tests.unit.asgi.fakes import TimelessLoop, body, sending, start
from tests.unit.fakes import House

PLACE = "tcp:port=8000:interface=127.0.0.1"


class Standing(House):
    """What is below a server: a process whose reactor runs for as long as `main` takes."""

    running = False

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        monkeypatch.setattr(standalone, "process", self)
        monkeypatch.setattr(standalone, "logs", self)
        self.loop = TimelessLoop()
        self.calls: list[Any] = []
        self.main: Callable[[], None] = int

    def install_reactor(self, *, tls: bool) -> Standing:
        assert tls
        return self

    def loop_of(self, reactor: Any) -> TimelessLoop:
        assert reactor is self
        return self.loop

    def bridge_twisted_log(self) -> None:
        self.calls.append("bridge_twisted_log")

    def run(self, reactor: Any, begin: Any, end: Any, *others: Any) -> None:
        self.calls.append([call.__name__ for call in others])
        self.run_beside(reactor, begin, end)

    def run_beside(self, reactor: Any, begin: Any, end: Any) -> None:
        assert reactor is self
        assert asyncio.get_event_loop() is self.loop
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serving(begin, end))

    async def _serving(self, begin: Any, end: Any) -> None:
        self.running = True
        begin()
        await asyncio.sleep(5)
        self.main()
        await asyncio.sleep(5)
        await end().asFuture(self.loop)
        self.running = False

    def stop(self) -> None:
        self.calls.append("stop")

    def stop_from_thread(self, reactor: Any) -> None:
        assert reactor is self
        self.calls.append("stop from thread")


@pytest.fixture
def below(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    yield (standing := Standing(monkeypatch))
    standing.loop.close()
    asyncio.set_event_loop(None)


hello = sending(start(200, (b"content-length", b"5")), body(b"hello"))


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


# --- Serving ----------------------------------------------------------------------------------


def test_it_serves_and_tells_of_it(below: Standing) -> None:
    told: list[Any] = []
    server = Server(hello, [PLACE], action_logger=lambda *action: told.append(action))
    below.main = lambda: wires.append(below.connect())
    wires: list[Any] = []
    server.run()
    assert wires[0].received.endswith(b"hello")
    assert [action[:2] for action in told] == [("http", "complete")]
    assert below.asked == [("string", PLACE)]
    assert below.calls == ["bridge_twisted_log", ["force", "reopen_logs", "reload"]]


def test_without_signal_handlers_or_anybody_to_tell_it_serves_as_well(below: Standing) -> None:
    server = Server(hello, [PLACE], signal_handlers=False)
    below.main = lambda: wires.append(below.connect())
    wires: list[Any] = []
    server.run()
    assert wires[0].received.endswith(b"hello")
    assert below.calls == ["bridge_twisted_log"]


def test_who_asked_is_called_when_the_addresses_are_known(below: Standing) -> None:
    def on_unix(port: Any) -> Any:
        if port.number == 1:
            port.getHost = lambda: UNIXAddress("/run/it")
        return succeed(port)

    seen: list[Any] = []
    server = Server(hello, [PLACE, "unix:/run/it", PLACE])
    server.ready_callable = lambda: seen.append((server.listening_addresses, server.listeners))
    below.listening = on_unix
    assert server.listeners == server.listening_addresses == []
    server.run()
    assert seen == [([("127.0.0.1", 0), ("127.0.0.1", 2)], below.ports)]
    assert server.listeners == []


def test_connections_are_those_that_the_application_has_not_ended(below: Standing) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1)
        seen.extend(server.connections.values())
        await hello(scope, receive, send)

    seen: list[dict[str, Any]] = []
    server = Server(waits, [PLACE], options={"lifespan": "off"})
    below.main = lambda: wires.append(below.connect())
    wires: list[Any] = []
    assert server.connections == {}
    server.run()
    assert [type(one["application_instance"]) for one in seen] == [asyncio.Task]
    assert server.connections == {}


def test_an_agent_may_put_a_property_in_the_place_of_the_application(below: Standing) -> None:
    class Measured(Server):
        pass

    def measured(server: Any, scope: Any, receive: Any, send: Any) -> Any:
        asked.append(scope["type"])
        return vars(server)["application"](scope, receive, send)

    asked: list[str] = []
    Measured.application = property(  # type: ignore[assignment]
        lambda server: lambda *given: measured(server, *given),
        lambda server, value: vars(server).update(application=value),
    )
    server = Measured(hello, [PLACE], options={"lifespan": "off"})
    assert vars(server)["application"] is hello
    below.main = lambda: wires.append(below.connect())
    wires: list[Any] = []
    server.run()
    assert wires[0].received.endswith(b"hello")
    assert asked == ["http"]


def test_an_interrupt_in_the_application_stops_the_server(below: Standing, caplog) -> None:
    async def interrupted(scope: Any, receive: Any, send: Any) -> None:
        raise KeyboardInterrupt

    server = Server(interrupted, [PLACE], options={"lifespan": "off"})
    below.main = lambda: wires.append(below.connect())
    wires: list[Any] = []
    server.run()
    assert wires[0].received.startswith(b"HTTP/1.1 500")
    assert below.calls[-1] == "stop from thread"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(("verbosity", "debug"), [(1, False), (3, True)])
def test_most_words_turn_on_the_loops_debug_mode(below: Standing, verbosity, debug) -> None:
    Server(hello, [PLACE], verbosity=verbosity).run()
    assert below.loop.get_debug() is debug


# --- Not serving ------------------------------------------------------------------------------


def test_without_endpoints_it_leaves_the_process(caplog) -> None:
    with pytest.raises(SystemExit) as left:
        Server(hello, [])
    assert left.value.code == 1
    assert caplog.messages == ["No endpoints: there is nothing to listen on."]


@pytest.mark.parametrize("signal_handlers", [False, True])
def test_where_it_cannot_listen_it_says_why_and_leaves(below, caplog, signal_handlers) -> None:
    ready: list[Any] = []
    server = Server(hello, [PLACE], signal_handlers, ready_callable=lambda: ready.append(1))
    below.listening = lambda port: fail(StartupError("in use."))
    with pytest.raises(SystemExit) as left:
        server.run()
    assert left.value.code == 1
    assert left.value.__cause__ is server.failure
    assert str(server.failure) == "in use."
    assert server.abort_start
    assert ready == []
    assert "stop" in below.calls
    assert [r.message for r in caplog.records if r.levelno == logging.CRITICAL] == ["in use."]


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"root_path": "x"}, 2, "--root-path x has no slash in front: write /x."),
        (
            {"proxy_forwarded_address_header": "A", "proxy_forwarded_proto_header": "B"},
            2,
            "proxy_forwarded_proto_header B: only X-Forwarded-Proto is read.",
        ),
    ],
)
def test_arguments_that_cannot_work_end_it_before_it_begins(below, given, status, said) -> None:
    server = Server(hello, [PLACE], **given)
    with pytest.raises(SystemExit) as left:
        server.run()
    assert left.value.code == status
    assert str(server.failure) == said
    assert below.calls == []


def test_an_error_that_has_no_status_of_its_own_is_status_1(below, monkeypatch) -> None:
    def refuse(**how: Any) -> None:
        raise DaphneLikeError("no")

    monkeypatch.setattr(below, "install_reactor", refuse)
    with pytest.raises(SystemExit) as left:
        Server(hello, [PLACE]).run()
    assert left.value.code == 1


def test_stopped_before_it_runs_it_does_nothing(below: Standing) -> None:
    server = Server(hello, [PLACE])
    server.stop()
    server.run()
    assert server.abort_start
    assert below.calls == below.asked == []


def test_stopped_while_the_reactor_is_about_to_run_it_does_not_listen(below, monkeypatch) -> None:
    server = Server(hello, [PLACE])
    monkeypatch.setattr(below, "bridge_twisted_log", server.stop)
    server.run()
    assert below.calls[-1] == "stop from thread"
    assert below.asked == []


def test_what_cannot_be_called_is_not_served(below: Standing) -> None:
    server = Server("a word", [PLACE])  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as left:
        server.run()
    assert left.value.code == 2
    assert str(server.failure) == "'a word' is no application: it cannot be called."


def test_a_second_server_is_refused_while_the_first_runs_and_harms_it_not(below: Standing) -> None:
    def another() -> None:
        with pytest.raises(SystemExit) as left:
            second.run()
        assert left.value.code == 2
        second.stop()
        wires.append(below.connect())

    second, wires = Server(nothing, [PLACE]), list[Any]()
    below.main = another
    Server(hello, [PLACE]).run()
    assert "a process serves with one Server, once" in str(second.failure)
    assert wires[0].received.endswith(b"hello")
    assert below.asked == [("string", PLACE)]
    assert below.calls == ["bridge_twisted_log", ["force", "reopen_logs", "reload"]]


def test_what_has_run_is_refused_before_anything_listens(below: Standing) -> None:
    server = Server(hello, [PLACE])
    server.run()
    with pytest.raises(SystemExit):
        server.run()
    assert isinstance(server.failure, ConfigError)
    assert below.asked == [("string", PLACE)]


def test_a_reactor_that_runs_is_stopped_from_any_thread(below: Standing) -> None:
    server = Server(hello, [PLACE])
    below.main = server.stop
    server.run()
    assert below.calls[-1] == "stop from thread"
    assert not server.abort_start
    server.stop()
    assert server.abort_start


# --- What its arguments mean ------------------------------------------------------------------


def meant(**given: Any) -> dict[str, Any]:
    """The options that differ from those of a server without further arguments."""
    plain = options_of(Server(nothing, [PLACE]))
    options = options_of(Server(nothing, [PLACE], **given))
    configure(options)
    return {name: options[name] for name in options if plain.get(name) != options[name]}


def test_daphnes_defaults_are_those_of_the_options() -> None:
    config = configure(options_of(Server(nothing, [PLACE])))
    plain = configure({"application": config.application, "endpoints": (PLACE,)})
    assert config.no_access_log
    assert config.limits == plain.limits
    assert config.server_name == plain.server_name


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"http_timeout": 3}, {"http_timeout": 3}),
        ({"http_timeout": 0}, {}),
        ({"request_buffer_size": 1}, {}),
        ({"websocket_timeout": -1}, {"websocket_timeout": -1}),
        ({"websocket_connect_timeout": 3}, {"websocket_connect_timeout": 3}),
        ({"websocket_handshake_timeout": 30}, {"websocket_connect_timeout": 20}),
        ({"websocket_handshake_timeout": 0}, {"websocket_connect_timeout": 20}),
        (
            {"websocket_handshake_timeout": 0, "websocket_connect_timeout": -1},
            {"websocket_connect_timeout": 0.0},
        ),
        ({"verbosity": 9}, {"verbosity": 3}),
        ({"root_path": "/at", "server_name": ""}, {"root_path": "/at", "server_name": ""}),
        ({"options": {"lifespan": "off"}}, {"lifespan": "off"}),
        ({"proxy_forwarded_port_header": "X"}, {}),
        (
            {"proxy_forwarded_address_header": "X-Real-IP"},
            {
                "proxy_headers": True,
                "proxy_headers_host": "X-Real-IP",
                "forwarded_fields": "for",
            },
        ),
        (
            {
                "proxy_forwarded_address_header": "X-Forwarded-For",
                "proxy_forwarded_port_header": "X-Forwarded-Port",
                "proxy_forwarded_proto_header": "X-Forwarded-Proto",
                "options": {"forwarded_allow_ips": "*"},
            },
            {
                "proxy_headers": True,
                "proxy_headers_host": "X-Forwarded-For",
                "proxy_headers_port": "X-Forwarded-Port",
                "forwarded_fields": "for,port,proto",
                "forwarded_allow_ips": "*",
            },
        ),
    ],
)
def test_an_argument_means_an_option(given: dict[str, Any], options: dict[str, Any]) -> None:
    assert meant(**given) == options


def test_a_wrong_option_is_told_when_it_runs(below: Standing) -> None:
    server = Server(nothing, [PLACE], options={"lifespan": "on", "port": 70000})
    with pytest.raises(SystemExit):
        server.run()
    assert isinstance(server.failure, ConfigError)
