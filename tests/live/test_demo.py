"""The demonstration's chat, between two clients who have never heard of this server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.live.serving import PATIENCE, Serving


def heard(guest: ClientConnection) -> dict[str, Any]:
    """The next event that `guest` is told of."""
    event: dict[str, Any] = json.loads(guest.recv(timeout=PATIENCE))
    return event


def test_two_chat_until_the_server_stops() -> None:
    with Serving("--demo") as server:
        host, port = server.addresses[0]
        url = f"ws://{host}:{port}/chat"
        with connect(f"{url}?name=Ada") as ada, connect(f"{url}?name=Bob") as bob:
            assert heard(ada)["people"] == 1
            assert heard(bob)["people"] == 2
            assert heard(ada)["event"] == "came"
            bob.send(json.dumps({"say": "Hello, Ada!"}))
            assert heard(ada)["text"] == heard(bob)["text"] == "Hello, Ada!"
            bob.close()
            assert heard(ada) == {"event": "left", "name": "Bob", "people": 1}
            with connect(url) as newcomer:
                assert [said["text"] for said in heard(newcomer)["said"]] == ["Hello, Ada!"]
            with pytest.raises(InvalidStatus, match="403"):
                connect(url, origin="http://evil.example")  # type: ignore[arg-type]
            server.stop()
            with pytest.raises(ConnectionClosed) as closed:
                [heard(ada) for _ in range(3)]
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert server.exit_status == 0
