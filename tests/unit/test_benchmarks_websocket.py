"""The WebSocket part of the benchmark: its client, what is read from it, its application.

No server is started, and the client talks to doubles of picows.
"""

import asyncio
import contextlib
import enum
import importlib.util
import io
import json
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from benchmarks import measures, websocket
from benchmarks.apps.sockets import echo
from benchmarks.environments import program
from benchmarks.model import Answer, Echo, Failed, Measure, Pace, Scenario, Server

SERVER = Server("quick", "peers", "quick {port} {app}", ("quick",))
TOLD = {"messages": 10, "nanoseconds": 2_000_000_000, "busy": 500_000_000}
Kind = enum.Enum("Kind", "TEXT BINARY CONTINUATION CLOSE PING PONG")


def scenario(connections=3):
    return Scenario(
        "ws",
        "",
        "a:b",
        Measure((), None),
        Answer(b""),
        connections=connections,
        wire="websocket",
        echo=Echo("text", 64),
    )


@pytest.fixture
def client(monkeypatch):
    """The client's module, with doubles for what only its own environment has."""
    picows = ModuleType("picows")
    picows.WSListener, picows.WSMsgType, picows.ws_connect = object, Kind, None
    monkeypatch.setitem(sys.modules, "picows", picows)
    monkeypatch.setitem(sys.modules, "uvloop", ModuleType("uvloop"))
    spec = importlib.util.spec_from_file_location("client", websocket._PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def frame(kind, payload=b"", *, fin=True):
    return SimpleNamespace(
        msg_type=kind,
        fin=fin,
        payload_size=len(payload),
        get_payload_as_memoryview=lambda: memoryview(payload),
    )


class Transport:
    """The double of a connection to a server that answers each message with some frames."""

    is_disconnected = False

    def __init__(self, socket, frames=lambda kind, message: [frame(kind, message)]):
        self.sent = []
        self._socket = socket
        self._frames = frames
        socket.on_ws_connected(self)

    def send(self, kind, message):
        self.sent.append((kind, message))
        for answer in self._frames(kind, message):
            asyncio.get_running_loop().call_soon(self._socket.on_ws_frame, self, answer)


def exchanged(client, *answers):
    """What comes of one message on each of some connections, answered as the arguments say."""

    async def run():
        echoes = client.Echoes()
        sockets = [client.Socket(echoes, Kind.TEXT, b"abcdef") for _ in answers]
        for socket, frames in zip(sockets, answers, strict=True):
            Transport(socket, lambda _kind, _message, frames=frames: frames)
        return await echoes.during(0, sockets)

    return asyncio.run(run())


WHOLE = [frame(Kind.TEXT, b"abcdef")]


class TestEchoes:
    def test_messages_have_their_size_and_differ_between_neighbours(self, client):
        messages = [client.message_of(number, 64) for number in range(16)]
        assert {len(message) for message in messages} == {64}
        assert len(set(messages)) == 16
        assert client.message_of(51, 1_000_000).isascii()
        assert len(client.message_of(51, 1_000_000)) == 1_000_000

    def test_every_right_echo_counts(self, client):
        told = exchanged(client, WHOLE, WHOLE, WHOLE)
        assert told["messages"] == 3
        assert told["nanoseconds"] > 0

    def test_an_echo_may_come_in_fragments_with_a_ping_between(self, client):
        parts = [
            frame(Kind.TEXT, b"abc", fin=False),
            frame(Kind.PING, b"are you there"),
            frame(Kind.CONTINUATION, b"", fin=False),
            frame(Kind.CONTINUATION, b"def"),
        ]
        assert exchanged(client, parts)["messages"] == 1

    @pytest.mark.parametrize(
        ("frames", "reason"),
        [
            ([frame(Kind.TEXT, b"abcdeF")], "wrong echo"),
            ([frame(Kind.TEXT, b"abcdefg")], "wrong echo"),
            ([frame(Kind.BINARY, b"abcdef")], "wrong echo"),
            ([frame(Kind.CONTINUATION, b"abcdef")], "wrong echo"),
            ([frame(Kind.TEXT, b"abcde")], "echo cut short"),
            ([frame(Kind.TEXT, b"abc", fin=False), frame(Kind.TEXT, b"def")], "wrong echo"),
            ([frame(Kind.CLOSE, b"\x03\xe8")], "connection closed"),
        ],
    )
    def test_anything_else_fails(self, client, frames, reason):
        with pytest.raises(client.Failure, match=f"^{reason}$"):
            exchanged(client, WHOLE, frames)

    def test_an_echo_that_does_not_come_fails(self, client, monkeypatch):
        monkeypatch.setattr(client, "_PATIENCE", 0.0)
        with pytest.raises(client.Failure, match="no echo within 0 s"):
            exchanged(client, WHOLE, [])

    def test_a_lost_connection_fails_at_once_or_the_next_time(self, client):
        async def run():
            echoes = client.Echoes()
            socket = client.Socket(echoes, Kind.TEXT, b"a")
            socket.on_ws_disconnected(Transport(socket))
            await echoes.during(0, [socket])

        with pytest.raises(client.Failure, match="connection lost"):
            asyncio.run(run())

    def test_each_echo_is_followed_by_the_next_message_until_time_is_up(self, client):
        async def run():
            echoes = client.Echoes()
            socket = client.Socket(echoes, Kind.BINARY, b"abc")

            def answers(kind, message):
                if len(transport.sent) == 5:
                    echoes._stop()
                return [frame(kind, message)]

            transport = Transport(socket, answers)
            return await echoes.during(1000, [socket]), transport.sent

        told, sent = asyncio.run(run())
        assert told["messages"] == 5
        assert sent == [(Kind.BINARY, b"abc")] * 5


class TestOpening:
    def opened(self, client, monkeypatch, answer, *, lines=""):
        """What the client prints when it is to open 40 connections and read some lines."""
        self.under_way = self.most = 0

        async def connect(listener_factory, url, **_options):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            assert url == "ws://127.0.0.1:1234/"
            return answer(listener_factory()), None

        printed = io.StringIO()
        monkeypatch.setattr(client, "ws_connect", connect)
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        with contextlib.redirect_stdout(printed):
            asyncio.run(client._main(1234, 40, "text", 64))
        return [json.loads(line) for line in printed.getvalue().splitlines()]

    def test_all_are_opened_a_few_at_a_time_and_echo_once(self, client, monkeypatch):
        first, second = self.opened(client, monkeypatch, Transport, lines="0\n")
        assert first["messages"] == second["messages"] == 40
        assert self.most == client._AT_ONCE

    def test_a_refusal_is_told(self, client, monkeypatch):
        def refuse(_socket):
            raise ConnectionRefusedError("status 403")

        (told,) = self.opened(client, monkeypatch, refuse)
        assert told == {"failed": "handshake failed, of 16 begun: status 403"}

    def test_a_connection_closed_without_an_answer_is_told(self, client, monkeypatch):
        (told,) = self.opened(
            client, monkeypatch, lambda _socket: SimpleNamespace(is_disconnected=True)
        )
        assert told["failed"].endswith("the server closed it")

    def test_an_endless_handshake_is_told(self, client, monkeypatch):
        monkeypatch.setattr(client, "_OPEN_WITHIN", 0.0)
        (told,) = self.opened(client, monkeypatch, Transport)
        assert told == {"failed": "handshake failed, of 0 begun: TimeoutError"}


class TestTold:
    def test_rate(self):
        assert websocket.parse(json.dumps(TOLD).encode()).per_second == 5

    def test_a_failure_is_passed_on(self):
        with pytest.raises(Failed, match=r"^wrong echo$"):
            websocket.parse(b'{"failed": "wrong echo"}\n')

    def test_silence_fails(self):
        with pytest.raises(Failed, match="client ended"):
            websocket.parse(b"")


class TestConnected:
    def test_the_environment_is_made_when_first_needed(self, monkeypatch):
        prepared = []
        monkeypatch.setattr(websocket, "prepare", prepared.append)
        websocket._python.cache_clear()
        assert websocket._python() == websocket._python() == program("client", "python")
        assert prepared == ["client"]
        websocket._python.cache_clear()

    def connected(self, monkeypatch, tmp_path, text):
        (tmp_path / "client.py").write_text(text)
        monkeypatch.setattr(websocket, "_PROGRAM", tmp_path / "client.py")
        monkeypatch.setattr(websocket, "_python", lambda: sys.executable)
        return websocket.connected(1234, scenario())

    def test_the_client_is_told_what_to_do_and_ends_with_the_block(self, monkeypatch, tmp_path):
        text = f"""\
import json, sys
assert sys.argv[1:] == ["1234", "3", "text", "64"]
print(told := json.dumps({TOLD}), flush=True)
for line in sys.stdin:
    print(json.dumps({TOLD} | {{"messages": int(line)}}), flush=True)
"""
        with self.connected(monkeypatch, tmp_path, text) as client:
            assert client.send(7).messages == 7
        assert client._process.returncode == 0

    def test_a_client_that_is_gone_fails(self, monkeypatch, tmp_path):
        text = f"print({json.dumps(json.dumps(TOLD))})"
        with self.connected(monkeypatch, tmp_path, text) as client:
            client._process.wait(30)
            with pytest.raises(Failed, match="client ended"):
                client.send(1)

    def test_a_client_that_cannot_connect_fails(self, monkeypatch, tmp_path):
        text = """print('{"failed": "handshake failed"}')"""
        connecting = self.connected(monkeypatch, tmp_path, text)
        with pytest.raises(Failed, match="handshake failed"), connecting:
            pytest.fail("the block was entered")


class TestMeasures:
    @pytest.fixture(autouse=True)
    def doubles(self, monkeypatch):
        """A server whose CPU time and memory grow at each look, and a client that tells `TOLD`."""
        self.connections, self.seconds = [], []

        @contextlib.contextmanager
        def connected(_port, asked):
            self.connections.append(asked.connections)
            yield SimpleNamespace(send=self.send)

        live = SimpleNamespace(pid=1, port=2)
        cpu, memory = iter([{1: 0}, {1: 1_900_000_000}]), iter([30.0, 60.0])
        monkeypatch.setattr(measures, "running", lambda *_: contextlib.nullcontext(live))
        monkeypatch.setattr(websocket, "connected", connected)
        monkeypatch.setattr(measures, "cpu_times", lambda _pid: next(cpu))
        monkeypatch.setattr(measures, "memory", lambda _pid: next(memory))

    def send(self, seconds):
        self.seconds.append(seconds)
        return websocket.Load(**TOLD)

    def test_echoes_after_a_warm_up(self):
        sample = measures.ECHOES.take(SERVER, scenario(), Pace(seconds=3))
        assert sample == {"cpu": 190_000, "rate": 5, "server": 95, "client": 25}
        assert self.seconds == [1, 3]

    def test_idle_sockets_are_compared_with_a_server_that_has_had_one(self):
        sample = measures.SOCKETS.take(SERVER, replace(scenario(), connections=1024), Pace())
        assert sample == {"each": 30, "whole": 60}
        assert self.connections == [1, 1024]


class TestApplication:
    def conversation(self, scope_type, *messages):
        came, sent = iter(messages), []

        async def receive():
            return next(came)

        async def send(message):
            sent.append(message)

        asyncio.run(echo({"type": scope_type}, receive, send))
        return sent

    def test_echoes_come_in_the_kind_in_which_messages_came(self):
        sent = self.conversation(
            "websocket",
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "", "bytes": None},
            {"type": "websocket.receive", "bytes": b"one"},
            {"type": "websocket.receive", "text": None, "bytes": b""},
            {"type": "websocket.disconnect", "code": 1000},
        )
        assert sent == [
            {"type": "websocket.accept"},
            {"type": "websocket.send", "text": ""},
            {"type": "websocket.send", "bytes": b"one"},
            {"type": "websocket.send", "bytes": b""},
        ]

    def test_http_is_answered_so_that_the_server_is_known_to_be_there(self):
        start, _body = self.conversation("http")
        assert start["status"] == 200
