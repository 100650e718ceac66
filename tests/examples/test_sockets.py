"""The WebSocket examples, each with two clients in it: `chat.py`, and `mysite` of `channels`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.examples.serving import ENVIRONMENT, EXAMPLES, PATIENCE, Server, serving
from tests.support.redis import redis

STARLETTE = ("starlette", "chat:app", "/chat")
CHANNELS = ("channels", "mysite.asgi:application", "/lobby/socket")
both = pytest.mark.parametrize("example", [STARLETTE, CHANNELS], ids=lambda example: example[0])


@contextmanager
def chatting(
    example: tuple[str, str, str], place: Path, environment: Mapping[str, str] = ENVIRONMENT
) -> Iterator[tuple[Server, str]]:
    """Serve an example: the server, and where its socket is."""
    name, application, path = example
    where = EXAMPLES / name
    with serving(
        application, "-p", "0", directory=where, place=place, environment=environment
    ) as server:
        yield server, f"ws://127.0.0.1:{server.port}{path}"


def guest(url: str) -> ClientConnection:
    """A client whose page is of the same site."""
    return connect(url, origin=url.replace("ws", "http", 1))  # type: ignore[arg-type]


def heard(client: ClientConnection) -> str:
    """What `client` is told next; Channels puts it into JSON."""
    said = str(client.recv(timeout=PATIENCE))
    return str(json.loads(said)["text"]) if said.startswith("{") else said


def say(client: ClientConnection, example: tuple[str, str, str], text: str) -> None:
    client.send(json.dumps({"text": text}) if example is CHANNELS else text)


@both
def test_two_chat_and_one_leaves(example: tuple[str, str, str], tmp_path: Path) -> None:
    with chatting(example, tmp_path) as (server, url), guest(url) as ada:
        assert heard(ada) == "somebody came"
        with guest(url) as bob:
            assert heard(ada) == heard(bob) == "somebody came"
            say(bob, example, "Hello, Ada! ü")
            assert heard(ada) == heard(bob) == "Hello, Ada! ü"
            say(ada, example, "x" * 1000)
            assert heard(ada) == heard(bob) == "x" * 500
        assert heard(ada) == "somebody left"
        if example is CHANNELS:
            server.wait_for("somebody left chat.lobby with 1000")
    assert "Traceback" not in server.log


@both
def test_a_client_that_is_cut_off_has_left_too(
    example: tuple[str, str, str], tmp_path: Path
) -> None:
    with chatting(example, tmp_path) as (server, url), guest(url) as ada:
        assert heard(ada) == "somebody came"
        with guest(url) as bob:
            assert heard(ada) == "somebody came"
            bob.socket.close()
            assert heard(ada) == "somebody left"
        if example is CHANNELS:
            server.wait_for("somebody left chat.lobby with 1006")
    assert "Traceback" not in server.log


@both
def test_a_stopping_server_closes_with_1012(example: tuple[str, str, str], tmp_path: Path) -> None:
    with chatting(example, tmp_path) as (server, url), guest(url) as ada:
        assert heard(ada) == "somebody came"
        server.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            ada.recv(timeout=PATIENCE)
        assert server.process.wait(PATIENCE) == 0
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    if example is CHANNELS:
        assert "somebody left chat.lobby with 1012" in server.log
    assert "Traceback" not in server.log


def test_processes_of_channels_meet_in_redis(tool: Callable[[str], str], tmp_path: Path) -> None:
    place, *places = (tmp_path / name for name in ("redis", "one", "other"))
    for each in (place, *places):
        each.mkdir()
    with redis(tool("redis-server"), place) as layer, ExitStack() as block:
        there = {**ENVIRONMENT, "REDIS_URL": layer}
        urls = [
            block.enter_context(chatting(CHANNELS, each, environment=there))[1] for each in places
        ]
        ada, bob = (block.enter_context(guest(url)) for url in urls)
        assert heard(bob) == "somebody came", "and he is in the group"
        say(ada, CHANNELS, "Hello, Bob!")
        for client in (ada, bob):
            while heard(client) != "Hello, Bob!":
                pass


def test_channels_serves_the_page_and_refuses_those_of_elsewhere(tmp_path: Path) -> None:
    with chatting(CHANNELS, tmp_path) as (server, url):
        page = httpx.get(f"{server.address}/lobby/", timeout=PATIENCE)
        assert "new WebSocket" in page.text
        with pytest.raises(InvalidStatus, match="403"):
            connect(url, origin="http://evil.example")  # type: ignore[arg-type]


def test_channels_is_told_what_it_does_not_understand(tmp_path: Path) -> None:
    with chatting(CHANNELS, tmp_path) as (server, url), guest(url) as ada:
        assert heard(ada) == "somebody came"
        ada.send("[]")
        with pytest.raises(ConnectionClosed) as closed:
            ada.recv(timeout=PATIENCE)
        server.wait_for("somebody left chat.lobby with 1008")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "a message is {text: …}")
