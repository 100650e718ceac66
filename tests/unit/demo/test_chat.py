"""The chat: who hears what, and who is sent away."""

import asyncio
import json
from collections import deque

import pytest

from daphne_like.demo import application, chat

DISCONNECT = {"type": "websocket.disconnect", "code": 1001, "reason": ""}
ACCEPT = {"type": "websocket.accept"}


def socket_scope(query=b"", **headers):
    return {
        "type": "websocket",
        "path": "/chat",
        "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


class Guest:
    """One WebSocket of the chat.

    With `reads` false, its `send` waits for ever once the socket is accepted: a client that reads
    nothing.
    """

    def __init__(self, name="", *, reads=True, leaving=None, **headers):
        query = f"name={name}".encode() if name else b""
        self.scope = socket_scope(query, **headers)
        self.reads = reads
        self.leaving = leaving
        self.wishes = asyncio.Queue()
        self.wishes.put_nowait({"type": "websocket.connect"})
        self.sent = []
        self.heard = deque()
        self.task = asyncio.create_task(application(self.scope, self.wishes.get, self.send))

    async def send(self, message):
        self.sent.append(message)
        if message["type"] == "websocket.send":
            if self.leaving is not None:
                raise self.leaving
            self.heard.append(json.loads(message["text"]))
            if not self.reads:
                await asyncio.Event().wait()
        await asyncio.sleep(0)

    def wish(self, **wish):
        self.wishes.put_nowait({"type": "websocket.receive", "text": json.dumps(wish)})

    def leave(self):
        self.wishes.put_nowait(DISCONNECT)

    async def next(self):
        """Wait for the next event that it is told of."""
        while not self.heard:
            assert not self.task.done()
            await asyncio.sleep(0)
        return self.heard.popleft()

    async def gone(self):
        """Wait for its end, and return the messages that it was sent."""
        await self.task
        return self.sent


def talking(scenario):
    """Run a scenario in a room of its own; nobody may be left in it, and no task."""

    async def bounded():
        async with asyncio.timeout(10):
            await scenario()
        assert chat.ROOM.guests == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def room(monkeypatch):
    monkeypatch.setattr(chat, "ROOM", chat.Room())
    monkeypatch.setattr(chat, "PAUSE", 0)


def test_everybody_hears_what_one_says_and_who_comes_and_goes():
    async def scenario():
        ada = Guest("Ada")
        assert await ada.next() == {"event": "welcome", "name": "Ada", "people": 1, "said": []}
        bob = Guest("Bob")
        assert await bob.next() == {"event": "welcome", "name": "Bob", "people": 2, "said": []}
        assert await ada.next() == {"event": "came", "name": "Bob", "people": 2}
        bob.wish(say="  hello \n there ")
        for guest in (ada, bob):
            said = await guest.next()
            assert said.pop("time").endswith("+00:00")
            assert said == {"event": "said", "name": "Bob", "text": "hello there"}
        bob.leave()
        assert await ada.next() == {"event": "left", "name": "Bob", "people": 1}
        ada.leave()
        assert (await ada.gone())[0] == ACCEPT
        await bob.gone()

    talking(scenario)


def test_a_newcomer_is_shown_what_was_said_last(monkeypatch):
    monkeypatch.setattr(chat.ROOM, "said", deque(maxlen=2))

    async def scenario():
        ada = Guest("Ada")
        for text in ("one", "two", "three"):
            ada.wish(say=text)
        while (await ada.next()).get("text") != "three":
            pass
        bob = Guest()
        assert [said["text"] for said in (await bob.next())["said"]] == ["two", "three"]
        ada.leave()
        bob.leave()
        await asyncio.gather(ada.gone(), bob.gone())

    talking(scenario)


def test_names_are_tidy_and_nobody_has_anothers():
    async def scenario():
        first = Guest()
        assert (await first.next())["name"] == "Guest"
        second = Guest("%20Gu%E2%80%AEest%0A")
        assert (await second.next())["name"] == "Guest 2"
        assert (await first.next())["event"] == "came"
        second.wish(name="x" * 100)
        renamed = await first.next()
        assert renamed == {"event": "renamed", "before": "Guest 2", "name": "x" * chat.NAME_LENGTH}
        second.wish(name=" ")
        assert (await first.next())["name"] == "x" * chat.NAME_LENGTH
        second.wish(name="Guest")
        assert (await first.next())["name"] == "Guest 2"
        for guest in (first, second):
            guest.leave()
            await guest.gone()

    talking(scenario)


def test_a_message_is_bounded_and_an_empty_one_is_none():
    async def scenario():
        ada = Guest("Ada")
        await ada.next()
        ada.wish(say=" \x1b\x00 ")
        ada.wish(say="ü" * 10_000)
        assert (await ada.next())["text"] == "ü" * chat.TEXT_LENGTH
        ada.leave()
        await ada.gone()

    talking(scenario)


def test_a_ping_comes_back_to_who_sent_it_and_to_nobody_else():
    async def scenario():
        ada, bob = Guest("Ada"), Guest("Bob")
        ada.wish(ping=12.5)
        while (event := await ada.next())["event"] != "pong":
            pass
        assert event["ping"] == 12.5
        for guest in (ada, bob):
            guest.leave()
            await guest.gone()
        assert "pong" not in {event["event"] for event in bob.heard}

    talking(scenario)


@pytest.mark.parametrize(
    "message",
    [
        {"text": "hello"},
        {"text": "[]"},
        {"text": "{}"},
        {"text": '{"shout": "hello"}'},
        {"text": '{"say": 1}'},
        {"text": '{"ping": {}}'},
        {"text": "[" * 100_000},
        {"bytes": b"{}"},
    ],
    ids=["no JSON", "list", "nothing", "wish", "text", "ping", "deep", "bytes"],
)
def test_who_is_not_understood_is_told_so(message):
    async def scenario():
        ada = Guest()
        ada.wishes.put_nowait({"type": "websocket.receive", **message})
        close = {"type": "websocket.close", "code": 1008, "reason": "not understood"}
        assert (await ada.gone())[-1] == close

    talking(scenario)


def test_who_reads_too_slowly_is_sent_away_and_the_others_hear_everything():
    async def scenario():
        slow, ada = Guest("Slow", reads=False), Guest("Ada")
        await slow.next()
        for number in range(chat.MOST_WAITING + 10):
            ada.wish(say=str(number))
        close = {"type": "websocket.close", "code": 1013, "reason": "you read too slowly"}
        assert (await slow.gone())[-1] == close
        ada.leave()
        await ada.gone()
        said = [event["text"] for event in ada.heard if event["event"] == "said"]
        assert said == list(map(str, range(chat.MOST_WAITING + 10)))
        assert {"event": "left", "name": "Slow", "people": 1} in ada.heard

    talking(scenario)


def test_an_outbox_that_is_full_stays_full():
    async def scenario():
        guest = chat.Guest("Ada")
        for _ in range(chat.MOST_WAITING + 2):
            guest.tell("{}")
        assert guest.outbox.qsize() == chat.MOST_WAITING
        assert guest.too_slow.result() == chat.TOO_SLOW

    talking(scenario)


def test_a_full_room_lets_nobody_in(monkeypatch):
    monkeypatch.setattr(chat, "MOST_GUESTS", 1)

    async def scenario():
        ada = Guest("Ada")
        await ada.next()
        close = {"type": "websocket.close", "code": 1013, "reason": "the room is full"}
        assert await Guest("Bob").gone() == [ACCEPT, close]
        ada.leave()
        await ada.gone()
        assert not ada.heard

    talking(scenario)


def test_a_guest_whose_send_raises_oserror_has_left():
    async def scenario():
        assert (await Guest("Ada", leaving=BrokenPipeError()).gone())[0] == ACCEPT

    talking(scenario)


def test_other_errors_of_send_are_not_swallowed():
    async def scenario():
        with pytest.raises(RuntimeError, match="a fault"):
            await Guest("Ada", leaving=RuntimeError("a fault")).gone()

    talking(scenario)


def test_a_guest_can_be_cancelled():
    async def scenario():
        ada = Guest("Ada")
        await ada.next()
        ada.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ada.gone()

    talking(scenario)


@pytest.mark.parametrize(
    ("origin", "host", "accepted"),
    [
        ("http://site.example", "site.example", True),
        ("https://Site.example:8443", "site.example", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://evil.example", "site.example", False),
        ("null", "", False),
        ("http://[", "[", False),
    ],
)
def test_a_page_of_another_host_is_refused(origin, host, accepted):
    async def scenario():
        guest = Guest(origin=origin, host=host)
        guest.leave()
        first = (await guest.gone())[0]
        assert first == (ACCEPT if accepted else {"type": "websocket.close"})

    talking(scenario)
