"""What an access line says: Daphne's line, atoms, JSON; and that nothing can break it."""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import datetime
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daphne_like.access_format import (
    BRACED,
    FORMATS,
    KEYS,
    LETTERS,
    compiled,
    daphne,
    daphne_action,
    daphne_in_colour,
    details,
)
from daphne_like.errors import ConfigError
from daphne_like.exchange import Fields, Record, Request, ResponseHead

AGENT, REFERER = (b"user-agent", b"curl/8 (x; y)"), (b"referer", b"http://a/b?c")
ENDED = 1_700_000_002.25
"""When the record's exchange ended: it began two seconds before."""


def request(headers: Fields | None = None, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "method": "GET",
        "raw_path": b"/p",
        "query": b"q=1",
        "headers": [AGENT, REFERER, (b"x-a", b"1"), (b"x-a", b"2"), (b"x-empty", b"")]
        if headers is None
        else headers,
        "http_version": "1.1",
        "scheme": "https",
        "authority": b"example.org:8000",
        "client": ("10.0.0.7", 4711),
        "server": ("10.0.0.1", 8000),
    }
    return Request(**(values | changes))


def record(asked: Request | None = None, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "kind": "http",
        "request": asked or request(),
        "status": 200,
        "bytes_in": 3,
        "bytes_out": 22,
        "started": ENDED - 2.001234,
        "first_byte": 0.1,
        "duration": 2.001234,
        "outcome": "complete",
        "head": ResponseHead(200, [(b"Content-Type", b"text/html")]),
    }
    return Record(**(values | changes))


UNANSWERED: dict[str, Any] = {
    "status": None,
    "bytes_out": 0,
    "first_byte": None,
    "outcome": "disconnected",
    "head": None,
}


def local(form: str) -> str:
    return time.strftime(form, time.localtime(ENDED))


def made(text: str, *given: Any, **changes: Any) -> str:
    line = compiled(text)(record(*given, **changes))
    assert line is not None
    return line


# --- Daphne's ---------------------------------------------------------------------------------


def test_the_default_line_is_daphnes() -> None:
    ended = local("%d/%b/%Y:%H:%M:%S")
    assert made("daphne") == f'10.0.0.7:4711 - - [{ended}] "GET /p?q=1" 200 22'


@pytest.mark.parametrize("client", [None, ("/run/client.sock", None)])
def test_in_it_a_unix_client_has_no_name(client) -> None:
    assert made("daphne", request(client=client)).startswith("None - - [")


def test_in_it_what_had_no_answer_has_no_line() -> None:
    assert daphne(record(**UNANSWERED)) is daphne_in_colour(record(**UNANSWERED)) is None


@pytest.mark.parametrize(
    ("status", "word"),
    [(1000, "WSDISCONNECT"), (None, "WSDISCONNECT"), (403, "WSREJECT"), (503, "WSREJECT")],
)
def test_in_it_a_websocket_has_a_line_of_its_own_when_it_is_over(status, word) -> None:
    ended = local("%d/%b/%Y:%H:%M:%S")
    over = record(kind="websocket", status=status)
    assert daphne(over) == f'10.0.0.7:4711 - - [{ended}] "{word} /p" {status or "-"} 22'
    assert daphne_in_colour(over) == daphne(over)


def test_in_other_formats_a_websocket_has_its_close_code() -> None:
    assert made("%(kind)s %(s)s", kind="websocket", status=4001) == "websocket 4001"


@pytest.mark.parametrize(
    ("status", "colour"), [(101, 0), (200, 32), (304, 36), (404, 33), (500, 31), (999, 0)]
)
def test_on_a_terminal_its_status_has_a_colour(status, colour) -> None:
    plain, coloured = daphne(record(status=status)), daphne_in_colour(record(status=status))
    assert coloured == str(plain).replace(f" {status} ", f" \x1b[{colour}m{status}\x1b[0m ")


def test_every_month_has_its_english_name_whatever_the_locale_calls_it() -> None:
    seen = []
    for month in range(1, 13):
        begun = datetime(2026, month, 2, 3, 4, 5).timestamp()  # noqa: DTZ001 - lines have local time
        line = made("daphne", started=begun, duration=0.5)
        seen.append(line.partition("[02/")[2].partition("/2026:03:04:05]")[0])
    assert " ".join(seen) == "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"


# --- Atoms ------------------------------------------------------------------------------------

TEXTS = {
    "%(h)s": "10.0.0.7",
    "%(l)s %(u)s": "- -",
    "%(t)s": local("[%d/%b/%Y:%H:%M:%S %z]"),
    "%(r)s": "GET /p?q=1 HTTP/1.1",
    "%(m)s %(U)s %(q)s %(H)s": "GET /p q=1 HTTP/1.1",
    "%(s)s %(B)s %(b)s": "200 22 22",
    "%(f)s %(a)s": "http://a/b?c curl/8 (x; y)",
    "%(T)s %(M)s %(D)s %(L)s": "2 2001 2001234 2.001234",
    "%(p)s": f"<{os.getpid()}>",
    "%({X-A}i)s|%({x-b}i)s|%({x-empty}i)s": "1, 2|-|",
    "%({content-TYPE}o)s|%({x-b}o)s": "text/html|-",
    "%({A_VARIABLE}e)s|%({NO_VARIABLE}e)s": r"caf\xc3\xa9|-",
    "%(client)s:%(client_port)s": "10.0.0.7:4711",
    "%(duration)s %(first_byte)s": "2.001234 0.100000",
    "%(status)s %(bytes_in)s %(request_id)s": "200 3 -",
    "100%% of\t%(h)s": "100% of\t10.0.0.7",
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_format_is_made_of_atoms(text, monkeypatch) -> None:
    monkeypatch.setenv("A_VARIABLE", "café")
    monkeypatch.delenv("NO_VARIABLE", raising=False)
    assert made(text) == TEXTS[text]


def test_every_atom_of_gunicorn_is_there() -> None:
    assert {*LETTERS, *BRACED} == {*"hlutrmUqHsBbfaTDMLp", *"ioe"}


def test_a_line_without_a_response_has_what_readers_of_lines_expect() -> None:
    text = "%(s)s %(status)s %(b)s %(first_byte)s %({content-type}o)s %(outcome)s"
    assert made(text, **UNANSWERED) == "499 - - - - disconnected"
    assert made("%(s)s", status=None, outcome="failed", head=None) == "-"


def test_a_unix_client_is_a_path_or_nothing() -> None:
    text = "%(h)s %(client_port)s %(peer)s %(peer_port)s"
    assert made(text, request(client=None)) == "- - - -"
    assert made(text, request(client=("/a\x1b", None))) == r"/a\x1b - /a\x1b -"


def test_a_peer_is_not_the_client_whom_it_speaks_for() -> None:
    asked = request()
    asked.on_behalf_of(("192.0.2.9", 0))
    assert made("%(h)s %(peer)s:%(peer_port)s", asked) == "192.0.2.9 10.0.0.7:4711"


def test_the_named_formats_are_those_of_the_web() -> None:
    at = local("%d/%b/%Y:%H:%M:%S %z")
    common = f'10.0.0.7 - - [{at}] "GET /p?q=1 HTTP/1.1" 200 22'
    assert made("common") == common
    assert made("combined") == f'{common} "http://a/b?c" "curl/8 (x; y)"'
    assert made("combined", request(headers=[])) == f'{common} "-" "-"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("combine", "'combine': no such format; did you mean combined?"),
        ("JSON", "'JSON': no such format; did you mean json?"),
        ("", "'': no such format: there are daphne, common, combined, json."),
        ("%(S)s", "%(S)s is no atom; did you mean s?"),
        ("%(h)s %(reqest_id)s", "%(reqest_id)s is no atom; did you mean request_id?"),
        ("%(x)s", "%(x)s is no atom: there are h, l, u, t, r, "),
        ("%({accept}x)s", "%({accept}x)s is no atom: there are i, o, e."),
        ("%({accept}I)s", "%({accept}I)s is no atom; did you mean i?"),
        ("%(h)d", "'%(h)d' is no atom: write %(h)s, and %% for a %."),
        ("%h", "'%h' is no atom: write %(h)s, and %% for a %."),
        ("%(h)s %", "'%' is no atom: write %(h)s, and %% for a %."),
        ("%({})s", "'%({})s' is no atom"),
        ("%(h)s\n", r"'%(h)s\n': only ASCII and tabs can stand in a line."),
        ("%(h)s é", "'%(h)s é': only ASCII and tabs can stand in a line."),
    ],
)
def test_what_is_no_format_is_one_line_that_names_the_nearest(text, said) -> None:
    with pytest.raises(ConfigError) as refusal:
        compiled(text)
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("--access-log-format")
    assert str(refusal.value).isprintable()


# --- JSON -------------------------------------------------------------------------------------


def test_json_has_every_key_in_its_order_and_numbers_are_numbers() -> None:
    found = json.loads(made("json"))
    at = datetime.fromisoformat(found.pop("time"))
    assert at.timestamp() == ENDED
    assert at.utcoffset() is not None
    assert list(found) == list(KEYS)[1:]
    assert found == {
        "kind": "http",
        "client": "10.0.0.7",
        "client_port": 4711,
        "peer": "10.0.0.7",
        "peer_port": 4711,
        "method": "GET",
        "path": "/p",
        "query": "q=1",
        "protocol": "HTTP/1.1",
        "scheme": "https",
        "host": "example.org:8000",
        "status": 200,
        "bytes_in": 3,
        "bytes_out": 22,
        "duration": 2.001234,
        "first_byte": 0.1,
        "outcome": "complete",
        "user_agent": "curl/8 (x; y)",
        "referer": "http://a/b?c",
        "request_id": None,
    }


def test_a_status_may_be_an_applications_own_kind_of_number() -> None:
    assert json.loads(made("json", status=HTTPStatus.NOT_FOUND))["status"] == 404
    for text in ("%(s)s", "%(status)s"):
        assert made(text, status=HTTPStatus.NOT_FOUND) == "404"
    assert made("daphne", status=HTTPStatus.NOT_FOUND).endswith('" 404 22')


def test_json_says_null_where_there_is_nothing() -> None:
    asked = request(client=None, headers=[])
    found = json.loads(made("json", asked, **UNANSWERED))
    nothing = {key for key, value in found.items() if value is None}
    assert nothing == {
        "client", "client_port", "peer", "peer_port", "status", "first_byte",
        "user_agent", "referer", "request_id",
    }  # fmt: skip
    assert found["outcome"] == "disconnected"


def test_details_are_the_same_and_have_no_name_that_logging_has() -> None:
    asked = request()
    asked.request_id = "a1"
    assert details(record(asked)) == json.loads(made("json", asked))
    assert set(vars(logging.makeLogRecord({}))) & {*KEYS, "message", "asctime"} <= {"message"}


# --- Whatever a client sends ------------------------------------------------------------------

EVERYTHING = " ".join(
    [*(f"%({name})s" for name in (*LETTERS, *KEYS)), *(f"%({{x-a}}{name})s" for name in "io")]
)


@settings(max_examples=300)
@given(
    *(st.binary(max_size=8) for _ in range(5)),
    st.text(st.characters(), max_size=8),
    st.sampled_from([*FORMATS, EVERYTHING]),
)
def test_no_byte_can_act_on_a_terminal_or_forge_a_line(
    path: bytes, query: bytes, value: bytes, host: bytes, sent: bytes, client: str, text: str
) -> None:
    headers = [(name, value) for name in (b"x-a", b"user-agent", b"referer")]
    asked = request(headers, raw_path=path, query=query, authority=host, client=(client, 1))
    line = made(text, asked, head=ResponseHead(200, [(b"x-a", sent)]))
    assert line.isascii()
    assert line.isprintable()
    if text == "json":
        assert set(json.loads(line)) == set(KEYS)
        assert all(str(value).isprintable() for value in json.loads(line).values())
    elif text in FORMATS:
        assert line.count('"') % 2 == 0
        assert line.rpartition('"')[0].count('"') in (1, 5)


def test_each_byte_that_acts_is_shown() -> None:
    every = bytes(range(256))
    shown = made("%(U)s", request(raw_path=every))
    assert shown.startswith(r"\x00\x01")
    assert shown.count("\\") == 256 - len("".join(map(chr, range(32, 127)))) + 2
    assert made("%(a)s", request([(b"user-agent", b'"\\\x7f\xff')])) == r"\x22\x5c\x7f\xff"


# --- Actions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "action", "size", "said"),
    [
        ("http", "complete", 22, '"GET /p?q" 200 22'),
        ("http", "complete", 0, '"GET /p?q" 200 -'),
        ("websocket", "connecting", 0, '"WSCONNECTING /p?q" - -'),
        ("websocket", "connected", 0, '"WSCONNECT /p?q" - -'),
        ("websocket", "disconnected", 0, '"WSDISCONNECT /p?q" - -'),
        ("websocket", "rejected", 0, '"WSREJECT /p?q" - -'),
    ],
)
def test_daphnes_format_has_a_line_for_each_action(protocol, action, size, said) -> None:
    when = time.strftime("%d/%b/%Y:%H:%M:%S", time.localtime(ENDED))
    told = {"path": "/p?q", "client": None, "method": "GET", "status": 200, "size": size}
    assert daphne_action(protocol, action, told, ENDED) == f"None - - [{when}] {said}"


@pytest.mark.parametrize("action", [("http", "other"), ("websocket", "complete"), ("x", "y")])
def test_an_action_that_daphne_does_not_know_has_no_line(action: tuple[str, str]) -> None:
    assert daphne_action(*action, {}, ENDED) is None
