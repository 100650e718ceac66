"""A request's id: whose word is taken, and where it is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daphne_like.exchange import Address, Fields, Request, ResponseHead
from daphne_like.request_id import identified, new_id
from daphne_like.testing import FakeStream, RecordedExchange, RecordingOpen
from daphne_like.trust import Trusted

PROXY, STRANGER = ("127.0.0.1", 5000), ("203.0.113.9", 1)
NAME = b"x-request-id"


class Door:
    """A server behind ``identified``, which makes the ids 1, 2, and so on."""

    def __init__(self, *supports: str) -> None:
        self.made = 0
        self.supports = supports
        self.inside = RecordingOpen()
        self.open = identified(
            self.inside, Trusted("127.0.0.1", "--forwarded-allow-ips"), NAME, self._make
        )

    def _make(self) -> str:
        self.made += 1
        return str(self.made)

    def ask(
        self, headers: Fields, client: Address | None = PROXY, **facts: Any
    ) -> RecordedExchange:
        """The exchange of a request; the stream that the wire gave is its ``outside``."""
        asked = Request("GET", b"/", b"", headers, "1.1", "http", b"a", client, None)
        self.outside = FakeStream(*self.supports)
        assert self.open(asked, self.outside) is self.inside.last
        return self.inside.last


def ids(headers: Fields) -> list[bytes]:
    return [value for name, value in headers if name == NAME]


# --- The request ------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [b"a", b"Root=1-67891233-abc;x", b"q+/=._~:@-", b"a" * 128])
def test_the_id_of_a_trusted_peer_is_taken(given) -> None:
    door = Door()
    headers = [(NAME, given), (b"host", b"a")]
    request = door.ask(headers).request
    assert request.request_id == given.decode()
    assert request.headers == [(NAME, given), (b"host", b"a")]
    assert door.made == 0


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ([], PROXY),
        ([b""], PROXY),
        ([b"a" * 129], PROXY),
        ([b"a b"], PROXY),
        ([b'"'], PROXY),
        ([b"${jndi}"], PROXY),
        ([b"a\n"], PROXY),
        ([b"caf\xc3\xa9"], PROXY),
        ([b"a", b"a"], PROXY),
        ([b"a"], STRANGER),
        ([], STRANGER),
        ([b"a"], None),
    ],
)
def test_any_other_request_gets_one_of_ours_instead(values, client) -> None:
    door = Door()
    headers = [(NAME, value) for value in values]
    request = door.ask([(b"host", b"a"), *headers, (b"b", b"c")], client).request
    assert request.request_id == "1"
    assert request.headers == [(b"host", b"a"), (b"b", b"c"), (NAME, b"1")]


@pytest.mark.parametrize("alias", [b"x_request_id", b"x-request_id"])
def test_a_name_that_only_looks_like_it_does_not_get_through(alias) -> None:
    aliases = [(alias, b"forged"), (b"host", b"a")]
    request = Door().ask(aliases, STRANGER).request
    assert request.headers == [(b"host", b"a"), (NAME, b"1")]
    assert Door().ask(aliases).request.headers == [(b"host", b"a"), (NAME, b"1")]
    request = Door().ask([(NAME, b"a"), *aliases]).request
    assert (request.request_id, request.headers) == ("a", [(b"host", b"a"), (NAME, b"a")])


def test_it_is_the_peer_who_is_trusted_and_not_for_whom_it_speaks() -> None:
    for peer, client, taken in ((PROXY, STRANGER, True), (STRANGER, PROXY, False)):
        door = Door()
        asked = Request("GET", b"/", b"", [(NAME, b"a")], "1.1", "http", b"a", peer, None)
        asked.on_behalf_of(client)
        door.open(asked, FakeStream())
        assert (asked.request_id == "a") is taken


def test_what_the_wire_remembers_is_left_alone() -> None:
    headers = [(NAME, b"a")]
    Door().ask(headers, STRANGER)
    assert headers == [(NAME, b"a")]


@given(st.binary(max_size=140))
def test_an_id_can_stand_in_any_line(value: bytes) -> None:
    request = Door().ask([(NAME, value)]).request
    assert re.fullmatch(r"[!-~]{1,128}", str(request.request_id))
    assert not set('"\\<>$`,') & set(str(request.request_id))
    assert ids(request.headers) == [str(request.request_id).encode()]


def test_ids_of_ours_are_long_and_each_is_another() -> None:
    made = {new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)


# --- The response -----------------------------------------------------------------------------


def test_the_response_has_it_at_once_or_head_first() -> None:
    door = Door()
    exchange = door.ask([])
    exchange.answer(b"hello", 201, [(b"a", b"b")])
    head = door.outside.head
    assert (head.status, head.fields) == (201, [(b"a", b"b"), (NAME, b"1")])
    assert (door.outside.body, door.outside.outcome) == (b"hello", "complete")
    exchange = door.ask([])
    exchange.start(b"hel", 202)
    exchange.stream.send_body(b"lo")
    exchange.stream.end([(b"t", b"u")])
    assert (door.outside.head.status, ids(door.outside.head.fields)) == (202, [b"2"])
    assert (door.outside.body, door.outside.trailers) == (b"hello", [(b"t", b"u")])


def test_a_file_goes_through(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    door = Door("http.response.pathsend")
    exchange = door.ask([])
    exchange.start(b"")
    with (tmp_path / "file").open("rb") as file:
        exchange.stream.send_file(file.fileno(), 1, 3)
    assert door.outside.body == b"ell"


def test_an_application_that_answers_it_by_itself_answers_it_once() -> None:
    door = Door()
    door.ask([]).answer(b"", 200, [(b"X-Request-ID", b"theirs"), (b"a", b"b")])
    assert door.outside.head.fields == [(b"a", b"b"), (NAME, b"1")]


def test_a_head_that_may_be_that_of_others_stays_as_it_is() -> None:
    door = Door()
    head = ResponseHead(204, [], 7, bodiless=True, close=True, own=frozenset((b"date",)))
    head.encoded = b"as the wire spells it"
    door.ask([]).stream.respond(head, b"")
    sent = door.outside.head
    assert head.fields == []
    assert sent.fields == [(NAME, b"1")]
    assert sent.encoded is None
    facts = ("status", "length", "bodiless", "close", "own")
    assert [getattr(sent, fact) for fact in facts] == [getattr(head, fact) for fact in facts]


def test_a_tunnels_head_has_it_too() -> None:
    door = Door()
    stream = door.ask([]).stream
    head = ResponseHead(101, [(b"X-Request-ID", b"theirs"), (b"a", b"b")])
    stream.open_tunnel(head)(b"frames")
    sent = door.outside.head
    assert (sent.status, sent.fields) == (101, [(b"a", b"b"), (NAME, b"1")])
    assert (door.outside.tunnel, door.outside.body) == (True, b"frames")
    assert len(head.fields) == 2


def test_everything_else_goes_through() -> None:
    door = Door("an extension")
    stream = door.ask([]).stream
    assert stream.supports == {"an extension"}
    assert not stream.full
    door.outside.full = True
    assert stream.full
    stream.wanted()
    stream.consumed(7)
    stream.send_hints([(b"link", b"l")])
    stream.abort("enough")
    outside = door.outside
    assert (outside.wants, outside.credit, outside.hints) == (1, 7, [(b"link", b"l")])
    assert (outside.outcome, outside.reason) == ("aborted", "enough")
