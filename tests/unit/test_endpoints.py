"""Endpoint strings, to the letter as Daphne writes them."""

from __future__ import annotations

from typing import Any

import pytest

from daphne_like.endpoints import build_endpoint_description_strings as build


@pytest.mark.parametrize(
    ("given", "strings"),
    [
        ({}, []),
        ({"host": "example.org", "port": 0}, ["tcp:port=0:interface=example.org"]),
        ({"host": "[2001:db8::1]", "port": "80"}, [r"tcp:port=80:interface=2001\:db8\:\:1"]),
        ({"host": "::", "port": 80}, [r"tcp:port=80:interface=\:\:"]),
        ({"unix_socket": "/run/it"}, ["unix:/run/it"]),
        ({"file_descriptor": 0}, ["fd:fileno=0"]),
        (
            {"host": "a", "port": 1, "unix_socket": "/b", "file_descriptor": 2},
            ["tcp:port=1:interface=a", "unix:/b", "fd:fileno=2"],
        ),
    ],
)
def test_what_is_given_is_a_string_each(given: dict[str, Any], strings: list[str]) -> None:
    assert build(**given) == strings


@pytest.mark.parametrize("given", [{"host": "a"}, {"port": 0}, {"host": "", "port": 1}])
def test_a_host_and_a_port_need_each_other(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="TCP binding requires both port and host kwargs"):
        build(**given)
