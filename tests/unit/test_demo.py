"""The demonstration, driven through its three arguments alone: no server, no socket."""

import asyncio
import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from daphne_like.demo import application, events
from daphne_like.demo.description import plain

DISCONNECT = {"type": "http.disconnect"}
WHOLE = ({"type": "http.request", "body": b"", "more_body": False},)


def http_scope(path="/", method="GET", **more):
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [],
        **more,
    }


class Client:
    """The other end of `receive` and `send`.

    It gives `messages` and then waits for ever, as a server does whose client stays. Once it was
    sent `patience` messages it leaves: `receive` tells so (where it `tells`), the next `send`
    raises `leaving` (where there is one), or both.
    """

    def __init__(self, *messages, patience=None, tells=True, leaving=None):
        self.messages = list(messages)
        self.patience = patience
        self.tells = tells
        self.leaving = leaving
        self.sent = []
        self.left = asyncio.Event()
        self.waiting = 0

    async def receive(self):
        if self.messages:
            return self.messages.pop(0)
        self.waiting += 1
        try:
            await self.left.wait()
        finally:
            self.waiting -= 1
        return DISCONNECT

    async def send(self, message):
        if len(self.sent) == self.patience and self.leaving is not None:
            raise self.leaving
        self.sent.append(message)
        if len(self.sent) == self.patience and self.tells:
            self.left.set()
        await asyncio.sleep(0)

    @property
    def head(self):
        return self.sent[0]

    @property
    def headers(self):
        return dict(self.head["headers"])

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def run(scope, *messages, **habits):
    """Run the application to its end and return its client; nothing may be left running."""

    async def serve():
        client = Client(*messages, **habits)
        async with asyncio.timeout(10):
            await application(scope, client.receive, client.send)
        assert client.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return client

    return asyncio.run(serve())


def get(path="/", method="GET", **more):
    return run(http_scope(path, method, **more), *WHOLE)


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(events, "INTERVAL", 0)


# protocols


def test_lifespan_confirms_both_phases():
    client = run(
        {"type": "lifespan", "asgi": {"version": "3.0"}},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert client.sent == [
        {"type": "lifespan.startup.complete"},
        {"type": "lifespan.shutdown.complete"},
    ]


def test_websocket_is_refused_before_it_is_accepted():
    client = run({"type": "websocket", "path": "/chat"}, {"type": "websocket.connect"})
    assert client.sent == [{"type": "websocket.close"}]
    assert client.messages == []


def test_an_unknown_scope_type_is_an_error():
    with pytest.raises(ValueError, match="'carrier-pigeon'"):
        run({"type": "carrier-pigeon"})


# routing


@pytest.mark.parametrize("path", ["/nothing", "", "/scope/", "/<script>"])
def test_unknown_paths_are_not_found_and_not_reflected(path):
    client = get(path)
    assert client.head["status"] == 404
    assert client.body == b"Not Found\n"


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/", "POST", b"GET, HEAD"),
        ("/scope", "DELETE", b"GET, HEAD"),
        ("/events", "POST", b"GET, HEAD"),
        ("/upload", "GET", b"POST"),
        ("/upload", "HEAD", b"POST"),
        ("/", "<script>", b"GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(path, method, allow):
    client = get(path, method)
    assert client.head["status"] == 405
    assert client.headers[b"allow"] == allow
    assert client.body == (b"" if method == "HEAD" else b"Method Not Allowed\n")


@pytest.mark.parametrize(
    ("root_path", "path", "status"),
    [
        ("/demo", "/demo/scope", 200),
        ("/demo/", "/demo/scope", 200),
        ("/demo", "/scope", 200),
        ("/demo", "/demoscope", 404),
        ("", "/demo/scope", 404),
    ],
)
def test_routes_are_below_the_root_path(root_path, path, status):
    assert get(path, root_path=root_path).head["status"] == status


@pytest.mark.parametrize("path", ["/", "/scope", "/nothing"])
def test_head_is_get_without_the_body(path):
    # the method is a part of the scope that is shown: one letter more than GET
    got, head = get(path), get(path, "HEAD")
    longer = 0 if path == "/nothing" else 1
    assert head.body == b""
    assert head.head["status"] == got.head["status"]
    assert int(head.headers[b"content-length"]) == len(got.body) + longer
    assert head.headers | {b"content-length": b""} == got.headers | {b"content-length": b""}


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/scope", "GET"), ("/upload", "POST"), ("/no", "GET"), ("/", "PUT")],
)
def test_a_response_is_whole_and_has_its_length(path, method):
    client = get(path, method)
    start, body = client.sent
    assert start["type"] == "http.response.start"
    assert body["type"] == "http.response.body"
    assert not body.get("more_body", False)
    assert client.headers[b"content-length"] == b"%d" % len(client.body)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "GET"), ("/scope", "GET"), ("/events", "HEAD"), ("/upload", "POST"), ("/no", "GET")],
)
def test_every_response_has_the_security_headers_once(path, method):
    names = [name for name, _ in get(path, method).head["headers"]]
    assert len(names) == len(set(names))
    headers = get(path, method).headers
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert headers[b"content-security-policy"].startswith(b"default-src 'none'; ")
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]


def test_an_error_of_send_in_a_plain_response_is_the_servers_to_judge():
    with pytest.raises(ConnectionResetError):
        run(http_scope("/scope"), *WHOLE, patience=0, leaving=ConnectionResetError())


# the scope


def test_scope_is_answered_as_json():
    scope = http_scope(
        "/scope",
        client=("127.0.0.1", 5000),
        server=None,
        raw_path=b"/scope",
        headers=[(b"accept", b"*/*"), (b"x-twice", b"1"), (b"x-twice", b"\xe9")],
    )
    client = run(scope, *WHOLE)
    assert client.headers[b"content-type"] == b"application/json"
    assert json.loads(client.body) == {
        **scope,
        "client": ["127.0.0.1", 5000],
        "query_string": "",
        "raw_path": "/scope",
        "headers": [["accept", "*/*"], ["x-twice", "1"], ["x-twice", "é"]],
    }


@pytest.mark.parametrize("name", [b"cookie", b"authorization", b"proxy-authorization"])
@pytest.mark.parametrize("path", ["/", "/scope"])
def test_secret_headers_are_hidden(path, name):
    client = get(path, headers=[(name, b"very-secret")])
    assert b"very-secret" not in client.body
    assert b"(hidden, 11 bytes)" in client.body


def test_plain_values():
    class Odd:
        def __repr__(self):
            return "<odd>"

    value = {1: (None, True, 2, 0.5, "s"), "b": b"\xff", "list": [Odd()], "none": {}}
    assert plain(value) == {
        "1": [None, True, 2, 0.5, "s"],
        "b": "\xff",
        "list": ["<odd>"],
        "none": {},
    }


# the page


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


def test_the_chat_has_its_place():
    client, _ = read()
    assert b"Chat arrives with WebSocket support." in client.body


# events


def ticks(client):
    """Parse the body as an event stream: (id, data) for each event."""
    parsed = []
    for block in client.body.decode().removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.keys() == {"id", "data"}
        parsed.append((int(fields["id"]), json.loads(fields["data"])))
    return parsed


def test_events_tick_until_receive_tells_that_the_client_left(hasty):
    client = run(http_scope("/events"), *WHOLE, patience=4)
    assert client.head["status"] == 200
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert client.headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in client.headers
    assert [number for number, _ in ticks(client)][:3] == [1, 2, 3]
    assert all(data["count"] == number for number, data in ticks(client))
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", data["time"])
        for _, data in ticks(client)
    )
    assert all(message["more_body"] for message in client.sent[1:])


def test_events_end_at_once_when_the_client_leaves_between_two_ticks(monkeypatch):
    monkeypatch.setattr(events, "INTERVAL", 3600)
    client = run(http_scope("/events"), *WHOLE, patience=2)
    assert len(ticks(client)) == 1


def test_events_never_begin_for_a_client_that_has_left():
    client = run(http_scope("/events"), DISCONNECT)
    assert [message["type"] for message in client.sent] == ["http.response.start"]


@pytest.mark.parametrize("patience", [0, 1, 5])
@pytest.mark.parametrize("tells", [True, False])
def test_events_end_when_send_raises_oserror(hasty, patience, tells):
    client = run(
        http_scope("/events"), *WHOLE, patience=patience, tells=tells, leaving=BrokenPipeError()
    )
    assert len(client.sent) == patience


def stream_to_failing_receive(error):
    async def receive():
        raise error

    async def serve():
        async with asyncio.timeout(10):
            await application(http_scope("/events"), receive, Client().send)

    asyncio.run(serve())


def test_events_end_when_receive_raises_oserror(hasty):
    stream_to_failing_receive(ConnectionResetError())


def test_other_errors_of_receive_are_not_swallowed(hasty):
    with pytest.raises(RuntimeError, match="a fault"):
        stream_to_failing_receive(RuntimeError("a fault"))


def test_other_errors_of_send_are_not_swallowed(hasty):
    with pytest.raises(RuntimeError, match="a fault"):
        run(http_scope("/events"), *WHOLE, patience=2, leaving=RuntimeError("a fault"), tells=False)


def test_events_can_be_cancelled(hasty):
    async def serve():
        client = Client(*WHOLE)
        ticking = asyncio.Event()

        async def send(message):
            await client.send(message)
            if len(client.sent) == 3:
                ticking.set()

        task = asyncio.create_task(application(http_scope("/events"), client.receive, send))
        await ticking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(serve())


def test_head_of_events_ends():
    client = get("/events", "HEAD")
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert client.sent[1:] == [{"type": "http.response.body"}]


# upload


def part(body, *, more):
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    "parts",
    [
        [part(b"one", more=True), part(b"", more=True), part(b"two", more=False)],
        [part(b"onetwo", more=False)],
        [part(b"onetwo", more=True), {"type": "http.request"}],
    ],
)
def test_upload_is_counted_and_hashed(parts):
    client = run(http_scope("/upload", "POST"), *parts)
    assert client.head["status"] == 200
    assert client.headers[b"content-type"] == b"application/json"
    answer = json.loads(client.body)
    assert answer.keys() == {"size", "sha256", "seconds"}
    assert answer["size"] == 6
    assert answer["sha256"] == sha256(b"onetwo").hexdigest()
    assert answer["seconds"] >= 0


def test_upload_may_be_empty():
    answer = json.loads(get("/upload", "POST").body)
    assert answer["size"] == 0
    assert answer["sha256"] == sha256(b"").hexdigest()


def test_upload_keeps_no_part_of_the_body():
    # bytes cannot be referenced weakly; a subclass can
    class Part(bytes):
        alive = 0
        most = 0

        def __init__(self, *_):
            Part.alive += 1
            Part.most = max(Part.most, Part.alive)

        def __del__(self):
            Part.alive -= 1

    async def serve():
        client = Client()
        left = iter(range(100))

        async def receive():
            number = next(left)
            return part(Part(b"x" * 1000), more=number < 99)

        await application(http_scope("/upload", "POST"), receive, client.send)
        return client

    assert json.loads(asyncio.run(serve()).body)["size"] == 100_000
    assert Part.most <= 3


def test_upload_of_a_client_that_leaves_is_not_answered():
    client = run(http_scope("/upload", "POST"), part(b"half", more=True), DISCONNECT)
    assert client.sent == []
