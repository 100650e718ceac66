"""The page, as a browser reads it."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from daphne_like.demo.chat import NAME_LENGTH, TEXT_LENGTH
from tests.unit.demo.client import get


class Reader(HTMLParser):
    """What a browser makes of the page: the elements, and the text in the descriptions."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.open = []
        self.texts = {"dt": [], "code": [], "li": [], "script": [], "style": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in self.texts:
            self.open.append(tag)
            self.texts[tag].append("")

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data


def read(**more):
    client = get("/", **more)
    assert client.headers[b"content-type"] == b"text/html; charset=utf-8"
    return client, Reader(client.body.decode())


def test_the_page_shows_the_scope():
    _, page = read(
        http_version="2",
        scheme="https",
        query_string=b"a=1",
        extensions={"http.response.trailers": {}, "tls": {"tls_version": 772}},
        headers=[(b"accept", b'"quoted"')],
    )
    assert page.texts["li"] == ["HTTP/2", "https", "ASGI 3.0"]
    names = page.texts["dt"]
    assert {"query_string", "http.response.trailers", "tls_version", "accept"} <= {*names}
    assert "headers" not in names
    assert {'"a=1"', "{}", "772", '"quoted"'} <= {*page.texts["code"]}


def test_the_scheme_may_be_missing():
    _, page = read()
    assert page.texts["li"] == ["HTTP/1.1", "http", "ASGI 3.0"]


EVIL = "</code><script>alert('&amp;\"')</script><!-- headers --><!-- scope -->"


def test_the_page_escapes_what_the_client_sent():
    plain_page = read()[1]
    raw = EVIL.encode()
    client, page = read(
        scheme=EVIL,
        query_string=raw,
        extensions={EVIL: {EVIL: EVIL}},
        headers=[(raw, raw), (b"x", raw)],
    )
    assert EVIL.encode() not in client.body
    assert page.texts["script"] == plain_page.texts["script"]
    assert page.texts["li"][1] == EVIL
    assert page.texts["dt"].count(EVIL) == 3
    assert page.texts["code"].count(EVIL) == 2
    assert page.texts["code"].count(json.dumps(EVIL)) == 3


def test_a_path_that_is_no_unicode_does_no_harm():
    _, page = read(root_path="/\udcff\x00")
    assert '"/\\udcff\\u0000"' in page.texts["code"]


def test_the_policy_allows_the_inline_script_and_style_and_no_other():
    client, page = read()
    directives = client.headers[b"content-security-policy"].decode().split("; ")
    policy = dict(directive.split(" ", 1) for directive in directives)
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for element in ("script", "style"):
        (inline,) = page.texts[element]
        assert inline.strip()
        digest = b64encode(sha256(inline.encode()).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    names = {name for _, attrs in page.elements for name in attrs}
    assert not [name for name in names if name == "style" or name.startswith("on")]


def test_the_page_loads_nothing_and_has_no_mark_left():
    client, page = read()
    links = [a.get("src") or a.get("href") for _, a in page.elements if "src" in a or "href" in a]
    assert [link for link in links if not link.startswith("data:")] == ["scope"]
    assert not re.search(rb"<!--|@import|url\(", client.body)


def test_the_script_finds_its_elements_and_routes():
    _, page = read()
    (script,) = page.texts["script"]
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    wanted = set(re.findall(r'(?:byId|say)\("([^"]+)"', script))
    assert wanted
    assert wanted <= ids
    labelled = {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    assert labelled <= ids
    assert 'new EventSource("events")' in script
    assert 'open("POST", "upload")' in script
    assert 'new WebSocket(address("chat", "ws")' in script


def test_the_script_writes_nothing_that_the_browser_would_read_as_markup():
    _, page = read()
    (script,) = page.texts["script"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_the_script_knows_every_event_of_the_room():
    _, page = read()
    (script,) = page.texts["script"]
    known = set(re.findall(r"^  (\w+)\(\{.*\{", script, re.MULTILINE))
    assert known == {"welcome", "said", "came", "left", "renamed", "pong"}
    lengths = {int(attrs["maxlength"]) for _, attrs in page.elements if "maxlength" in attrs}
    assert lengths == {NAME_LENGTH, TEXT_LENGTH}


def test_over_tls_its_commands_take_a_certificate_that_nobody_vouches_for():
    assert b"<code>curl -N" in get("/").body
    assert b"development.pem" not in get("/").body
    page = get("/", extensions={"tls": {}}).body
    assert page.count(b"<code>curl -k ") == page.count(b"<code>curl ") == 2
    assert b"development.pem python -m websockets" in page
