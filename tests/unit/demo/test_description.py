"""The scope as JSON."""

import json

import pytest

from daphne_like.demo.description import plain
from tests.unit.demo.client import WHOLE, get, http_scope, run


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
