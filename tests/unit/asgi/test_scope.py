"""From a request to a scope, key by key."""

from __future__ import annotations

import copy

import pytest

from daphne_like.asgi.scope import decoded_path, http_scope, lifespan_scope
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
