"""What an access line says: Daphne's line, the atoms of a format, the keys of JSON.

A format is compiled once; a line then costs one look at the record for each atom. Whatever
came from outside is printable ASCII without quotes. This module must not know where lines go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache, partial
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, NamedTuple

from daphne_like.actions import rejected
from daphne_like.errors import ConfigError
from daphne_like.exchange import Fields, Record, Request, escaped, printable

Line = Callable[[Record], str | None]
"""Makes a record's line, without its end; ``None`` where the format has none for it."""

Get = Callable[[Record], Any]
"""What a record says: text that is printable already, a number, or ``None``."""


class Atom(NamedTuple):
    """One thing that a line can say: for the reference page, and from a record."""

    meaning: str
    get: Get


# --- What a record says -------------------------------------------------------------------


class _Second(NamedTuple):
    clf: str
    clf_offset: str
    iso: str
    iso_offset: str


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""An application may set another locale, whose months are not ASCII."""


@lru_cache(maxsize=4)
def _second(second: int) -> _Second:
    """A second as lines spell it, in local time: most have the same as the line before."""
    at = datetime.fromtimestamp(second).astimezone()
    iso = at.isoformat()
    clf = f"{at:%d}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S}"
    return _Second(clf, f"{at:%z}", iso[:19], iso[19:])


def _clf(record: Record) -> str:
    at = _second(int(record.started + record.duration))
    return f"[{at.clf} {at.clf_offset}]"


def _iso(record: Record) -> str:
    ended = record.started + record.duration
    second = int(ended)
    at = _second(second)
    return f"{at.iso}.{int((ended - second) * 1000):03d}{at.iso_offset}"


def _client(record: Record) -> str | None:
    client = record.request.client
    return None if client is None else printable(client[0])


def _peer(record: Record) -> str | None:
    peer = record.request.peer
    return None if peer is None else printable(peer[0])


def _client_port(record: Record) -> int | None:
    client = record.request.client
    return None if client is None else client[1]


def _peer_port(record: Record) -> int | None:
    peer = record.request.peer
    return None if peer is None else peer[1]


def _path(record: Record) -> str:
    return escaped(record.request.raw_path)


def _query(record: Record) -> str:
    return escaped(record.request.query)


def _host(record: Record) -> str:
    return escaped(record.request.authority)


def _protocol(record: Record) -> str:
    return f"HTTP/{record.request.http_version}"


def _request_line(record: Record) -> str:
    request = record.request
    return f"{request.method} {request.target} HTTP/{request.http_version}"


def _number(record: Record) -> int | None:
    """An application may give a status of its own type: ``http.HTTPStatus``."""
    return None if record.status is None else int(record.status)


_CLIENT_LEFT = 499
"""What nginx logs where no status was sent; what reads lines expects a number."""


def _status(record: Record) -> int | str:
    if record.status is None and record.outcome == "disconnected":
        return _CLIENT_LEFT
    return record.status or "-"


def _micros(seconds: float) -> int:
    return int(seconds * 1e6 + 0.5)


def _duration(record: Record) -> float:
    return _micros(record.duration) / 1e6


def _first_byte(record: Record) -> float | None:
    return None if record.first_byte is None else _micros(record.first_byte) / 1e6


def _found(fields: Fields, wanted: bytes) -> str | None:
    """The value of the fields of that name; several are one list (RFC 9110, section 5.3)."""
    values = [value for name, value in fields if name == wanted]
    if not values:
        return None
    return escaped(values[0] if len(values) == 1 else b", ".join(values))


def _sent(record: Record, wanted: bytes) -> str | None:
    head = record.head
    if head is None:
        return None
    return _found([(name.lower(), value) for name, value in head.fields], wanted)


def _received(record: Record, wanted: bytes) -> str | None:
    return _found(record.request.headers, wanted)


KEYS: dict[str, Atom] = {
    "time": Atom("When the exchange ended: ISO 8601, local time with its offset", _iso),
    "kind": Atom("`http` or `websocket`", attrgetter("kind")),
    "client": Atom("The client's address, or its Unix socket's path", _client),
    "client_port": Atom("The client's port; 0 where a proxy did not say it", _client_port),
    "peer": Atom("The address of the connection's other end: a proxy's, or the client's", _peer),
    "peer_port": Atom("The port there", _peer_port),
    "method": Atom("The method", attrgetter("request.method")),
    "path": Atom("The target as received, without the query", _path),
    "query": Atom("What follows the first `?`", _query),
    "protocol": Atom("`HTTP/1.1`, for example", _protocol),
    "scheme": Atom("`http` or `https`", attrgetter("request.scheme")),
    "host": Atom("What the client calls the server, with the port that it names", _host),
    "status": Atom(
        "The status, or the code that a WebSocket was closed with; none where the client left "
        "first",
        _number,
    ),
    "bytes_in": Atom("Bytes of the request's body, or of messages", attrgetter("bytes_in")),
    "bytes_out": Atom("Bytes of the response's body, or of messages", attrgetter("bytes_out")),
    "duration": Atom("Seconds from the head to the end of the application's task", _duration),
    "first_byte": Atom("Seconds from the request's head to the response's", _first_byte),
    "outcome": Atom(
        "`complete`, `disconnected`, `refused`, `failed` or `timed out`", attrgetter("outcome")
    ),
    "user_agent": Atom("The field `User-Agent`", partial(_received, wanted=b"user-agent")),
    "referer": Atom("The field `Referer`", partial(_received, wanted=b"referer")),
    "request_id": Atom("The request's id, with `--request-id`", attrgetter("request.request_id")),
}
"""What every line of JSON has, in its order; and the long names of atoms."""


# --- Atoms --------------------------------------------------------------------------------


def _in_text(get: Get) -> Get:
    """As an atom: ``-`` for what is not there, seconds without an exponent."""

    def atom(record: Record) -> Any:
        value = get(record)
        if value is None:
            return "-"
        return f"{value:.6f}" if type(value) is float else value

    return atom


_NEVER = Atom("Always `-`: the server authenticates nobody", lambda record: "-")

LETTERS: dict[str, Atom] = {
    "h": Atom("The client's address", KEYS["client"].get),
    "l": _NEVER,
    "u": _NEVER,
    "t": Atom("When the exchange ended, local time: `[02/Jan/2026:03:04:05 +0000]`", _clf),
    "r": Atom("The request line", _request_line),
    "m": Atom("The method", KEYS["method"].get),
    "U": Atom("The path", KEYS["path"].get),
    "q": Atom("The query", KEYS["query"].get),
    "H": Atom("The protocol", _protocol),
    "s": Atom(
        "The status, or the code that a WebSocket was closed with; 499 where the client left, or "
        "broke off, before there was one",
        _status,
    ),
    "B": Atom("Bytes of the response's body", KEYS["bytes_out"].get),
    "b": Atom("The same, but `-` for none", lambda record: record.bytes_out or "-"),
    "f": Atom("The field `Referer`", KEYS["referer"].get),
    "a": Atom("The field `User-Agent`", KEYS["user_agent"].get),
    "T": Atom("The duration in whole seconds", lambda record: int(record.duration)),
    "D": Atom("The duration in microseconds", lambda record: _micros(record.duration)),
    "M": Atom("The duration in milliseconds", lambda record: int(record.duration * 1e3)),
    "L": Atom("The duration in seconds, as `0.001234`", KEYS["duration"].get),
    "p": Atom("The process id, as `<17>`", lambda record: f"<{os.getpid()}>"),
}
"""The atoms of gunicorn's formats."""

_ATOMS = {name: _in_text(atom.get) for name, atom in (LETTERS | KEYS).items()}


def _environment(name: str) -> Get:
    value = printable(os.environ[name]) if name in os.environ else "-"
    return lambda record: value


BRACED: dict[str, tuple[str, Callable[[str], Get]]] = {
    "i": (
        "A field of the request's head",
        lambda name: _in_text(partial(_received, wanted=name.lower().encode())),
    ),
    "o": (
        "A field of the response's head, where the application has set it",
        lambda name: _in_text(partial(_sent, wanted=name.lower().encode())),
    ),
    "e": ("A variable of the process's environment", _environment),
}
"""The atoms that take a name: what they mean, and what makes one."""


# --- Formats ------------------------------------------------------------------------------


def daphne(record: Record) -> str | None:
    """``client - - [time] "method target" status size``; none without a response, as Daphne.

    A WebSocket has ``WSDISCONNECT`` with its close code, or ``WSREJECT`` with the status of the
    response that it got instead.
    """
    request, status = record.request, record.status
    if record.kind == "websocket":
        what, told = _SOCKETS[rejected(record)], "-" if status is None else status
        said = f'"{what} {_path(record)}" {told} {record.bytes_out}'
    elif status is None:
        return None
    else:
        said = f'"{request.method} {request.target}" {status} {record.bytes_out}'
    return _daphne(request, record.started + record.duration, said)


_BEGINNINGS = {"connecting": "WSCONNECTING", "connected": "WSCONNECT"}
_ENDS = {"disconnected": "WSDISCONNECT", "rejected": "WSREJECT"}
_SOCKETS = tuple(_ENDS.values())


def daphne_beginning(request: Request, step: str, now: float) -> str:
    """What Daphne's format says of a WebSocket at a time since the epoch, before it is over."""
    said = f'"{_BEGINNINGS[step]} {escaped(request.raw_path)}" - -'
    return _daphne(request, now, said)


def daphne_action(protocol: str, action: str, told: dict[str, Any], now: float) -> str | None:
    """What Daphne's format says of an action and its details."""
    if (protocol, action) == ("http", "complete"):
        said = f'"{told["method"]} {told["path"]}" {told["status"]} {told["size"] or "-"}'
    elif protocol == "websocket" and action in _BEGINNINGS | _ENDS:
        said = f'"{(_BEGINNINGS | _ENDS)[action]} {told["path"]}" - -'
    else:
        return None
    return f"{told['client']} - - [{_second(int(now)).clf}] {said}"


def _daphne(request: Request, now: float, said: str) -> str:
    host, port = request.client or ("", None)
    client = "None" if port is None else f"{printable(host)}:{port}"
    return f"{client} - - [{_second(int(now)).clf}] {said}"


_COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}


def daphne_in_colour(record: Record) -> str | None:
    """The same for a terminal: the status green, cyan, yellow or red, by its class."""
    line = daphne(record)
    if line is None or record.kind == "websocket":
        return line
    start, status, size = line.rsplit(" ", 2)
    colour = _COLOURS.get(int(status) // 100, "0")
    return f"{start} \x1b[{colour}m{status}\x1b[0m {size}"


_IN_JSON: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: repr,
    float: repr,
    type(None): lambda value: "null",
}
_OBJECT = "{" + ",".join(f'"{key}":%s' for key in KEYS) + "}"
_GETS = tuple(atom.get for atom in KEYS.values())


def as_json(record: Record) -> str:
    """One JSON object of :data:`KEYS`, made faster than the standard library would."""
    values = [get(record) for get in _GETS]
    return _OBJECT % tuple([_IN_JSON[type(value)](value) for value in values])


def details(record: Record) -> dict[str, Any]:
    """The record by :data:`KEYS`."""
    return {key: atom.get(record) for key, atom in KEYS.items()}


_COMMON = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s'

FORMATS: dict[str, tuple[str, Line | str]] = {
    "daphne": ("Daphne's: the default", daphne),
    "common": ("The Common Log Format", _COMMON),
    "combined": ("Common, with referer and user agent", f'{_COMMON} "%(f)s" "%(a)s"'),
    "json": ("One JSON object", as_json),
}
"""The formats that have a name: what they are, and what they are made of."""

_OPTION = "--access-log-format"
_PIECE = re.compile(r"%%|%\((?:\{(?P<name>[!-~]+?)\})?(?P<atom>\w+)\)s|%.{0,8}")


def compiled(text: str) -> Line:
    """What makes lines of the format `text`: one of :data:`FORMATS` by its name, or atoms.

    Raises :class:`ConfigError` for an unknown name or atom, naming the nearest.
    """
    if "%" not in text:
        if text not in FORMATS:
            raise ConfigError(f"{_OPTION} {text!r}: no such format{_nearest(text, FORMATS)}")
        made = FORMATS[text][1]
        return compiled(made) if isinstance(made, str) else made
    if not text.isascii() or not text.replace("\t", " ").isprintable():
        raise ConfigError(f"{_OPTION} {text!r}: only ASCII and tabs can stand in a line.")
    gets: list[Get] = []
    template = _PIECE.sub(partial(_placed, gets), text)
    return lambda record: template % tuple([get(record) for get in gets])


def _placed(gets: list[Get], piece: re.Match[str]) -> str:
    """Keep how a piece of a format is got; return what stands for it in the template."""
    name, atom = piece["name"], piece["atom"]
    if piece[0] == "%%":
        return "%%"
    if atom is None:
        raise ConfigError(f"{_OPTION}: {piece[0]!r} is no atom: write %(h)s, and %% for a %.")
    if name is None and atom in _ATOMS:
        gets.append(_ATOMS[atom])
    elif name is not None and atom in BRACED:
        gets.append(BRACED[atom][1](name))
    else:
        names = _ATOMS if name is None else BRACED
        raise ConfigError(f"{_OPTION}: {piece[0]} is no atom{_nearest(atom, names)}")
    return "%s"


def _nearest(name: str, names: Collection[str]) -> str:
    """The end of a message about an unknown name."""
    same = [known for known in names if known.lower() == name.lower()]
    near = same or get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else f": there are {', '.join(names)}."
