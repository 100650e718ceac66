"""Two functions of Daphne's: what they find, and what they believe."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.web.http_headers import Headers

from daphne_like.utils import import_by_path, parse_x_forwarded_for


def test_a_path_leads_through_attributes() -> None:
    assert import_by_path("collections.abc:Mapping.__name__") == "Mapping"


@pytest.mark.parametrize(
    ("path", "error"),
    [("no.such:thing", ImportError), ("os:no.such", AttributeError), ("os", ValueError)],
)
def test_a_path_that_leads_nowhere_raises(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        import_by_path(path)


ALL = {b"X-Forwarded-For": b"a, b", b"x-forwarded-port": b"1", b"X-FORWARDED-PROTO": b"https"}


@pytest.mark.parametrize(
    ("headers", "given", "found"),
    [
        (ALL, {}, (["a", 1], "https")),
        (ALL, {"port_header_name": None}, (["a", 0], "https")),
        (ALL, {"proto_header_name": None, "original_scheme": "ws"}, (["a", 1], "ws")),
        (ALL, {"address_header_name": None, "original_addr": ["c", 2]}, (["c", 2], None)),
        (ALL, {"address_header_name": "X-Real-IP"}, (None, None)),
        ({b"x-forwarded-port": b"1"}, {"original_addr": ["c", 2]}, (["c", 2], None)),
        ({b"X-Forwarded-For": [b"::1", b"b"]}, {}, (["::1", 0], None)),
        (ALL | {b"x-forwarded-port": b"x"}, {}, (["a", 0], "https")),
    ],
)
def test_headers_of_proxies_say_who_the_client_is(
    headers: dict[bytes, Any], given: dict[str, Any], found: tuple[Any, Any]
) -> None:
    assert parse_x_forwarded_for(headers, **given) == found
    lists = {name: value if type(value) is list else [value] for name, value in headers.items()}
    assert parse_x_forwarded_for(Headers(lists), **given) == found
