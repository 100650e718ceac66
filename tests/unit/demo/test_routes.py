"""What is served where, and what every response has in common."""

import pytest

from tests.unit.demo.client import WHOLE, get, http_scope, run


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


def test_a_websocket_elsewhere_is_refused_before_it_is_accepted():
    client = run({"type": "websocket", "path": "/talk"}, {"type": "websocket.connect"})
    assert client.sent == [{"type": "websocket.close"}]
    assert client.messages == []


def test_an_unknown_scope_type_is_an_error():
    with pytest.raises(ValueError, match="'carrier-pigeon'"):
        run({"type": "carrier-pigeon"})


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
