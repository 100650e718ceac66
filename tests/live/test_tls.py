"""TLS by whole servers: what openssl and curl see of them, and what applications see of clients."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daphne_like.transport.validity import validity_of
from tests.live.serving import Serving, failure, wait_until
from tests.live.tools import Curl, OpenSSL
from tests.support.certificates import Authority, authority, client_context, localhost

LOOPS = pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def openssl(tool: Any) -> OpenSSL:
    return OpenSSL(tool("openssl"))


@pytest.fixture
def curl(tool: Any, tmp_path: Path) -> Curl:
    """curl, which trusts the authority of the tests."""
    (tmp_path / "ca.pem").write_bytes(authority().pem)
    return Curl(tool("curl"))


def serving(tmp_path: Path, *options: str, **more: Any) -> Serving:
    """A server that shows the certificate of this machine."""
    chain, key = localhost().write(tmp_path)
    pair = ["--ssl-certfile", chain, "--ssl-keyfile", key]
    return Serving("encrypted:told", *pair, *options, **more)


@contextmanager
def connected(server: Serving, index: int = 0, **more: Any) -> Iterator[ssl.SSLSocket]:
    """A connection that has shaken hands."""
    context = more.get("context") or client_context()
    with (
        server.connect(index) as plain,
        context.wrap_socket(
            plain, server_hostname=more.get("name", "localhost"), session=more.get("session")
        ) as client,
    ):
        yield client


def told(client: ssl.SSLSocket) -> dict[str, Any]:
    """What the application is told, on a connection that stays open."""
    http_client = http.client.HTTPConnection("localhost")
    http_client.sock = client
    http_client.request("GET", "/")
    seen: dict[str, Any] = json.loads(http_client.getresponse().read())
    return seen


def shown(server: Serving, name: str = "localhost", index: int = 0) -> list[str]:
    """The names in the certificate that a client is shown that asks for `name`."""
    context = client_context()
    context.check_hostname = False
    with connected(server, index, context=context, name=name) as client:
        certificate: Any = client.getpeercert()
        return [value for _, value in certificate["subjectAltName"]]


# --- What is spoken ---------------------------------------------------------------------------


@LOOPS
def test_the_versions_and_ciphers_of_today_and_no_others(tmp_path, openssl, loop) -> None:
    with serving(tmp_path, "--loop", loop) as server:
        [address] = server.addresses
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            said = openssl(address, option, "-ign_eof", send=GET)
            assert f"New, {version}, Cipher is " in said
            assert "HTTP/1.1 200" in said
            assert '"scheme": "https"' in said
        weakest = "DEFAULT:@SECLEVEL=0"
        assert "alert protocol version" in openssl(address, "-tls1_1", "-cipher", weakest)
        for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "NULL-SHA256:@SECLEVEL=0"):
            assert "Cipher is (NONE)" in openssl(address, "-tls1_2", "-cipher", cipher)
        assert server.stderr.wait_for("its TLS handshake failed: unsupported protocol")
        assert server.stderr.wait_for("its TLS handshake failed: no shared cipher")


@LOOPS
def test_nothing_is_negotiated_anew_nor_compressed(tmp_path, openssl, loop) -> None:
    with serving(tmp_path, "--loop", loop) as server:
        [address] = server.addresses
        said = openssl(address, "-tls1_2", command=b"R\n")
        assert "Compression: NONE" in said
        assert "no renegotiation" in said
        assert "Secure Renegotiation IS supported" in said, "which means it cannot be forged"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_where_nobody_asks_for_a_certificate(tmp_path, version) -> None:
    context = client_context()
    context.minimum_version = context.maximum_version = version
    with serving(tmp_path) as server:
        with connected(server, context=context) as client:
            first = told(client)
            session = client.session
        with connected(server, context=context, session=session) as client:
            assert client.session_reused
            assert told(client) == first


def test_the_operator_may_ask_for_more(tmp_path, openssl) -> None:
    with serving(tmp_path, "--ssl-min-version", "1.3") as server:
        assert "alert protocol version" in openssl(server.addresses[0], "-tls1_2")
        assert "New, TLSv1.3" in openssl(server.addresses[0])
    with serving(tmp_path, "--ssl-ciphers", "ECDHE+CHACHA20") as server:
        assert "Cipher is ECDHE-ECDSA-CHACHA20" in openssl(server.addresses[0], "-tls1_2")


def test_http_1_1_is_agreed_on(tmp_path, openssl) -> None:
    with serving(tmp_path) as server:
        said = openssl(server.addresses[0], "-alpn", "spdy/1,http/1.1")
        assert "ALPN protocol: http/1.1" in said
        assert "No ALPN negotiated" in openssl(server.addresses[0])


@LOOPS
def test_plain_http_is_answered_with_what_to_do(tmp_path, curl, loop) -> None:
    with serving(tmp_path, "--loop", loop) as server:
        [(host, port)] = server.addresses
        status, body = curl(f"http://{host}:{port}/", "--data", "x" * 100_000)
        assert status == 400
        assert "https://" in body
        line = "its TLS handshake did not come: it speaks in plain"
        assert len(server.stderr.wait_for(line)) == 1
        trust = "--cacert", str(tmp_path / "ca.pem")
        status, body = curl(f"https://localhost:{port}/", "--connect-to", f"::{host}:", *trust)
        assert (status, json.loads(body)["scheme"]) == (200, "https")


# --- Which certificate ------------------------------------------------------------------------


@LOOPS
def test_a_client_is_shown_the_certificate_of_the_host_it_asks_for(tmp_path, loop) -> None:
    directory = tmp_path / "sni"
    directory.mkdir()
    authority().issue("a.example", "*.a.example").write_in_one(directory, "a")
    authority().issue("b.example").write(directory, "b")
    with serving(tmp_path, "--loop", loop, "--ssl-sni", str(directory)) as server:
        assert shown(server, "a.example") == shown(server, "x.a.example")
        assert shown(server, "b.example") == ["b.example"]
        assert shown(server, "unknown.example")[0] == "localhost"
        with connected(server) as client:
            assert told(client)["tls"]["server_cert"] == localhost().own.decode()


@LOOPS
def test_strings_of_daphne_and_twisted(tmp_path, loop) -> None:
    between = Authority("between", authority())
    issued = between.issue("localhost")
    full, key = issued.write(tmp_path, "full")
    (tmp_path / "own.crt").write_bytes(issued.own)
    (tmp_path / "chain.pem").write_bytes(between.pem)
    directory = tmp_path / "sni"
    directory.mkdir()
    authority().issue("a.example").write_in_one(directory, "a")
    local = r"interface=127.0.0.1"
    own, chain = tmp_path / "own.crt", tmp_path / "chain.pem"
    strings = [
        f"ssl:0:privateKey={key}:certKey={full}:{local}",
        f"ssl:0:privateKey={key}:certKey={own}:extraCertChain={chain}:{local}",
        f"tls:{directory}:0:{local}",
        f"haproxy:ssl:0:{key}:{full}:{local}",
        f"tcp:0:{local}",
    ]
    options = [part for string in strings for part in ("-e", string)]
    with Serving("encrypted:told", "--loop", loop, *options, port=False, listens=5) as server:
        for index in range(2):
            with connected(server, index) as client:
                assert told(client)["scheme"] == "https"
        assert shown(server, "a.example", 2) == ["a.example"]
        with server.connect(3) as plain:
            plain.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 11 443\r\n")
            with client_context().wrap_socket(plain, server_hostname="localhost") as client:
                assert told(client)["tls"]["tls_version"] == 0x0304
        assert json.loads(server.get(index=4).body)["tls"] is None
        schemes = [line.rpartition("Listening on ")[2] for line in server.log.lines[:5]]
        assert [scheme.partition(":")[0] for scheme in schemes] == ["https"] * 4 + ["http"]
    assert any(line.startswith("192.0.2.1:11 ") for line in server.stdout.lines)


@LOOPS
def test_other_ways_to_listen(tmp_path, loop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        options = ["--loop", loop, "--fd", str(inherited.fileno()), "-u", str(tmp_path / "s")]
        more: dict[str, Any] = {"port": False, "listens": 2, "fds": [inherited.fileno()]}
        with serving(tmp_path, *options, **more) as server:
            for index in range(2):
                with connected(server, index) as client:
                    assert told(client)["scheme"] == "https"


def test_one_for_development_is_the_same_the_next_time(tmp_path, curl) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    certificate = tmp_path / "daphne-like/development.pem"
    contents = []
    for _ in range(2):
        with Serving("encrypted:told", "--ssl-dev", environment=environment) as server:
            [(_, port)] = server.addresses
            for host in ("localhost", "127.0.0.1"):
                url = f"https://{host}:{port}/"
                assert curl(url, "-4", "--cacert", str(certificate))[0] == 200
            assert server.stderr.wait_for(f"signed by itself: {certificate}")
        contents.append(certificate.read_bytes())
    assert contents[0] == contents[1]
    assert certificate.stat().st_mode & 0o777 == 0o600


# --- Clients ----------------------------------------------------------------------------------


@LOOPS
def test_an_application_sees_the_certificate_of_its_client(tmp_path, curl, loop) -> None:
    between = Authority("between", authority())
    shown = between.issue("client", subject="CN=client,O=An\\, Example")
    chain, key = shown.write(tmp_path, "client")
    asked = ["--ssl-cert-reqs", "required", "--ssl-ca-certs", str(tmp_path / "ca.pem")]
    with serving(tmp_path, "--loop", loop, *asked) as server:
        [(host, port)] = server.addresses
        trust = "--cacert", str(tmp_path / "ca.pem"), "--connect-to", f"::{host}:"
        url = f"https://localhost:{port}/"
        status, body = curl(url, *trust, "--cert", chain, "--key", key)
        seen = json.loads(body)["tls"]
        assert status == 200
        assert seen["client_cert_name"] == "CN=client,O=An\\, Example"
        assert seen["client_cert_chain"][:2] == [shown.own.decode(), between.pem.decode()]
        assert seen["client_cert_error"] is None
        with pytest.raises((ssl.SSLError, ConnectionError)), connected(server) as client:
            told(client)
        assert server.stderr.wait_for("peer did not return a certificate")
        context = client_context(Authority("stranger").issue("x"), tmp_path)
        refused = pytest.raises((ssl.SSLError, ConnectionError))
        with refused, connected(server, context=context) as client:
            told(client)
        assert server.stderr.wait_for("the client's certificate is refused: unable to get local")


@LOOPS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_one_that_comes_back_is_seen_again(tmp_path, curl, loop, version) -> None:
    """Where it would have resumed its session, too."""
    shown = Authority("between", authority()).issue("client")
    context = client_context(shown, tmp_path)
    context.minimum_version = context.maximum_version = version
    asked = ["--ssl-cert-reqs", "optional", "--ssl-ca-certs", str(tmp_path / "ca.pem")]
    with serving(tmp_path, "--loop", loop, *asked) as server:
        with connected(server, context=context) as client:
            first = told(client)["tls"]
            session = client.session
        with connected(server, context=context, session=session) as client:
            assert client.session_reused == (version is ssl.TLSVersion.TLSv1_2)
            again = told(client)["tls"]
        assert again["client_cert_name"] == first["client_cert_name"] == "CN=client"
        for seen in (first, again):
            assert "".join(seen["client_cert_chain"][:2]) == shown.chain.decode()
        with connected(server) as client:
            assert told(client)["tls"]["client_cert_chain"] == []


# --- Renewal ----------------------------------------------------------------------------------


def renew(tmp_path: Path, name: str) -> None:
    """Put a certificate for `name` in the place of the server's, first one file, then the other."""
    authority().issue("localhost", name).write(tmp_path)


@LOOPS
@pytest.mark.parametrize("seconds", ["0", "0.05"])
def test_a_renewed_certificate_is_shown_and_no_connection_is_dropped(
    tmp_path, loop, seconds
) -> None:
    def again() -> None:
        if seconds == "0":
            server.tell(signal.SIGHUP)

    server = serving(tmp_path, "--loop", loop, "--certificate-check", seconds)
    with server, connected(server) as client:
        before = told(client)["tls"]["server_cert"]
        renew(tmp_path, "renewed")
        again()
        wait_until(lambda: shown(server)[-1] == "renewed")
        (tmp_path / "server.crt").write_text("broken")
        again()
        broken = f"{tmp_path}/server.crt: it holds no certificate in PEM form."
        assert server.stderr.wait_for(
            f"Keeping the certificates of before: --ssl-certfile {broken}"
        )
        assert shown(server)[-1] == "renewed"
        assert told(client)["tls"]["server_cert"] == before
        renew(tmp_path, "mended")
        again()
        wait_until(lambda: shown(server)[-1] == "mended")
        assert server.stderr.wait_for("Read the certificates of ", 2)


def test_metrics_tell_when_a_certificate_ends_and_of_handshakes(tmp_path, curl) -> None:
    options = "--admin-bind", f"unix:{tmp_path}/admin", "--certificate-check", "0.05"
    path = tmp_path / "server.crt"
    with serving(tmp_path, *options) as server:
        assert "localhost" in shown(server)
        path.write_text("broken")
        assert server.stderr.wait_for("Keeping the certificates of before")
        _, text = curl("http://localhost/metrics", "--unix-socket", str(tmp_path / "admin"))
    found = {
        (sample.name.removeprefix("daphne_like_tls_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "_tls_" in sample.name
    }
    end = validity_of(Path(), localhost().own).end.timestamp()
    assert found == {
        ("handshakes_total", "complete"): 1,
        ("handshakes_pending",): 0,
        ("certificate_expiry_timestamp_seconds", str(path)): end,
        ("certificate_reloads_total", "failed"): 1,
    }


def test_without_certificates_there_is_nothing_to_read_again() -> None:
    with Serving("served:hello") as server:
        server.tell(signal.SIGHUP)
        assert server.stderr.wait_for("There are no certificates to read again")
        assert server.get().status == 200


# --- Crowds -----------------------------------------------------------------------------------


@LOOPS
def test_who_does_not_shake_hands_is_closed_and_stops_nobody(tmp_path, loop) -> None:
    with serving(tmp_path, "--loop", loop, "--handshake-timeout", "2") as server:
        silent = [server.connect() for _ in range(60)]
        for client in silent[:20]:
            client.sendall(b"\x16\x03\x01")
        with connected(server) as client:
            assert told(client)["scheme"] == "https"
        for client in silent:
            assert client.recv(1) == b""
            client.close()
        assert server.stderr.wait_for("its TLS handshake was not over in time")
        with connected(server) as client:
            assert told(client)["scheme"] == "https"


@LOOPS
def test_more_than_may_shake_hands_wait_for_their_turn(tmp_path, loop) -> None:
    options = ["--loop", loop, "--handshakes", "2", "--handshake-timeout", "1"]
    with serving(tmp_path, *options) as server:
        halves = [server.connect() for _ in range(4)]
        for client in halves:
            client.sendall(b"\x16\x03\x01")
        with connected(server) as client:
            assert told(client)["scheme"] == "https"
        for client in halves:
            client.close()


@LOOPS
def test_a_client_may_have_so_many_connections_that_shake_hands_or_have(tmp_path, loop) -> None:
    with (
        serving(tmp_path, "--loop", loop, "--client-connections", "2") as server,
        server.connect() as half,
        connected(server) as client,
    ):
        half.sendall(b"\x16\x03\x01")
        told(client)
        with server.connect() as third, suppress(ConnectionError):
            third.sendall(b"\x16\x03\x01")
            assert third.recv(1) == b""
        half.close()
        wait_until(lambda: is_admitted(server))
        told(client)


def is_admitted(server: Serving) -> bool:
    try:
        with connected(server) as client:
            return bool(told(client))
    except OSError:
        return False


@LOOPS
def test_a_server_that_stops_waits_for_no_handshake(tmp_path, loop) -> None:
    with (
        serving(tmp_path, "--loop", loop) as server,
        server.connect() as silent,
        server.connect() as half,
        connected(server) as client,
    ):
        half.sendall(b"\x16\x03\x01")
        told(client)
        assert server.stop() == 0
        assert silent.recv(1) == half.recv(1) == client.recv(1) == b""


# --- What is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ssl-certfile", "{}/no.crt"], "--ssl-certfile {}/no.crt: No such file or directory."),
        (
            ["--ssl-certfile", "{}/server.crt", "--ssl-keyfile", "{}/other.key"],
            "--ssl-keyfile {}/other.key: it is not the key of {}/server.crt.",
        ),
        (
            ["--ssl-certfile", "{}/server.crt", "--ssl-keyfile", "{}/closed.key"],
            "--ssl-keyfile {}/closed.key is encrypted: give --ssl-keyfile-password.",
        ),
        (["--ssl-keyfile", "{}/server.key"], "--ssl-certfile has to be passed for --ssl-keyfile."),
        (
            ["-e", "ssl:0:privateKey={}/no"],
            "Bad endpoint 'ssl:0:privateKey={}/no': certKey {}/no: No such file or directory.",
        ),
    ],
)
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_server_that_cannot_speak_tls_does_not_start(tmp_path, options, said, check) -> None:
    issued = localhost()
    issued.write(tmp_path)
    (tmp_path / "other.key").write_bytes(authority().issue("x").key)
    (tmp_path / "closed.key").write_bytes(issued.encrypted("secret"))
    given = [option.format(tmp_path) for option in options]
    status, lines = failure("encrypted:told", *given, *check)
    assert status == 2
    assert lines[-1] == "daphne-like: " + said.replace("{}", str(tmp_path))


@pytest.mark.parametrize("word", ["--ssl-certfile", "--ssl-sni"])
def test_a_check_tells_of_a_certificate_that_has_ended(tmp_path: Path, word: str) -> None:
    path = authority().issue("localhost", days=0).write_in_one(tmp_path)
    place = str(tmp_path) if word == "--ssl-sni" else path
    status, lines = failure("encrypted:told", word, place, "--check")
    assert status == 0
    [line] = lines
    assert f" WARNING  {word} {path} ended on " in line


def test_a_password_may_come_by_the_environment(tmp_path) -> None:
    chain, key = localhost().write(tmp_path)
    Path(key).write_bytes(localhost().encrypted("secret"))
    options = ["--ssl-certfile", chain, "--ssl-keyfile", key]
    environment = {"DAPHNE_LIKE_SSL_KEYFILE_PASSWORD": "secret"}
    server = Serving("encrypted:told", *options, environment=environment)
    with server, connected(server) as client:
        assert told(client)["scheme"] == "https"
