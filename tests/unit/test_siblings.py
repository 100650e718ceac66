"""What the other workers say: asked over sockets of theirs, which stand in a directory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from daphne_like import siblings as module
from daphne_like.siblings import Siblings

Answer = Callable[[bytes], bytes]


def found(place: Path, answers: dict[str, bytes], path: bytes = b"/metrics") -> dict[str, bytes]:
    """What is found where each of these sockets gives its answer."""

    async def main() -> dict[str, bytes]:
        servers = []
        for name, answer in answers.items():
            servers.append(await asyncio.start_unix_server(saying(answer), str(place / name)))
            stamp = len(servers)
            os.utime(place / name, (stamp, stamp))
        try:
            return await Siblings(str(place), 1).pages(path)
        finally:
            for server in servers:
                server.close()
                await server.wait_closed()

    return asyncio.run(main())


asked: list[bytes] = []


def saying(
    answer: bytes,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    return say


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n" + body


def test_every_worker_is_asked_for_its_own_page(tmp_path: Path) -> None:
    asked.clear()
    pages = found(tmp_path, {"admin.1.100": ok(b"one"), "admin.2.101": ok(b"two\r\n\r\n")})
    assert pages == {"1": b"one", "2": b"two\r\n\r\n"}
    assert [head.split(b"\r\n")[0] for head in asked] == [b"GET /worker/metrics HTTP/1.0"] * 2


def test_of_a_worker_and_its_successor_the_successor_counts(tmp_path: Path) -> None:
    assert found(tmp_path, {"admin.1.200": ok(b"old"), "admin.1.100": ok(b"new")}) == {"1": b"new"}


def test_who_does_not_answer_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "admin.3.300").touch()
    answers = {"admin.1.100": ok(b"one"), "admin.2.200": b"HTTP/1.1 503 Full\r\n\r\nsorry"}
    assert found(tmp_path, answers) == {"1": b"one"}
    assert "Worker admin.2.200 does not tell: ValueError(b'HTTP/1.1 503 Full" in caplog.text
    assert "Worker admin.3.300 does not tell: ConnectionRefusedError" in caplog.text


def test_a_socket_that_goes_away_meanwhile_is_the_oldest(tmp_path: Path) -> None:
    assert module._made_at(tmp_path / "gone") == 0.0


def test_ours_has_our_number_and_is_no_other_processes(tmp_path: Path) -> None:
    assert Siblings(str(tmp_path), 7).place == f"{tmp_path}/admin.7.{os.getpid()}"
