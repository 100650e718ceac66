"""The parts of a server: what it makes of a configuration."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from daphne_like.assembly import (
    LoopClock,
    admin_endpoint,
    asgi,
    default_fields,
    describe,
    https_port,
    listening_on,
    opened_by,
    redirecting_on,
    rehearse,
    take_sockets,
)
from daphne_like.config import Config
from daphne_like.errors import ConfigError
from daphne_like.testing import FakeStream, MemoryWire, RecordingOpen
from daphne_like.transport import activation
from tests.unit.asgi.fakes import body, request, run, sending, start
from tests.unit.fakes import GET, House, serving

ENCRYPTION: Any = SimpleNamespace(secured="secure", of_options=lambda: "secured")
OTHER = IPv4Address("TCP", "192.0.2.9", 1)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **options)


async def hello(scope, receive, send) -> None:
    await sending(start(200, (b"content-length", b"5")), body(b"hello"))(scope, receive, send)


async def slow(scope, receive, send) -> None:
    await asyncio.sleep(1)
    await hello(scope, receive, send)


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


def test_a_file_that_cannot_be_written_to_is_told_of_before_anybody_can_connect(house):
    at = house(access_log="/")
    serving(at)
    assert [str(error) for error in at.failures] == [
        "Cannot write to --access-log /: Is a directory."
    ]
    assert at.ports == []


def test_a_format_that_is_none_is_told_of_whether_lines_are_written_or_not(house):
    at = house(access_log_format="combine", no_access_log=True)
    serving(at)
    assert [str(error) for error in at.failures] == [
        "--access-log-format 'combine': no such format; did you mean combined?"
    ]


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
    ("options", "refused"),
    [
        ({}, None),
        ({"demo": False, "application": "nowhere:app"}, "Cannot import 'nowhere'"),
        ({"forwarded_allow_ips": "nobody"}, "--forwarded-allow-ips 'nobody'"),
        ({"access_log_format": "%(nothing)s"}, "--access-log-format"),
        ({"request_id": "X-Forwarded-For", "proxy_headers": True}, "--request-id X-Forwarded-For"),
    ],
)
def test_a_rehearsal_makes_what_a_start_makes_and_starts_nothing(house, options, refused):
    at = house(port=1, **options)
    if refused:
        with pytest.raises(ConfigError, match=refused):
            run(rehearse(at.config, at))
    else:
        run(rehearse(at.config, at))
        assert at.asked == [("tcp", "127.0.0.1", 1)]
    assert at.ports == []


def test_a_rehearsal_makes_what_redirects_too(house):
    at = house(port=1, insecure_bind=(("127.0.0.1", 80),), https_port=443)
    run(rehearse(at.config, at))
    assert at.asked == [("tcp", "127.0.0.1", 1), ("tcp", "127.0.0.1", 80)]


@pytest.mark.parametrize(
    ("options", "coloured"),
    [
        ({"color": "always"}, True),
        ({"color": "never"}, False),
        ({"color": "always", "access_log_format": "common"}, False),
    ],
)
def test_the_default_lines_may_have_colours(house, monkeypatch, options, coloured):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    serving(house(hello, verbosity=1, **options), House.get)
    assert ("\x1b[32m200\x1b[0m" in sys.stdout.getvalue()) is coloured


def test_a_file_has_no_colours(house, tmp_path):
    log = tmp_path / "log"
    serving(house(hello, access_log=str(log), color="always"), House.get)
    assert log.read_text().endswith('"GET /p" 200 5\n')


def test_access_lines_may_go_to_the_logger_in_any_format(house, caplog):
    caplog.set_level("INFO", "daphne_like.access")
    serving(house(hello, access_log="logging", access_log_format="%(m)s %(s)s"), House.get)
    told = [record for record in caplog.records if record.name == "daphne_like.access"]
    assert [(record.getMessage(), record.path) for record in told] == [("GET 200", "/p")]


def test_a_request_has_an_id_that_a_trusted_peer_may_give(house, caplog):
    async def failing(scope, receive, send):
        raise LookupError("mine")

    async def main(at: House) -> list[bool]:
        answers = [await at.get(GET[:-2] + b"X-Id: %b\r\n\r\n" % given) for given in (b"a1", b"%")]
        return [answer.count("x-id: a1\r\n") == 1 for answer in answers]

    options = {"request_id": "X-Id", "access_log": "logging", "access_log_format": "json"}
    caplog.set_level("INFO", "daphne_like.access")
    trusted = house(failing, forwarded_allow_ips="192.0.2.1", proxy_headers=True, **options)
    assert serving(trusted, main) == [True, False]
    assert "Exception inside application: GET /p [a1]" in caplog.messages
    assert any('"request_id":"a1"' in message for message in caplog.messages)
    assert serving(house(failing, **options), main) == [False, False]


def test_more_requests_than_may_run_are_answered_503(house, caplog):
    async def main(at: House) -> list[bytes]:
        wires = [at.connect() for _ in range(3)]
        await asyncio.sleep(2)
        wires.append(at.connect())
        await asyncio.sleep(2)
        return [bytes(wire.received[9:12]) for wire in wires]

    assert serving(house(slow, concurrency=2), main) == [b"200", b"200", b"503", b"200"]
    assert caplog.messages == ["Answered 503 to 1, with 2 requests running"]


@pytest.mark.parametrize("options", [{}, {"proxy_headers": True}])
def test_the_health_path_is_answered_in_front_of_everything_else(house, capsys, options):
    async def main(at: House) -> list[bytes]:
        asked = [GET, GET.replace(b"/p", b"/up")]
        return [bytes(at.connect(data).received[9:12]) for data in asked]

    at = house(slow, concurrency=1, verbosity=1, health_path="/up", **options)
    assert serving(at, main) == [b"", b"200"]
    assert capsys.readouterr().out.count("GET") == 1


def test_one_client_has_so_many_connections_and_no_more(house, caplog):
    async def main(at: House) -> None:
        clock = LoopClock(asyncio.get_running_loop())
        here = IPv4Address("TCP", "192.0.2.1", 50000)
        wires = [MemoryWire(at.factory.buildProtocol(here), clock, peer=here) for _ in range(2)]
        assert [at.factory.buildProtocol(here) for _ in range(3)] == [None] * 3
        assert at.factory.buildProtocol(OTHER) is not None
        assert at.factory.buildProtocol(UNIXAddress(None)) is not None
        wires[0].vanish()
        assert at.factory.buildProtocol(here) is not None
        wires[1].vanish()

    serving(house(hello, client_connections=2), main)
    assert caplog.messages == [
        f"Closed {number} connections of clients that have 2 already" for number in (1, 2)
    ]


def test_the_default_fields_are_there_once_and_the_operators_own_instead_of_ours():
    def names(**options: Any) -> list[bytes]:
        return [name for name, _ in default_fields(Config(**options)).fields()]

    assert names() == [b"date", b"server"]
    assert names(no_date_header=True) == [b"server"]
    assert names(no_server_name=True) == names(server_name="") == [b"date"]
    own = ((b"server", b"s"), (b"date", b"d"), (b"x", b"y"))
    assert default_fields(Config(headers=own)).fields() == list(own)
    assert (b"server", b"caf\xe9") in default_fields(Config(server_name="caf\xe9")).fields()


def test_what_asks_for_another_way_needs_no_address(house):
    at = house(unix_socket="/x")
    named = listening_on(at.config, at, "all", None, ENCRYPTION)
    assert [text for text, _ in named] == ["/x"]


def test_the_admin_listener_has_an_address_or_a_unix_socket_for_us_alone(house):
    at = house()
    for address in (("::1", 9000), ("/x", None)):
        assert admin_endpoint(address, at, at.config.limits) is at
    assert at.asked == [("tcp", "::1", 9000), ("unix", "/x", ("mode", 0o600))]
    assert at.options == ["--admin-bind"] * 2


def test_everything_asked_for_is_listened_on_and_named_as_an_operator_would(house):
    at = house(endpoints=("a:1", "b:2"), port=0, unix_socket="/x", file_descriptor=3)
    named = [text for text, _ in listening_on(at.config, at, "all", "some", ENCRYPTION)]
    assert named == ["a:1", "b:2", "127.0.0.1:0", "/x", "descriptor 3"]
    own = [("tcp", "127.0.0.1", 0), ("unix", "/x", ("mode", 0o666)), ("inherited", 3)]
    assert at.asked == [("string", "a:1"), ("string", "b:2"), *own]
    assert at.preambles == [("all", "some")] * 2 + [("some",)] * 3
    assert at.secured == [None] * 2 + ["secured"] * 3
    assert describe(IPv4Address("TCP", "127.0.0.1", 80)) == "http://127.0.0.1:80"
    assert describe(IPv6Address("TCP", "::1", 80)) == "http://[::1]:80"
    assert describe(UNIXAddress(b"/a/\xff")) == "unix:/a/\ufffd"
    assert describe(IPv6Address("TCP", "::1", 80), secure=True) == "https://[::1]:80"
    assert describe(UNIXAddress(b"/a"), secure=True) == "unix:/a (https)"
    assert describe(UNIXAddress(b"\0a")) == "unix:@a"


def test_a_port_may_be_shared_and_a_path_be_of_a_few(house):
    at = house(
        port=0,
        reuse_port=True,
        unix_socket="/x",
        unix_mode="0660",
        insecure_bind=(("[::1]", 80), ("/y", None)),
        https_port=443,
    )
    listening_on(at.config, at, "all", None, ENCRYPTION)
    redirecting_on(at.config, at, None)
    assert at.asked == [
        ("tcp", "127.0.0.1", 0, "shared"),
        ("unix", "/x", ("mode", 0o660)),
        ("tcp", "[::1]", 80, "shared"),
        ("unix", "/y"),
    ]


def test_one_string_may_be_several_endpoints(house, monkeypatch):
    at = house(endpoints=("systemd:", "tcp:0"))
    monkeypatch.setattr(at, "from_string", lambda reactor, text, *_: [text] * len(text))
    named = listening_on(at.config, at, "all", None, ENCRYPTION)
    names, found = zip(*named, strict=True)
    assert found == ("systemd:",) * 8 + ("tcp:0",) * 5
    assert (names[0], names[1], names[8]) == ("systemd:", "systemd:#1", "tcp:0")
    assert len({*names}) == 13


@pytest.mark.parametrize(
    ("strings", "taken"), [(("tcp:0",), 0), (("tcp:0", "haproxy:SystemD:index=1"), 1)]
)
def test_sockets_are_taken_where_a_string_asks_for_them(house, monkeypatch, strings, taken):
    calls: list[int] = []
    monkeypatch.setattr(activation, "passed", lambda: calls.append(1))
    take_sockets(house(endpoints=strings).config)
    assert len(calls) == taken


def test_what_redirects_is_listened_on_apart(house):
    at = house(insecure_bind=(("[::1]", 80), ("/x", None)), https_port=443)
    assert [text for text, _ in redirecting_on(at.config, at, "some")] == ["[::1]:80", "/x"]
    assert at.asked == [("tcp", "[::1]", 80), ("unix", "/x")]
    assert at.preambles == [("some",)] * 2
    assert at.options == ["--insecure-bind"] * 2
    assert redirecting_on(house().config, at, None) == []


V4, UNIX = IPv4Address("TCP", "127.0.0.1", 8443), UNIXAddress(b"/x")


def port(host, secure=True):
    """A port that is listened on."""
    return SimpleNamespace(getHost=lambda: host, secure=secure)


PLAIN = port(IPv4Address("TCP", "127.0.0.1", 80), secure=False)


@pytest.mark.parametrize(
    ("given", "listening", "found"),
    [
        ({}, [PLAIN, port(V4)], 8443),
        ({"https_port": 443}, [port(V4)], 443),
        ({}, [port(UNIX), port(V4)], 8443),
        ({}, [port(UNIX)], None),
        ({}, [PLAIN, SimpleNamespace(getHost=lambda: V4)], None),
    ],
)
def test_the_port_of_https_is_the_first_that_speaks_tls_or_what_the_operator_says(
    given, listening, found
):
    assert https_port(Config(**given), listening) == found


def test_a_process_that_has_served_enough_is_told_so(house):
    config = house(max_requests=3, max_requests_jitter=2).config
    application, told = SimpleNamespace(open=RecordingOpen()), list[int]()
    retire = lambda: told.append(len(application.open.exchanges))  # noqa: E731
    shared = SimpleNamespace(flood=None, refusals=None)
    open = opened_by(config, application, shared, retire, lambda least, most: least + most)
    for _ in range(9):
        open(request(), FakeStream())
    assert told == [4], "before the fifth is served"


# --- WebSockets ------------------------------------------------------------------------------

OPENING = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


async def chatting(scope, receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        pass


async def open_socket(at: House, *fields: bytes) -> bytes:
    """What a client gets that opens a WebSocket."""
    wire = at.connect(OPENING + b"".join(fields) + b"\r\n")
    await asyncio.sleep(0.1)
    return bytes(wire.received)


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        ({}, None),
        (
            {"ws_compression": "on"},
            b"server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            {"ws_compression": "on", "ws_compression_window_bits": 9},
            b"server_max_window_bits=9; client_max_window_bits=9",
        ),
        (
            {
                "ws_compression": "on",
                "ws_compression_window_bits": 15,
                "ws_compression_no_takeover": True,
            },
            b"server_no_context_takeover; client_no_context_takeover",
        ),
    ],
)
def test_messages_are_compressed_where_it_is_asked_for(house, options, agreed):
    received = serving(house(chatting, **options), lambda at: open_socket(at, OFFER))
    assert received.startswith(b"HTTP/1.1 101 ")
    if agreed is None:
        assert b"permessage-deflate" not in received
    else:
        assert b"sec-websocket-extensions: permessage-deflate; %b\r\n" % agreed in received


def test_what_compression_may_use_is_the_operators(house):
    names = "window_bits", "memory_level"
    given = {f"ws_compression_{name}": number for name, number in zip(names, (10, 3), strict=True)}
    at = house(ws_compression="on", websocket_compression_size=77, **given)
    made = run(made_of(at))
    assert made.compression == (10, True, 3, 77)
    assert run(made_of(house())).compression is None


async def made_of(at: House) -> Any:
    return asgi(at.config, chatting, asyncio.get_running_loop())


@pytest.mark.parametrize(("options", "code"), [({}, 1012), ({"ws_close_code": 1001}, 1001)])
def test_sockets_are_closed_with_the_code_when_the_server_stops(house, options, code):
    async def main() -> bytes:
        at = house(chatting, websocket_close_timeout=1.0, **options)
        at.service.startService()
        await asyncio.sleep(5)
        wire = at.connect(OPENING + b"\r\n")
        await asyncio.sleep(0.1)
        wire.received.clear()
        await at.stopped()
        return bytes(wire.received)

    assert run(main())[2:4] == code.to_bytes(2, "big")


def test_only_pages_that_may_open_sockets(house, caplog):
    async def main(at: House) -> list[bytes]:
        origins = b"https://a.example", b"https://evil.example"
        return [(await open_socket(at, b"Origin: %b\r\n" % origin))[9:12] for origin in origins]

    assert serving(house(chatting, ws_origins=("https://a.example",)), main) == [b"101", b"403"]
    assert [message.partition(" to ")[0] for message in caplog.messages] == ["Answered 403"]
    assert serving(house(chatting), main) == [b"101", b"101"]


def test_one_client_has_so_many_sockets_and_no_more(house, caplog):
    async def main(at: House) -> list[bytes]:
        return [(await open_socket(at))[9:12] for _ in range(3)]

    assert serving(house(chatting, websockets_per_client=2), main) == [b"101", b"101", b"429"]
    assert caplog.messages[:1] == ["Answered 429 to 1 WebSockets of clients that have 2 already"]
    assert serving(house(chatting), main) == [b"101"] * 3
