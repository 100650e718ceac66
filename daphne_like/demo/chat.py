"""A room to chat in, over a WebSocket: what one says everybody sees.

Messages are JSON in text. A page sends ``{"say": text}``, ``{"name": text}`` or
``{"ping": number}``, and is told what happens: ``{"event": "said", "name": …, "text": …, "time":
…}``, and ``welcome``, ``came``, ``left``, ``renamed`` and ``pong`` likewise.

Nobody waits for anybody: who reads too slowly is sent away, who talks too fast is read slowly. The
room is one process's. Must not know how the page shows it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from daphne_like.demo.reply import Receive, Scope, Send

MOST_GUESTS = 100
MOST_WAITING = 64
"""Messages that wait for one guest."""
MOST_REMEMBERED = 30
"""Messages that a newcomer is shown."""
NAME_LENGTH = 24
TEXT_LENGTH = 500
PAUSE = 0.1
"""Seconds between two messages of one guest: more at once would fill the outboxes of the others."""

JOINERS = frozenset("\u200c\u200d")
"""No characters to see, but some scripts, and many emoji, are not written without them."""

Event = dict[str, Any]


class Farewell(NamedTuple):
    """What a socket is closed with: a code of RFC 6455, section 7.4, and a reason."""

    code: int
    reason: str


FULL = Farewell(1013, "the room is full")
TOO_SLOW = Farewell(1013, "you read too slowly")
NOT_UNDERSTOOD = Farewell(1008, "not understood")


class Guest:
    """Somebody in the room, and what they have not been sent yet."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outbox: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self.too_slow: asyncio.Future[Farewell] = asyncio.get_running_loop().create_future()

    def tell(self, text: str) -> None:
        """Put `text` into the outbox, if it still has room."""
        if not self.outbox.full():
            self.outbox.put_nowait(text)
        elif not self.too_slow.done():
            self.too_slow.set_result(TOO_SLOW)


class Room:
    """Who is there, and what was said last."""

    def __init__(self) -> None:
        self.guests: dict[str, Guest] = {}
        self.said: deque[Event] = deque(maxlen=MOST_REMEMBERED)

    def enter(self, guest: Guest) -> None:
        """Let `guest` in, by a name that nobody else has."""
        guest.name = free(guest.name, self.guests)
        self.tell("came", name=guest.name, people=len(self.guests) + 1)
        self.guests[guest.name] = guest
        known = {"name": guest.name, "people": len(self.guests), "said": [*self.said]}
        guest.tell(json.dumps({"event": "welcome", **known}))

    def leave(self, guest: Guest) -> None:
        """See `guest` off."""
        del self.guests[guest.name]
        self.tell("left", name=guest.name, people=len(self.guests))

    def rename(self, guest: Guest, name: str) -> None:
        """Call `guest` by another name, as far as nobody else has it."""
        before = guest.name
        del self.guests[before]
        guest.name = free(name or before, self.guests)
        self.guests[guest.name] = guest
        self.tell("renamed", before=before, name=guest.name)

    def say(self, guest: Guest, text: str) -> None:
        """Tell everybody what `guest` says, and remember it for those who come later."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self.said.append(self.tell("said", name=guest.name, text=text, time=time))

    def tell(self, kind: str, **facts: Any) -> Event:
        """Tell everybody, and return what."""
        event = {"event": kind, **facts}
        text = json.dumps(event)
        for guest in self.guests.values():
            guest.tell(text)
        return event


ROOM = Room()


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one WebSocket of the room, until one of its two ends closes it.

    A page of another host is refused: with a 403, before anything is accepted.
    """
    await receive()
    if is_of_elsewhere(scope):
        await send({"type": "websocket.close"})
        return
    with suppress(OSError):  # the client left: nobody is there to be told
        await send({"type": "websocket.accept"})
        full = len(ROOM.guests) >= MOST_GUESTS
        farewell = FULL if full else await stay(Guest(asked_name(scope)), receive, send)
        if farewell is not None:
            await send({"type": "websocket.close", **farewell._asdict()})


async def stay(guest: Guest, receive: Receive, send: Send) -> Farewell | None:
    """Keep `guest` in the room; return what to close with, `None` where the client has left."""
    ends: list[asyncio.Future[Any]] = [
        guest.too_slow,
        asyncio.create_task(listen(guest, receive)),
        asyncio.create_task(deliver(guest, send)),
    ]
    ROOM.enter(guest)
    try:
        ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ROOM.leave(guest)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
    farewell: Farewell | None = next(end for end in ends if end in ended).result()
    return farewell


async def deliver(guest: Guest, send: Send) -> None:
    """Send what is in the outbox, for ever: raises `OSError` when the client has left."""
    while True:
        await send({"type": "websocket.send", "text": await guest.outbox.get()})


async def listen(guest: Guest, receive: Receive) -> Farewell | None:
    """Do what the messages of `guest` say, until the last one; return as `stay` does."""
    while (message := await receive())["type"] != "websocket.disconnect":
        try:
            (wish, value), *_ = json.loads(message.get("text") or "").items()
            pause = WISHES[wish](guest, value)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            return NOT_UNDERSTOOD
        await asyncio.sleep(pause)
    return None


def say(guest: Guest, text: str) -> float:
    """Say something; return how long to wait for the next wish, as all wishes do."""
    if said := tidy(text, TEXT_LENGTH):
        ROOM.say(guest, said)
    return PAUSE


def rename(guest: Guest, name: str) -> float:
    """Take another name."""
    ROOM.rename(guest, tidy(name, NAME_LENGTH))
    return PAUSE


def ping(guest: Guest, number: float) -> float:
    """Give `number` back, so that the page can tell how long its way was."""
    guest.tell(json.dumps({"event": "pong", "ping": float(number)}))
    return PAUSE


WISHES: dict[str, Callable[[Guest, Any], float]] = {"say": say, "name": rename, "ping": ping}


def asked_name(scope: Scope) -> str:
    """Return the name in the query, or one for who has none."""
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8)
    return tidy(query.get("name", [""])[0], NAME_LENGTH) or "Guest"


def free(name: str, taken: Iterable[str]) -> str:
    """Return `name`, with a number where it is `taken`."""
    numbered = (f"{name} {number}" if number > 1 else name for number in count(1))
    return next(one for one in numbered if one not in taken)


def tidy(text: str, most: int) -> str:
    """Return `text` on one line, of printable characters, `most` of them at the most."""
    line = " ".join(text.split())
    return "".join(char for char in line if char.isprintable() or char in JOINERS)[:most].strip()


def is_of_elsewhere(scope: Scope) -> bool:
    """Return whether a browser says that the page is of another host than the one it asks.

    Ports are not compared: a proxy may leave them out.
    """
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return False
    page = host_of(origin)
    return page is None or page != host_of(b"//" + headers.get(b"host", b""))


def host_of(address: bytes) -> str | None:
    """Return the host in a URL, in lower case; `None` where there is none."""
    try:
        return urlsplit(address.decode("latin-1")).hostname
    except ValueError:
        return None
