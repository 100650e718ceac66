"""The environ of WSGI: CGI's words for a request, and what must not get into it."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.asgi.scope import http_scope
from daphne_like.asgi.wsgi_environ import environ_of
from tests.unit.asgi.fakes import request


def environ(target: bytes = b"/", *fields: Any, root_path: str = "", **changes: Any) -> Any:
    headers = [(b"host", b"example.org"), *fields]
    asked = request("GET", target, **({"headers": headers} | changes))
    return environ_of(http_scope(asked, root_path, frozenset(), None))


def test_a_request_in_the_words_of_cgi():
    assert environ(b"/a%20b?c=%20d", (b"content-type", b"a/b"), (b"content-length", b"3")) == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20d",
        "REQUEST_URI": "/a%20b?c=%20d",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "3",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "daphne-like",
        "SERVER_NAME": "192.0.2.2",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "192.0.2.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "example.org",
        "wsgi.url_scheme": "http",
    }


def test_https_is_said_twice():
    found = environ(scheme="https")
    assert (found["wsgi.url_scheme"], found["HTTPS"]) == ("https", "on")


def test_bytes_are_strings_of_latin_1():
    found = environ("/ä?ö".encode(), (b"x-a", "ü".encode()))
    assert found["PATH_INFO"].encode("latin-1") == "/ä".encode()
    assert found["QUERY_STRING"].encode("latin-1") == "ö".encode()
    assert found["HTTP_X_A"].encode("latin-1") == "ü".encode()
    assert environ(b"/%ff%2F")["PATH_INFO"] == "/\xff/"


@pytest.mark.parametrize(
    ("target", "root_path", "script", "path"),
    [
        (b"/forum/a", "/forum", "/forum", "/a"),
        (b"/forum", "/forum", "/forum", ""),
        (b"/forum/", "/forum/", "/forum", "/"),
        (b"/forums", "/forum", "/forum", "/forums"),
        (b"/a", "/forum", "/forum", "/a"),
        (b"/%C3%A4/a", "/ä", "/Ã¤", "/a"),
        (b"*", "", "", "*"),
    ],
)
def test_where_the_application_is_mounted_is_cut_off_the_path(target, root_path, script, path):
    found = environ(target, root_path=root_path)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script, path)


def test_fields_that_come_several_times_are_one():
    fields = [(b"x-a", b"1"), (b"cookie", b"a=1"), (b"x-a", b"2"), (b"cookie", b"b=2")]
    found = environ(b"/", *fields)
    assert (found["HTTP_X_A"], found["HTTP_COOKIE"]) == ("1,2", "a=1; b=2")


@pytest.mark.parametrize("name", [b"x_user", b"content_length", b"proxy"])
def test_a_field_that_would_pass_for_another_variable_is_left_out(name):
    found = environ(b"/", (b"x-user", b"known"), (name, b"forged"))
    assert found["HTTP_X_USER"] == "known"
    assert "forged" not in found.values()


def test_names_are_remembered_for_a_while_only():
    for number in range(3000):
        name = b"x-%d" % number
        assert environ(b"/", (name, b"1"))[f"HTTP_X_{number}"] == "1"


@pytest.mark.parametrize(
    ("host", "scheme", "expected"),
    [
        (b"example.org:8000", "http", ("example.org", "8000")),
        (b"example.org", "http", ("example.org", "80")),
        (b"example.org", "https", ("example.org", "443")),
        (b"[::1]:8000", "http", ("[::1]", "8000")),
        (b"[::1]", "http", ("[::1]", "80")),
        (b"", "http", ("localhost", "80")),
    ],
)
@pytest.mark.parametrize("server", [("/run/socket", None), None])
def test_a_unix_socket_has_the_name_that_was_asked_for(server, host, scheme, expected):
    found = environ(server=server, client=None, scheme=scheme, headers=[(b"host", host)])
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == expected
    assert found["REMOTE_ADDR"] == ""
    assert "REMOTE_PORT" not in found


def test_a_client_on_a_unix_socket_has_no_port():
    found = environ(client=("/run/client", None))
    assert found["REMOTE_ADDR"] == "/run/client"
    assert "REMOTE_PORT" not in found
