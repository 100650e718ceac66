"""TLS for a server: what a configuration makes of it, and how certificates are kept up to date."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from daphne_like.encryption import SPEAKS_TLS, Encryption
from daphne_like.errors import ConfigError
from daphne_like.limits import Limits
from daphne_like.options import configure
from daphne_like.transport import development
from daphne_like.transport.certificates import Certificates, Source
from daphne_like.transport.contexts import Pair
from tests.support.certificates import Client, authority, client_context, localhost, shaken

PROTOCOLS = b"h2", b"http/1.1"


class Roll:
    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.limits = Limits(**limits)

    def opened(self, connection: Any) -> None:
        """Nobody connects."""

    closed = opened


def encryption(roll: Roll | None = None, **options: Any) -> Encryption:
    return Encryption(configure({"demo": True, **options}), roll or Roll(), PROTOCOLS)


def shown_by(secured: Any, client: Client | None = None) -> dict[str, Any]:
    """What there is to tell of a connection to what is secured so."""
    facts: dict[str, Any] = secured.identity.facts(shaken(secured.identity.context, client)[0])
    return facts


def test_without_a_word_about_tls_there_is_none() -> None:
    assert encryption().of_options() is None


@pytest.mark.parametrize("in_one", [True, False])
def test_a_certificate_may_be_one_file_with_its_key_or_two(tmp_path: Path, in_one: bool) -> None:
    if in_one:
        options = {"ssl_certfile": localhost().write_in_one(tmp_path)}
    else:
        chain, key = localhost().write(tmp_path)
        options = {"ssl_certfile": chain, "ssl_keyfile": key}
    secured: Any = encryption(**options).of_options()
    assert shown_by(secured)["server_cert"] == localhost().own.decode()
    assert secured.handshakes.answer is SPEAKS_TLS


def test_a_directory_stands_beside_it_or_alone(tmp_path: Path) -> None:
    other = authority().issue("a.example")
    other.write_in_one(tmp_path, "a")
    default = tmp_path / "default"
    default.mkdir()
    one = {"ssl_certfile": localhost().write_in_one(default)}
    for options in ({}, one):
        secured = encryption(ssl_sni=str(tmp_path), **options).of_options()
        assert shown_by(secured, Client(name="a.example"))["server_cert"] == other.own.decode()
    assert shown_by(secured)["server_cert"] == localhost().own.decode()


def test_one_for_development_is_made_and_named(
    monkeypatch: Any, tmp_path: Path, caplog: Any
) -> None:
    def certificate_for(names: list[str]) -> Path:
        assert names == ["localhost", "127.0.0.1", "::1", "192.0.2.1"]
        return Path(localhost().write_in_one(tmp_path))

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(development, "certificate_for", certificate_for)
    secured = encryption(ssl_dev=True, host="192.0.2.1").of_options()
    assert shown_by(secured)["server_cert"] == localhost().own.decode()
    place = tmp_path / "server.pem"
    assert caplog.messages == [f"Certificate for development, signed by itself: {place}"]


def test_the_policy_is_the_operators_for_endpoint_strings_too(tmp_path: Path) -> None:
    chain, key = map(Path, localhost().write(tmp_path))
    key.write_bytes(localhost().encrypted("secret"))
    (tmp_path / "ca").write_bytes(authority().pem)
    at = encryption(
        endpoints=("ssl:1",),
        ssl_keyfile_password="secret",
        ssl_cert_reqs="optional",
        ssl_ca_certs=str(tmp_path / "ca"),
        ssl_min_version="1.3",
        ssl_ciphers="ECDHE+AESGCM",
    )
    context = at.secured(Source(Pair(chain, key))).identity.context
    assert context.verify_mode == ssl.CERT_OPTIONAL
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert not any("CHACHA" in s["name"] for s in context.get_ciphers()[3:])
    with pytest.raises(ConfigError, match="dhParameters /nowhere: No such file"):
        at.secured(Source(Pair(chain, key)), "/nowhere")


def test_what_is_spoken_is_agreed_on(tmp_path: Path) -> None:
    secured: Any = encryption(ssl_certfile=localhost().write_in_one(tmp_path)).of_options()
    client = client_context()
    client.set_alpn_protocols(["spdy/1", *(name.decode() for name in PROTOCOLS)])
    server, _ = shaken(secured.identity.context, Client(client))
    assert server.selected_alpn_protocol() == PROTOCOLS[0].decode()


def test_what_a_client_in_plain_is_told_is_a_whole_response() -> None:
    head, _, body = SPEAKS_TLS.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nContent-Length: %d" % len(body) in head
    assert b"https://" in body


# --- Renewal ----------------------------------------------------------------------------------


def renewed(tmp_path: Path, **limits: Any) -> tuple[Encryption, Roll, list[str]]:
    """TLS with two certificates, of which it is noted when they are looked at or read."""
    roll = Roll(**limits)
    at = encryption(roll, ssl_certfile=localhost().write_in_one(tmp_path))
    events: list[str] = []
    for certificates in (at.of_options(), at.of_options()):
        identity: Any = certificates.identity  # type: ignore[union-attr]
        identity.check = lambda: events.append("check")
        identity.reload = lambda: events.append("reload")
    return at, roll, events


def test_certificates_are_looked_at_from_time_to_time(tmp_path: Path) -> None:
    at, roll, events = renewed(tmp_path, certificate_check=10.0)
    at.start()
    roll.clock.advance(9)
    assert events == []
    roll.clock.pump([1, 10])
    assert events == ["check"] * 4
    at.stop()
    at.stop()
    assert roll.clock.getDelayedCalls() == []


def test_or_only_when_it_is_said(tmp_path: Path, caplog: Any) -> None:
    at, roll, events = renewed(tmp_path, certificate_check=0.0)
    at.start()
    assert roll.clock.getDelayedCalls() == []
    at.reload()
    assert events == ["reload"] * 2
    assert caplog.messages == []


def test_without_certificates_there_is_nothing_to_look_at(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    at = encryption(roll := Roll())
    at.start()
    assert roll.clock.getDelayedCalls() == []
    at.reload()
    at.stop()
    assert caplog.messages == ["There are no certificates to read again"]


def test_what_is_wrong_with_a_file_does_not_end_looking_at_it(
    tmp_path: Path, monkeypatch: Any
) -> None:
    def fail(self: Certificates) -> None:
        raise ZeroDivisionError

    roll = Roll(certificate_check=10.0)
    at = encryption(roll, ssl_certfile=localhost().write_in_one(tmp_path))
    at.of_options()
    at.start()
    monkeypatch.setattr(Certificates, "check", fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            roll.clock.advance(10)
    at.stop()
    assert roll.clock.getDelayedCalls() == []
