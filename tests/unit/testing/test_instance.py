"""Daphne's instances, with no process behind them: what they ask for, and what is left where."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from daphne_like.testing import instance
from daphne_like.testing.instance import (
    BaseDaphneTestingInstance,
    DaphneTestingInstance,
    TestApplication,
)
from tests.unit.asgi.fakes import run


class Process:
    """Stands for the process: it is ready, or has said why not, or nothing."""

    made: ClassVar[list[Process]] = []
    starts = True
    error: str | None = None

    def __init__(self, *given: Any) -> None:
        self.given = given
        self.calls: list[str] = []
        self.ready = threading.Event()
        self.errors: queue.Queue[tuple[Exception, str]] = queue.Queue()
        self.port = type("Value", (), {"value": 4711})
        self.made.append(self)

    def start(self) -> None:
        if self.starts:
            self.ready.set()
        elif self.error:
            self.errors.put((LookupError(), self.error))

    def terminate(self) -> None:
        self.calls.append("terminate")

    def join(self) -> None:
        self.calls.append("join")


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Process]]:
    monkeypatch.setattr(instance, "ServerProcess", Process)
    monkeypatch.setattr(Process, "made", [])
    for name in ("setup_storage", "result_storage"):
        monkeypatch.setattr(TestApplication, name, str(tmp_path / name))
    return Process.made


PROXIES = {
    "proxy_forwarded_address_header": "X-Forwarded-For",
    "proxy_forwarded_port_header": "X-Forwarded-Port",
    "proxy_forwarded_proto_header": "X-Forwarded-Proto",
}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, {}),
        (
            {"http_timeout": 3, "request_buffer_size": 1},
            {"http_timeout": 3, "request_buffer_size": 1},
        ),
        ({"websocket_max_message_size": 0}, {"websocket_max_message_size": 0}),
        ({"websocket_max_frame_size": 8, "xff": True}, {"websocket_max_frame_size": 8, **PROXIES}),
    ],
)
def test_it_serves_for_as_long_as_it_is_entered(made, given, asked) -> None:
    with BaseDaphneTestingInstance(**given, application="it") as one:
        assert (one.host, one.port) == ("127.0.0.1", 4711)
        [process] = made
        host, get_application, arguments, setup, teardown = process.given
        assert (host, get_application(), arguments) == ("127.0.0.1", "it", asked)
        assert setup() is teardown() is one.get_received() is None
        assert process.calls == []
    assert process.calls == ["terminate", "join"]


@pytest.mark.parametrize(("error", "said"), [(None, "it has not said why"), ("Trace", "Trace")])
def test_what_does_not_start_is_ended_and_says_why(monkeypatch, made, error, said) -> None:
    monkeypatch.setattr(Process, "starts", False)
    monkeypatch.setattr(Process, "error", error)
    monkeypatch.setattr(BaseDaphneTestingInstance, "startup_timeout", 0)
    with pytest.raises(RuntimeError, match=f"The server did not start: {said}"):
        BaseDaphneTestingInstance(application="it").__enter__()
    assert made[0].calls == ["terminate", "join"]


def test_an_application_notes_what_it_receives_and_answers_by_what_was_left(made) -> None:
    async def receive() -> Any:
        return {"type": received.pop(0)}

    async def send(message: Any) -> None:
        sent.append(message)

    received, sent = ["http.request", "http.disconnect"], []
    TestApplication.save_setup([{"type": "of an earlier test"}])
    with DaphneTestingInstance(xff=True) as one:
        with pytest.raises(ValueError, match=r"Nothing was received yet\."):
            one.get_received()
        one.add_send_messages([{"type": "answer"}])
        run(one.application({"type": "http"}, receive, send))
        types = [{"type": "http.request"}, {"type": "http.disconnect"}]
        assert one.get_received() == ({"type": "http"}, types)
        assert sent == [{"type": "answer"}]
        one.add_send_messages([])
    TestApplication.delete_setup()
    TestApplication.delete_setup()


def test_what_ends_the_application_is_raised(made) -> None:
    async def receive() -> Any:
        raise LookupError("lost")

    with DaphneTestingInstance() as one:
        run(one.application({"type": "http"}, receive, None))
        with pytest.raises(LookupError, match="lost"):
            one.get_received()


def test_an_application_has_no_lifespan(made) -> None:
    one = DaphneTestingInstance()
    with pytest.raises(NotImplementedError):
        run(one.application({"type": "lifespan"}, None, None))
