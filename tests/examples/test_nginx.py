"""The configuration files of "Run behind nginx", given to nginx, with the server behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.examples.pages import DOCS
from tests.examples.proxies import nginx
from tests.examples.serving import DEPLOY, serving
from tests.examples.strangers import CLAIMS, STRANGER, Stranger
from tests.support.certificates import authority

PLAIN = "proxy_pass http://mysite;"
AUTHORITY = "/etc/nginx/mysite-ca.pem"

Proxied = Callable[..., str]


@pytest.fixture(params=["tcp.conf", "unix.conf"])
def proxied(
    request: pytest.FixtureRequest, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[Proxied]:
    """Return a function that serves the demonstration with some options behind nginx."""
    with ExitStack() as running:

        def start(*options: str, http: str = "1.1") -> str:
            unix = request.param == "unix.conf"
            where = ("-u", str(tmp_path / "http.sock")) if unix else ("-p", "0")
            server = running.enter_context(
                serving("--demo", *where, *options, directory=tmp_path, place=tmp_path)
            )
            upstream = server.address.removeprefix("http://")
            program = tool("nginx")
            return running.enter_context(
                nginx(program, request.param, upstream, tmp_path, http=http)
            )

        yield start


def scope_seen(url: str, client: httpx.Client, **headers: str) -> dict[str, object]:
    return client.get(f"{url}/scope", headers=headers).raise_for_status().json()


@pytest.mark.parametrize("http", ["1.0", "1.1"])
def test_the_application_sees_the_client_that_nginx_saw(proxied: Proxied, http: str) -> None:
    url = proxied("--proxy-headers", http=http)
    with Stranger() as client:
        seen = scope_seen(url, client, Host="mysite.example")
        assert seen["client"] == [STRANGER, client.port]
    assert seen["http_version"] == http
    assert ["host", "mysite.example"] in seen["headers"]


@pytest.mark.parametrize(("name", "status"), [("mysite.example", 200), ("another.example", 502)])
def test_the_way_to_the_server_may_be_encrypted_and_nginx_knows_whom_it_talks_to(
    tool: Callable[[str], str], tmp_path: Path, name: str, status: int
) -> None:
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    chain, key = authority().issue(name).write(certificates)
    (certificates / "ca.pem").write_bytes(authority().pem)
    encrypted = (DEPLOY / "nginx/https-upstream.conf").read_text()
    assert AUTHORITY in encrypted
    changes = {PLAIN: encrypted.replace(AUTHORITY, str(certificates / "ca.pem"))}
    pair = ("--ssl-certfile", chain, "--ssl-keyfile", key)
    with (
        serving("--demo", "-p", "0", *pair, directory=tmp_path, place=tmp_path) as server,
        nginx(
            tool("nginx"),
            "tcp.conf",
            server.address.removeprefix("https://"),
            tmp_path,
            changes=changes,
        ) as url,
    ):
        assert httpx.get(f"{url}/scope").status_code == status


def test_the_way_to_the_server_may_be_http2(tool: Callable[[str], str], tmp_path: Path) -> None:
    page = (DOCS / "how-to/http2.md").read_text()
    [passed] = re.findall(r"`(grpc_pass [^`]+;)`", page)
    changes = {PLAIN: passed, "proxy_set_header": "grpc_set_header"}
    assert all(f"`{word}`" in page for word in ("proxy_set_header", "grpc_set_header"))
    options = ("--demo", "-p", "0", "--proxy-headers")
    with serving(*options, directory=tmp_path, place=tmp_path) as server:
        upstream = server.address.removeprefix("http://")
        with (
            nginx(tool("nginx"), "tcp.conf", upstream, tmp_path, changes=changes) as url,
            Stranger() as client,
        ):
            seen = scope_seen(url, client, **CLAIMS, Host="mysite.example")
            port = client.port
    assert (seen["http_version"], seen["client"]) == ("2", [STRANGER, port])
    assert ["host", "mysite.example"] in seen["headers"]


def test_what_a_client_claims_by_itself_is_not_believed(proxied: Proxied) -> None:
    url = proxied("--proxy-headers")
    with Stranger() as client:
        seen = scope_seen(url, client, **CLAIMS)
        port = client.port
    assert seen["client"] == [STRANGER, port]
    assert (seen["scheme"], seen["root_path"]) == ("http", "")
    said = [field for field in seen["headers"] if field[0].title() in CLAIMS]
    assert said == [
        ["x-forwarded-for", STRANGER],
        ["x-forwarded-port", str(port)],
        ["x-forwarded-proto", "http"],
        ["x-forwarded-user", "root"],
    ]


def test_a_client_does_not_choose_its_requests_id(proxied: Proxied) -> None:
    url = proxied("--request-id", "X-Request-ID")
    with Stranger() as client:
        answer = client.get(f"{url}/scope", headers={"X-Request-ID": "mine"})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert ["x-request-id", answer.headers["x-request-id"]] in answer.json()["headers"]


def test_without_proxy_headers_every_client_is_nginx(proxied: Proxied) -> None:
    url = proxied()
    with Stranger() as client:
        seen = scope_seen(url, client)
    assert seen["client"] is None or seen["client"][0] == "127.0.0.1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("http", "upgrade", "passed"),
    [
        ("1.0", "websocket", True),
        ("1.0", "WebSocket", True),
        ("1.0", "h2c", False),
        ("1.1", "h2c", False),
        ("1.1", "", False),
    ],
)
def test_a_request_that_would_upgrade_is_served_all_the_same(
    proxied: Proxied, http: str, upgrade: str, passed: bool
) -> None:
    url = proxied(http=http)
    with Stranger() as client:
        seen = scope_seen(url, client, Upgrade=upgrade, Connection="Upgrade")
        connection = [value for name, value in seen["headers"] if name == "connection"]
        assert connection == (["upgrade"] if passed else [])
        assert client.post(f"{url}/upload", content=b"body").json()["size"] == 4


def test_half_a_handshake_is_refused_through_nginx_too(proxied: Proxied) -> None:
    url = proxied(http="1.1")
    with Stranger() as client:
        answer = client.get(f"{url}/scope", headers={"Upgrade": "websocket"})
    assert answer.status_code == 426
    assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("http", ["1.0", "1.1"])
def test_events_pass_nginx_as_they_come(proxied: Proxied, http: str) -> None:
    url = proxied(http=http)
    with Stranger() as client, client.stream("GET", f"{url}/events") as response:
        first = next(response.iter_text())
    assert '"count": 1' in first
    assert '"count": 2' not in first


@pytest.mark.parametrize("http", ["1.0", "1.1"])
def test_an_upload_passes_nginx(proxied: Proxied, http: str) -> None:
    url = proxied(http=http)
    with Stranger() as client:
        answer = client.post(f"{url}/upload", content=b"x" * 3_000_000).json()
    assert answer["size"] == 3_000_000


def test_nginx_uses_a_connection_again(tool: Callable[[str], str], tmp_path: Path) -> None:
    with (
        serving("--demo", "-p", "0", directory=tmp_path, place=tmp_path) as server,
        nginx(tool("nginx"), "tcp.conf", server.address.removeprefix("http://"), tmp_path) as url,
    ):
        ports = []
        for _ in range(3):
            with Stranger() as client:
                ports.append(scope_seen(url, client)["client"])
    assert ports[0] == ports[1] == ports[2]
