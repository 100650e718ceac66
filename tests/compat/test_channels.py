"""Channels as its tutorial has it: with and without Daphne there, and with a real Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.live.serving import PATIENCE, Serving
from tests.support.redis import redis

CHAT = Path(__file__).with_name("chat")


def outcome(place: Path, environment: Mapping[str, str]) -> str:
    """What the project's own tests have to say."""
    done = subprocess.run(
        [sys.executable, "manage.py", "test", "--noinput"],
        cwd=CHAT,
        env={**os.environ, "CHAT_PLACE": str(place), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "Ran 3 tests" in said
    return said


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_without_daphne_channels_takes_our_process(tmp_path: Path, method: str) -> None:
    assert "our process" in outcome(tmp_path, {"CHAT_START_METHOD": method})


@pytest.mark.parametrize(("ours", "process"), [("", "another's process"), ("1", "our process")])
def test_with_daphne_it_takes_daphnes_or_ours_where_told(
    tmp_path: Path, built: Callable[[str], Path], ours: str, process: str
) -> None:
    there = {"PYTHONPATH": str(built("daphne")), "CHAT_OURS": ours}
    assert process in outcome(tmp_path, there)


# --- The chat, served -------------------------------------------------------------------------


def chat(place: Path, layer: str = "") -> Serving:
    """A process that serves the chat."""
    there = {"CHAT_PLACE": str(place), "CHAT_REDIS": layer, "PYTHONPATH": str(CHAT)}
    return Serving("mysite.asgi:application", environment=there)


def guest(server: Serving, path: str) -> ClientConnection:
    host, port = server.addresses[0]
    return connect(f"ws://{host}:{port}{path}", origin=f"http://{host}:{port}")  # type: ignore[arg-type]


def heard(client: ClientConnection) -> str:
    return str(json.loads(client.recv(timeout=PATIENCE))["message"])


def say(client: ClientConnection, text: str) -> None:
    client.send(json.dumps({"message": text}))


kinds = pytest.mark.parametrize("kind", ["chat", "sync"])


@kinds
def test_the_chat_is_served(tmp_path: Path, kind: str) -> None:
    with chat(tmp_path) as server, ExitStack() as guests:
        assert b"<title>lobby</title>" in server.get("/chat/lobby/", {"Host": "localhost"}).body
        ada, bob = (guests.enter_context(guest(server, f"/ws/{kind}/a/")) for _ in range(2))
        say(ada, "hello")
        assert heard(ada) == heard(bob) == "hello"
    assert server.exit_status == 0


@kinds
def test_two_processes_of_the_chat_meet_in_redis(
    tmp_path: Path, tool: Callable[[str], str], kind: str
) -> None:
    with (
        redis(tool("redis-server"), tmp_path) as layer,
        chat(tmp_path, layer) as one,
        chat(tmp_path, layer) as other,
        guest(one, f"/ws/{kind}/a/") as ada,
        guest(other, f"/ws/{kind}/a/") as bob,
        guest(other, f"/ws/{kind}/b/") as eve,
    ):
        for speaker, text in ((ada, "hello"), (bob, "and to you ü")):
            say(speaker, text)
            assert heard(ada) == heard(bob) == text
        say(eve, "alone")
        assert heard(eve) == "alone"


def test_who_is_in_a_room_of_a_process_that_stops_is_told(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    with (
        redis(tool("redis-server"), tmp_path) as layer,
        chat(tmp_path, layer) as one,
        guest(one, "/ws/chat/a/") as ada,
    ):
        assert one.stop() == 0
        with pytest.raises(Exception, match="1012"):
            ada.recv(timeout=PATIENCE)
