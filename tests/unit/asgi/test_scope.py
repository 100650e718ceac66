"""From a request to a scope, key by key."""

from __future__ import annotations

import copy

import pytest

from daphne_like.asgi.scope import decoded_path, http_scope, lifespan_scope, websocket_scope
from tests.unit.asgi.fakes import request

NOTHING: frozenset[str] = frozenset()


def test_a_scope_has_every_key_of_the_specification_and_no_other():
    asked = request("POST", b"/a%20b?q=1", headers=[(b"host", b"x"), (b"a", b"1"), (b"a", b"2")])
    assert http_scope(asked, "", NOTHING, None) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"q=1",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"a", b"1"), (b"a", b"2")],
        "client": ("192.0.2.1", 50000),
        "server": ("192.0.2.2", 80),
        "extensions": {},
    }


@pytest.mark.parametrize(
    ("of_the_request", "root_path"),
    [(None, "/configured"), ("/by-a-proxy", "/by-a-proxy"), ("", "")],
)
def test_the_root_path_of_a_proxy_goes_before_the_configured_one(of_the_request, root_path):
    asked = request(target=b"/configured/page", root_path=of_the_request)
    scope = http_scope(asked, "/configured", NOTHING, None)
    assert scope["root_path"] == root_path
    assert scope["path"] == "/configured/page", "the path stays as received"


def test_a_unix_socket_is_a_server_without_a_port_and_its_client_has_no_address():
    scope = http_scope(request(server=("/run/app.sock", None), client=None), "", NOTHING, None)
    assert scope["server"] == ("/run/app.sock", None)
    assert scope["client"] is None


def test_each_request_gets_its_own_shallow_copy_of_the_state():
    shared = {"pool": []}
    first = http_scope(request(), "", NOTHING, shared)["state"]
    first["mine"] = 1
    first["pool"].append("connection")
    assert http_scope(request(), "", NOTHING, shared)["state"] == {"pool": ["connection"]}


def test_a_state_is_named_only_where_there_is_one_though_it_be_empty():
    assert "state" not in http_scope(request(), "", NOTHING, None)
    assert http_scope(request(), "", NOTHING, {})["state"] == {}


@pytest.mark.parametrize("supports", [NOTHING, frozenset({"http.response.early_hint"})])
def test_extensions_name_what_the_stream_supports_and_stay_the_requests_own(supports):
    first = http_scope(request(), "", supports, None)["extensions"]
    assert first == {name: {} for name in supports}
    first["of the application"] = {}
    assert http_scope(request(), "", supports, None)["extensions"] == {n: {} for n in supports}


@pytest.mark.parametrize(
    "change",
    [
        lambda options: options.__setitem__("a", 1),
        lambda options: options.setdefault("a", 1),
        lambda options: options.update(a=1),
        lambda options: options.__ior__({"a": 1}),
    ],
)
def test_what_all_requests_share_cannot_be_changed(change):
    options = http_scope(request(), "", frozenset({"x"}), None)["extensions"]["x"]
    with pytest.raises(TypeError, match="cannot be changed"):
        change(options)
    assert options == copy.deepcopy(options) == {}


def test_a_websockets_scope_has_every_key_of_the_specification_and_no_other():
    headers = [(b"host", b"x"), (b"a", b"1"), (b"sec-websocket-protocol", b"chat, superchat")]
    asked = request("GET", b"/a%20b?q=1", headers=headers, upgrade="websocket")
    assert websocket_scope(asked, "", None) == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"q=1",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 50000),
        "server": ("192.0.2.2", 80),
        "subprotocols": ["chat", "superchat"],
        "extensions": {"websocket.http.response": {}},
    }


@pytest.mark.parametrize(
    ("scheme", "of_the_socket"), [("http", "ws"), ("https", "wss"), ("ws", "ws"), ("wss", "wss")]
)
def test_a_websocket_has_a_scheme_of_its_own(scheme, of_the_socket):
    assert websocket_scope(request(scheme=scheme), "", None)["scheme"] == of_the_socket


@pytest.mark.parametrize(
    ("fields", "subprotocols"),
    [
        ([], []),
        ([b"chat"], ["chat"]),
        ([b"b ,a,\tc"], ["b", "a", "c"]),
        ([b"two", b"one,, three"], ["two", "one", "three"]),
    ],
)
def test_its_subprotocols_are_all_that_the_client_offers_in_its_order(fields, subprotocols):
    asked = request(headers=[(b"sec-websocket-protocol", field) for field in fields])
    assert websocket_scope(asked, "", None)["subprotocols"] == subprotocols


@pytest.mark.parametrize(("of_the_request", "root_path"), [(None, "/ours"), ("/its", "/its")])
def test_its_root_path_and_its_state_are_those_of_any_request(of_the_request, root_path):
    shared = {"pool": []}
    first, second = [
        websocket_scope(request(root_path=of_the_request), "/ours", shared) for _ in range(2)
    ]
    assert first["root_path"] == root_path
    first["state"]["mine"] = 1
    first["state"]["pool"].append("connection")
    first["extensions"]["mine"] = {}
    assert second["state"] == {"pool": ["connection"]}
    assert "mine" not in second["extensions"]
    assert "state" not in websocket_scope(request(), "", None)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"*", "*"),
        (b"/a%2Fb", "/a/b"),
        (b"/%E4%BD%A0%e5%a5%bd", "/你好"),
        ("/straße".encode(), "/straße"),
        (b"/100%", "/100%"),
        (b"/%zz%4", "/%zz%4"),
        (b"/%ff\xfe", "/\ufffd\ufffd"),
        (b"/a+b", "/a+b"),
        (b"/%2541", "/%41"),
    ],
)
def test_a_path_is_decoded_once_from_percent_and_utf_8(raw, path):
    assert decoded_path(raw) == path


def test_the_lifespan_scope_carries_the_very_state_that_requests_share():
    state = {}
    scope = lifespan_scope(state)
    assert scope == {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": {},
    }
    assert scope["state"] is state


@pytest.mark.parametrize("of", ["http", "websocket"])
def test_what_is_known_of_an_encrypted_connection_is_each_requests_own(of):
    known = {"server_cert": "PEM", "client_cert_chain": ["PEM"], "tls_version": 0x0304}
    asked = request(tls=known, upgrade="websocket" if of == "websocket" else None)
    make = {
        "http": lambda: http_scope(asked, "", NOTHING, None),
        "websocket": lambda: websocket_scope(asked, "", None),
    }[of]
    told = make()["extensions"]["tls"]
    assert told == known
    told["server_cert"] = "mine"
    told["client_cert_chain"].append("mine")
    assert make()["extensions"]["tls"] == known
    assert "tls" not in http_scope(request(), "", NOTHING, None)["extensions"]
