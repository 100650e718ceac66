"""The admin listener: its pages, and that it is there before the application and after it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import fail, succeed

from daphne_like.errors import StartupError
from daphne_like.orders import ADMIN, Orders
from daphne_like.siblings import Siblings
from tests.unit.asgi.fakes import body, run, sending, start, turn
from tests.unit.fakes import GET, House, Port, serving

BIND = ("127.0.0.1", 9000)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Callable[..., House]:
    return lambda *given, **options: House(monkeypatch, *given, **{"admin_bind": BIND, **options})


class Reply:
    """What came of one request to the admin listener."""

    def __init__(self, at: House, target: str, method: str = "GET") -> None:
        wire = at.connect(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), index=0)
        head, _, self.body = bytes(wire.received).partition(b"\r\n\r\n")
        first, *lines = head.decode().splitlines()
        self.status = int(first.split()[1])
        self.fields = dict(line.split(": ") for line in lines)
        wire.vanish()


async def hello(scope, receive, send) -> None:
    await sending(start(), body(b"hello"))(scope, receive, send)


async def slow(scope, receive, send) -> None:
    await asyncio.sleep(3)
    await hello(scope, receive, send)


def asked(at: House, *given: str) -> Reply:
    async def main(at: House) -> Reply:
        return Reply(at, *given)

    reply: Reply = serving(at, main)
    return reply


# --- Pages ------------------------------------------------------------------------------------


def test_a_loop_that_answers_lives(house):
    reply = asked(house(hello), "/livez")
    assert (reply.status, reply.body) == (200, b"ok\n")
    assert reply.fields["content-type"] == "text/plain; charset=utf-8"
    assert reply.fields["cache-control"] == "no-store"


def test_head_gets_the_status_alone(house):
    reply = asked(house(hello), "/readyz?verbose", "HEAD")
    assert (reply.status, reply.body) == (200, b"")


def test_another_path_is_answered_404_with_those_that_there_are(house):
    reply = asked(house(hello), "/")
    assert (reply.status, reply.body) == (
        404,
        b"There is /livez, /readyz, /metrics, /connections.\n",
    )


def test_another_method_is_answered_405_with_those_that_may_be(house):
    reply = asked(house(hello), "/livez", "POST")
    assert (reply.status, reply.fields["allow"]) == (405, "GET, HEAD")


def test_metrics_are_what_prometheus_reads_and_admin_requests_are_not_among_them(house):
    async def main(at: House) -> Reply:
        await at.get()
        Reply(at, "/metrics")
        return Reply(at, "/metrics")

    reply = serving(house(hello, watchdog=1000.0), main)
    assert reply.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {found.name: found for found in text_string_to_metric_families(reply.body.decode())}
    (sample,) = families["daphne_like_requests"].samples
    assert (sample.value, sample.labels["method"]) == (1, "GET")
    assert families["daphne_like_connections_accepted"].samples[0].value == 1
    assert families["daphne_like_event_loop_blocks"].samples[0].value == 0
    assert families["daphne_like_info"].samples[0].labels["loop"] == "tests"


def test_connections_are_shown_with_what_they_do_the_busy_ones_first(house):
    async def main(at: House) -> Any:
        wires = [at.connect(GET[:9]), at.connect(b""), at.connect()]
        await asyncio.sleep(1)
        wires.append(at.connect())
        await asyncio.sleep(0.5)
        page = json.loads(Reply(at, "/connections").body)
        await asyncio.sleep(3)
        for wire in wires:
            wire.vanish()
        return page

    page = serving(house(slow), main)
    assert page["stage"] == "ready"
    assert page["totals"] == {"open": 4, "accepted": 4, "running": 2}
    assert [each["age"] for each in page["connections"]] == [1.5, 0.5, 1.5, 1.5]
    client = {"client": "192.0.2.1:50000", "peer": "192.0.2.1:50000"}
    request = {"method": "GET", "target": "/p", "age": ANY, "state": "waiting"}
    assert page["connections"][1] == {
        **client, "age": 0.5, "requests": 1, "state": "request", "current": [request],
    }  # fmt: skip
    rest = {(each["state"], each["age"], each["requests"]) for each in page["connections"][2:]}
    assert rest == {("head", 1.5, 0), ("idle", 1.5, 0)}


def test_of_a_long_target_the_beginning_is_shown(house):
    async def main(at: House) -> str:
        wire = at.connect(GET.replace(b"/p", b"/" + b"p" * 300 + b"?q"))
        page = json.loads(Reply(at, "/connections").body)
        wire.vanish()
        return page["connections"][0]["current"][0]["target"]

    assert serving(house(slow), main) == "/" + "p" * 199 + "..."


def test_the_client_is_whom_the_request_is_for_and_the_peer_who_is_connected(house):
    async def main(at: House) -> Any:
        said = b"X-Forwarded-For: 10.0.0.1\r\n\r\n"
        wire = at.connect(GET[:-2] + said)
        page = json.loads(Reply(at, "/connections").body)
        wire.vanish()
        return page["connections"][0]

    shown = serving(house(slow, proxy_headers=True, forwarded_allow_ips="*"), main)
    assert (shown["client"], shown["peer"]) == ("10.0.0.1:0", "192.0.2.1:50000")


def test_a_client_without_a_name_has_none_and_of_very_many_some_are_shown(house):
    async def main(at: House) -> Any:
        wires = [at.connect(b"") for _ in range(1001)]
        for connection in wires:
            connection._protocol.client = None
        page = json.loads(Reply(at, "/connections").body)
        for wire in wires:
            wire._protocol.client = None
            wire.vanish()
        return page

    page = serving(house(hello, connections=2000), main)
    assert (page["totals"]["open"], len(page["connections"])) == (1001, 1000)
    assert page["connections"][0]["client"] is None


# --- When -------------------------------------------------------------------------------------


def test_it_answers_from_before_the_startup_until_after_the_shutdown(house):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await slow(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            told.append((Reply(at, "/livez").status, phase, len(at.ports)))
            told.append((Reply(at, "/readyz").status, Reply(at, "/readyz").body))
            await send({"type": f"lifespan.{phase}.complete"})

    async def main(at: House) -> None:
        told.append((Reply(at, "/readyz").status, Reply(at, "/readyz").body))
        at.connect()
        await turn()
        stopping = asyncio.ensure_future(at.stopped())
        await asyncio.sleep(1)
        assert [port.open for port in at.ports] == [True, False]
        told.append((Reply(at, "/readyz").status, Reply(at, "/readyz").body))
        await stopping
        assert [port.open for port in at.ports] == [False, False]

    told: list[Any] = []
    at = house(app, lifespan="on")
    serving(at, main)
    assert told == [
        (200, "startup", 1),
        (503, b"starting\n"),
        (200, b"ready\n"),
        (503, b"draining\n"),
        (200, "shutdown", 2),
        (503, b"stopped\n"),
    ]


def test_who_cannot_start_is_never_ready(house):
    async def main(at: House) -> Reply:
        assert [str(error) for error in at.failures] == ["in use"]
        return Reply(at, "/readyz")

    at = house(hello)
    at.listening = lambda port: fail(StartupError("in use")) if port.number else succeed(port)
    reply = serving(at, main)
    assert (reply.status, reply.body) == (503, b"failed\n")
    assert not at.ports[0].open


def test_what_is_on_its_way_arrives_and_what_does_not_move_is_cut(house):
    async def main(at: House) -> None:
        live = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
        wires = [at.connect(data, index=0) for data in (live, live[:7])]
        assert await at.stopped() == 1
        assert [(wire.closed, wire.aborted) for wire in wires] == [(True, False), (True, True)]

    serving(house(hello), main)


def test_a_second_signal_closes_it_at_once(house):
    async def main(at: House) -> None:
        stopping = at.service.stopService()
        await turn()
        wire = at.connect(b"GET /li", index=0)
        at.service.force()
        await stopping.asFuture(asyncio.get_running_loop())
        await turn()
        assert (wire.closed, wire.aborted) == (True, True)
        assert not at.ports[0].open

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.sleep(1000)

    serving(house(app, lifespan="on"), main)


# --- Where ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "asked_for"),
    [
        (("127.0.0.1", 9000), ("tcp", "127.0.0.1", 9000)),
        (("/run/admin", None), ("unix", "/run/admin", ("mode", 0o600))),
    ],
)
def test_it_listens_first_and_a_unix_socket_is_ours_alone(house, bind, asked_for):
    at = house(hello, admin_bind=bind)
    assert asked(at, "/livez").body == b"ok\n", "the first of the ports"
    assert at.asked == [("tcp", "127.0.0.1", 8000), asked_for]


@pytest.mark.parametrize(
    ("host", "shown", "warned"),
    [
        (IPv4Address("TCP", "127.0.0.1", 1), "http://127.0.0.1:1", False),
        (IPv6Address("TCP", "::1", 1), "http://[::1]:1", False),
        (UNIXAddress(b"/run/admin"), "unix:/run/admin", False),
        (IPv4Address("TCP", "0.0.0.0", 1), "http://0.0.0.0:1", True),
        (IPv6Address("TCP", "fe80::1%eth0", 1), "http://[fe80::1%eth0]:1", True),
    ],
)
def test_pages_that_others_can_reach_are_warned_of(house, caplog, monkeypatch, host, shown, warned):
    monkeypatch.setattr(Port, "getHost", lambda _: host)
    caplog.set_level(logging.INFO, "daphne_like.admin")
    serving(house(hello))
    said = [record for record in caplog.records if record.name == "daphne_like.admin"]
    assert said[0].getMessage() == f"Admin pages on {shown}"
    warning = (
        f"The admin pages on {shown} show addresses and targets of requests to all who reach it"
    )
    assert [record.getMessage() for record in said[1:]] == [warning] * warned


def test_where_it_cannot_listen_nothing_starts(house):
    async def app(scope, receive, send):
        raise AssertionError("the application has started")

    at = house(app, lifespan="on")
    at.listening = lambda _: fail(StartupError("Cannot listen on here."))
    serving(at)
    assert [str(error) for error in at.failures] == ["For --admin-bind: Cannot listen on here."]
    assert len(at.ports) == 1


def test_it_is_bound_ahead_with_the_rest_and_given_back(house):
    async def main() -> None:
        at.service.privilegedStartService()
        assert at.bound == ["bound", "bound"]
        assert at.ports == []
        await at.stopped()

    at = house(hello)
    run(main())
    assert at.bound[2:] == ["unbound"] * (len(at.bound) - 2)
    assert len(at.bound) >= 4


def test_where_it_cannot_be_bound_ahead_nothing_stays_bound(house):
    def bind() -> None:
        if len(at.bound) == 2:
            raise StartupError("Cannot listen on here.")

    async def main() -> None:
        at.service.privilegedStartService()

    at = house(hello)
    at.binding = bind
    with pytest.raises(StartupError, match=r"^For --admin-bind: Cannot listen on here\.$"):
        run(main())
    assert at.bound == ["bound", "bound", "unbound"]


def test_so_many_may_ask_at_once_and_the_others_wait(house):
    async def main(at: House) -> None:
        wires = [at.connect(b"", index=0) for _ in range(16)]
        assert [port.paused for port in at.ports] == [True, False]
        wires.pop().vanish()
        assert [port.paused for port in at.ports] == [False, False]
        wires.append(at.connect(b"", index=0))
        await at.stopped()

    serving(house(hello), main)


def test_connections_that_come_when_it_is_closed_pause_nothing(house):
    async def main(at: House) -> None:
        await at.stopped()
        for wire in [at.connect(b"", index=0) for _ in range(16)]:
            wire.vanish()

    serving(house(hello), main)


# --- Workers ----------------------------------------------------------------------------------

PAGES = {
    b"/metrics": b"# TYPE open gauge\nopen 3\n",
    b"/connections": b'{"stage": "draining", "totals": {"open": 1}, "connections": []}',
}


@pytest.fixture
def worker(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], House]:
    """Worker 1, whose only sibling answers as above."""

    async def pages(siblings: Siblings, path: bytes) -> dict[str, bytes]:
        return {"2": PAGES[path]}

    monkeypatch.setattr(Siblings, "pages", pages)
    sockets = {ADMIN: 5, "127.0.0.1:8000": 6}
    return lambda: house(hello, orders=Orders(1, 1, sockets, 9, str(tmp_path)))


async def page(at: House, path: str) -> tuple[str, str]:
    """The status and the body of a page."""
    answer = await at.get(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), index=0)
    head, _, body = answer.partition("\r\n\r\n")
    return head.split()[1], body


def test_a_worker_answers_for_all_and_for_itself(worker: Callable[[], House]) -> None:
    async def main(at: House) -> None:
        assert await page(at, "/metrics") == ("200", '# TYPE open gauge\nopen{worker="2"} 3\n')
        _, connections = await page(at, "/connections")
        assert json.loads(connections)["workers"] == [{"worker": 2, "stage": "draining"}]
        assert await page(at, "/readyz") == ("503", "draining\n")
        assert await page(at, "/worker/readyz") == ("200", "ready\n")
        assert "python" in (await page(at, "/worker/metrics"))[1]

    serving(worker(), main)


def test_a_worker_listens_where_all_do_and_where_it_alone_is_asked(
    worker: Callable[[], House], tmp_path: Path
) -> None:
    at = worker()
    serving(at)
    assert sorted(fileno for fileno, _ in at.taken) == [5, 6]
    places = [asked for asked in at.asked if str(tmp_path) in str(asked)]
    assert [kind for kind, *_ in places] == ["unix"]


def test_who_leaves_before_all_have_answered_is_forgotten(worker: Callable[[], House]) -> None:
    async def main(at: House) -> None:
        wire = at.connect(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", index=0)
        wire.vanish()
        await turn()
        assert not wire.received

    serving(worker(), main)
