"""The parts of the benchmark that speak HTTP/2 or TLS. No server of the benchmark is started."""

import contextlib
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks import (
    ask,
    certificate,
    environments,
    h2load,
    handshakes,
    measures,
    processes,
    survey,
    wrk,
)
from benchmarks.model import Answer, Failed, Measure, Pace, Request, Scenario, Server

SERVER = Server(
    "quick",
    "peers",
    "quick {port} {extra} {app}",
    ("quick",),
    {"h2c": "", "https": "--cert {certificate} --key {key}"},
)
PRINTED = """\
starting benchmark...
spawning thread #0: 8 total client(s). 500 total requests
Application protocol: h2c
progress: 10% done

finished in 250.00ms, 2000.00 req/s, 94.85KB/s
requests: 500 total, 500 started, 500 done, 500 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 500 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 23.71KB (24276) total, 8.92KB (9136) headers (space savings 90.39%), 10.74KB (11000) data
"""


def scenario(wire="h2c", **more):
    asked = {"connections": 8, "streams": 16} | more
    return Scenario("one", "", "a:b", Measure((), None), Answer(b"x" * 22), wire=wire, **asked)


@pytest.fixture(scope="module")
def files():
    if shutil.which("openssl") is None:
        assert "CI" not in os.environ
        pytest.skip("openssl makes the certificate")
    return certificate.certificate()


class TestCertificate:
    def test_it_is_for_this_machine_and_made_once(self, files):
        context = ssl.create_default_context(cafile=str(files.certificate))
        (made,) = context.get_ca_certs()
        assert ("IP Address", "127.0.0.1") in made["subjectAltName"]
        assert certificate.certificate() is files

    def test_the_key_is_as_granian_wants_it(self, files):
        assert files.key.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")

    def test_a_failure_is_told(self, monkeypatch):
        refused = (sys.executable, "-c", "raise SystemExit('no curve')")
        monkeypatch.setattr(certificate, "_COMMAND", refused)
        monkeypatch.setattr(certificate.atexit, "register", lambda remove, at, **_: remove(at))
        with pytest.raises(Failed, match=r"^no certificate: no curve$"):
            certificate.certificate.__wrapped__()


class TestH2load:
    def test_rate_and_time(self):
        load = h2load.parse_all(PRINTED, scenario(), 500)
        assert (load.requests, load.per_second, load.nanoseconds) == (500, 2000, 250_000_000)

    @pytest.mark.parametrize("kind", ["failed", "errored", "timeout", "3xx", "4xx", "5xx"])
    def test_any_error_fails(self, kind):
        with pytest.raises(Failed, match=f"^errors under load: 3 {kind}$"):
            h2load.parse(PRINTED.replace(f" 0 {kind}", f" 3 {kind}"), scenario())

    @pytest.mark.parametrize(
        ("printed", "instead", "reason"),
        [
            ("protocol: h2c", "protocol: http/1.1", "http/1.1 instead of h2c under load"),
            ("500 2xx", "0 2xx", "no answer under load"),
            ("500 succeeded", "499 succeeded", "499 answers to 500 requests under load"),
            ("(11000) data", "(10999) data", "answers cut short under load"),
        ],
    )
    def test_anything_else_than_right_answers_fails(self, printed, instead, reason):
        with pytest.raises(Failed, match=f"^{reason}$"):
            h2load.parse_all(PRINTED.replace(printed, instead), scenario(), 500)

    @pytest.mark.parametrize(
        ("printed", "reason"), [("one\nno host\n", "no host"), ("", "it said nothing")]
    )
    def test_what_is_no_report_fails(self, printed, reason):
        with pytest.raises(Failed, match=f"^h2load: {reason}$"):
            h2load.parse(printed, scenario())

    def ran(self, monkeypatch, outcome):
        commands = []

        def run(command, **_options):
            commands.append(command)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(subprocess, "run", run)
        return commands

    def test_it_is_told_where_how_much_and_with_which_headers(self, monkeypatch):
        commands = self.ran(monkeypatch, SimpleNamespace(returncode=0, stdout=PRINTED))
        one = scenario(request=Request(path="/a", headers=(("A", "b"),)))
        assert h2load.send(1234, one, 500).requests == 500
        assert h2load.warm_up(1234, one, 1).per_second == 2000
        send, warm_up = commands
        for word in ("--clients=8", "--max-concurrent-streams=16", "--header=A: b"):
            assert word in send
        assert send[-2:] == ["--requests=500", "http://127.0.0.1:1234/a"]
        assert warm_up[-2:] == ["--duration=1", "http://127.0.0.1:1234/a"]

    def test_each_stream_has_a_request_at_least(self, monkeypatch):
        printed = PRINTED.replace("500", "128").replace("11000", "2816")
        commands = self.ran(monkeypatch, SimpleNamespace(returncode=0, stdout=printed))
        assert h2load.send(1234, scenario(), 5).requests == 128
        assert "--requests=128" in commands[0]

    @pytest.mark.parametrize(
        ("outcome", "reason"),
        [
            (SimpleNamespace(returncode=1, stderr="no such host\n"), "h2load: no such host"),
            (subprocess.TimeoutExpired("h2load", 60), "h2load did not end"),
        ],
    )
    def test_its_own_failure_is_told(self, monkeypatch, outcome, reason):
        self.ran(monkeypatch, outcome)
        with pytest.raises(Failed, match=f"^{reason}$"):
            h2load.send(1234, scenario(), 500)


class OneAnswer(socketserver.StreamRequestHandler):
    """Answers one request, and ends the connection."""

    def handle(self):
        with contextlib.suppress(ConnectionError):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(self.server.answer)


class Listener(socketserver.ThreadingTCPServer):
    """Speaks TLS when it is given a certificate; a handshake is each connection's own affair."""

    context = None
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + b"x" * 22

    def finish_request(self, request, client_address):
        with contextlib.suppress(OSError):
            if self.context is not None:
                request = self.context.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)
            request.close()


@pytest.fixture
def listener():
    with Listener(("127.0.0.1", 0), OneAnswer) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,))
        thread.start()
        yield listener
        listener.shutdown()
        thread.join()


@pytest.fixture
def secure(listener, files):
    listener.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listener.context.load_cert_chain(files.certificate, files.key)
    return listener


class TestHandshakes:
    def test_each_client_connects_at_least_once(self, secure):
        load = handshakes.send(secure.server_address[1], scenario("https"), 0)
        assert load.handshakes == 8
        assert load.per_second == 8e9 / load.nanoseconds
        assert 0 < load.busy < load.nanoseconds * 8

    def test_every_handshake_is_a_full_one(self, secure):
        handshakes.send(secure.server_address[1], scenario("https", connections=1), 0.1)
        stats = secure.context.session_stats()
        assert stats["accept_good"] > 1
        assert stats["hits"] == 0

    def test_an_older_tls_fails(self, secure):
        secure.context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(Failed, match=r"^handshake failed: "):
            handshakes.send(secure.server_address[1], scenario("https"), 0)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\n\r\n" + b"x" * 22, b"HTTP/1.1 200 "])
    def test_a_wrong_answer_fails(self, secure, answer):
        secure.answer = answer
        with pytest.raises(Failed, match=r"^wrong answer after a handshake$"):
            handshakes.send(secure.server_address[1], scenario("https"), 0)


class TestAsk:
    def test_http1(self, listener):
        assert ask.ask(listener.server_address[1], scenario("http")) == Answer(b"x" * 22)

    def test_http1_over_tls_whose_certificate_is_judged(self, secure):
        assert ask.ask(secure.server_address[1], scenario("https")) == Answer(b"x" * 22)

    def test_http1_over_tls_with_another_certificate(self, secure, monkeypatch):
        monkeypatch.setattr(ask, "certificate", certificate.certificate.__wrapped__)
        with pytest.raises(ssl.SSLCertVerificationError):
            ask.ask(secure.server_address[1], scenario("https"))

    def curl(self, monkeypatch, tmp_path, printed, told, code=0):
        """Let ``curl`` be a program that tells what it was given; return where it keeps that."""
        text = f"""\
import pathlib, sys
pathlib.Path({str(tmp_path / "given")!r}).write_text("\\n".join(sys.argv[1:]))
print({printed!r}, end="")
sys.exit({told!r}) if {code} else print({told!r}, file=sys.stderr)
"""
        monkeypatch.setattr(ask, "_CURL", (sys.executable, "-c", text))
        return tmp_path / "given"

    def test_http2(self, listener, monkeypatch, tmp_path):
        given = self.curl(monkeypatch, tmp_path, "hello", "2 404")
        one = scenario(request=Request(path="/a", headers=(("A", "b"),)))
        port = listener.server_address[1]
        assert ask.ask(port, one) == Answer(b"hello", 404)
        words = given.read_text().splitlines()
        assert "--http2-prior-knowledge" in words
        assert words[-3:] == ["--header", "A: b", f"http://127.0.0.1:{port}/a"]

    def test_http2_over_tls(self, listener, monkeypatch, tmp_path, files):
        given = self.curl(monkeypatch, tmp_path, "hello", "2 200")
        port = listener.server_address[1]
        assert ask.ask(port, scenario("h2")) == Answer(b"hello")
        words = given.read_text().splitlines()
        assert words[:3] == ["--http2", "--cacert", str(files.certificate)]
        assert words[-1] == f"https://127.0.0.1:{port}/"

    def test_another_version_fails(self, listener, monkeypatch, tmp_path):
        self.curl(monkeypatch, tmp_path, "hello", "1.1 200")
        with pytest.raises(Failed, match=r"^HTTP/1.1 instead of HTTP/2$"):
            ask.ask(listener.server_address[1], scenario())

    def test_no_http2_at_all_may_be_too_early(self, listener, monkeypatch, tmp_path):
        self.curl(monkeypatch, tmp_path, "", "(52) Empty reply", code=52)
        with pytest.raises(ConnectionError, match="Empty reply"):
            ask.ask(listener.server_address[1], scenario())

    def test_it_is_not_asked_before_somebody_listens(self, monkeypatch, tmp_path):
        given = self.curl(monkeypatch, tmp_path, "", "")
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionRefusedError):
                ask.ask(bound.getsockname()[1], scenario())
        assert not given.exists()


class TestCommands:
    def test_a_server_gets_the_files_where_it_is_to_speak_tls(self, monkeypatch, tmp_path):
        files = certificate.Certificate(tmp_path / "a certificate", tmp_path / "key")
        monkeypatch.setattr(processes, "certificate", lambda: files)
        told = ["--cert", str(files.certificate), "--key", str(files.key)]
        assert processes._command(SERVER, scenario("https"), 1234)[-6:] == ["1234", *told, "a:b"]
        assert processes._command(SERVER, scenario("h2c"), 1234)[-2:] == ["1234", "a:b"]

    def test_wrk_speaks_tls_where_it_is_asked_to(self):
        assert "https://127.0.0.1:1234/" in wrk._command(1234, scenario("https"), 1)
        assert "http://127.0.0.1:1234/" in wrk._command(1234, scenario("http"), 1)


class TestVersions:
    def test_who_lacks_a_package_is_known_before_anything_is_measured(self, monkeypatch):
        def versions(server):
            if server.name == "quick":
                raise Failed("no ngh2")
            return {server.name: "1.0"}

        monkeypatch.setattr(environments, "versions", versions)
        servers = [SERVER, replace(SERVER, name="slow"), replace(SERVER, name="absent")]
        unusable = {"absent": "no network"}
        assert survey._versions(servers, unusable) == {
            "quick": {},
            "slow": {"slow": "1.0"},
            "absent": {},
        }
        assert unusable == {"absent": "no network", "quick": "no ngh2"}


class TestMeasures:
    @pytest.fixture(autouse=True)
    def doubles(self, monkeypatch):
        """A server that spends 1.9 s of CPU time between two looks at it."""
        live, cpu = SimpleNamespace(pid=1, port=2), iter([{1: 0}, {1: 1_900_000_000}])
        self.asked = []
        monkeypatch.setattr(measures, "running", lambda *_: contextlib.nullcontext(live))
        monkeypatch.setattr(measures, "cpu_times", lambda _pid: next(cpu))
        monkeypatch.setattr(measures, "check", lambda *_: self.asked.append("check"))

    def test_streams_get_as_many_requests_as_the_warm_up_foretells(self, monkeypatch):
        def load(_port, _scenario, amount):
            self.asked.append(amount)
            return h2load.Load(1000, 500.0)

        monkeypatch.setattr(h2load, "warm_up", load)
        monkeypatch.setattr(h2load, "send", load)
        sample = measures.STREAMS.take(SERVER, scenario(), Pace(seconds=3))
        assert sample == {"cpu": 1900, "rate": 500, "server": 95}
        assert self.asked == [1, 1500, "check"]

    def test_handshakes_after_a_warm_up(self, monkeypatch):
        def send(_port, _scenario, seconds):
            self.asked.append(seconds)
            return handshakes.Load(1000, 2_000_000_000, 500_000_000)

        monkeypatch.setattr(handshakes, "send", send)
        sample = measures.HANDSHAKES.take(SERVER, scenario("https"), Pace(seconds=3))
        assert sample == {"cpu": 1900, "rate": 500, "server": 95, "client": 25}
        assert self.asked == [1, 3, "check"]
