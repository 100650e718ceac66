"""Files that an application sends: what the messages mean, and when they may come."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from daphne_like.asgi.http_files import opened_piece, piece_by_path
from daphne_like.errors import AppFault, ClientDisconnected
from tests.unit.asgi.fakes import (
    FAILED,
    START,
    WITH_TRAILERS,
    FakeStream,
    Served,
    body,
    ended,
    request,
    run,
    sending,
    start,
    trailers,
    turn,
)

FILES = ("http.response.pathsend", "http.response.zerocopysend")
TEXT = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "file").write_bytes(TEXT)
    return str(tmp_path / "file")


@pytest.fixture
def opened(path: str) -> Iterator[Any]:
    with Path(path).open("rb") as file:
        yield file


def by_path(path: Any) -> dict[str, Any]:
    return {"type": "http.response.pathsend", "path": path}


def by_file(file: Any, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.zerocopysend", "file": file, **more}


def length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


def stream_after(
    *messages: Any, method: str = "GET", supports: tuple[str, ...] = FILES
) -> FakeStream:
    async def main() -> FakeStream:
        stream = FakeStream(*supports)
        await Served(sending(*messages)).get(request(method), stream)
        return stream

    return run(main())


# --- What a message means -----------------------------------------------------------------------


def test_a_path_is_the_whole_file_and_closed_afterwards(path):
    with piece_by_path(by_path(Path(path))) as piece:
        assert os.pread(piece.file, 99, 0) == TEXT
        assert piece[1:] == (0, 10, False)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(piece.file)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, "path None is not a string"),
        (b"/bytes", "path b'/bytes' is not a string"),
        ("/no/such/file", "cannot open '/no/such/file': .*No such file"),
        ("a\0b", r"cannot open 'a\\x00b': .*embedded null"),
        ("/", "it is no regular file"),
    ],
)
def test_what_is_no_file_is_refused(path, said):
    with pytest.raises(ValueError, match=said), piece_by_path(by_path(path)):
        pass


def test_a_pipe_is_refused_without_waiting_for_who_writes_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular"), piece_by_path(by_path(tmp_path / "pipe")):
        pass


@pytest.mark.parametrize(
    ("given", "piece"),
    [
        ({}, (0, 10, False)),
        ({"offset": 3}, (3, 7, False)),
        ({"offset": 3, "count": 4, "more_body": True}, (3, 4, True)),
        ({"offset": None, "count": None, "more_body": False}, (0, 10, False)),
        ({"offset": 10}, (10, 0, False)),
        ({"count": 0}, (0, 0, False)),
    ],
)
@pytest.mark.parametrize("number", [False, True])
def test_a_part_of_an_open_file(opened, given, piece, number):
    with opened_piece(by_file(opened.fileno() if number else opened, **given)) as found:
        assert (found.file, *found[1:]) == (opened.fileno(), *piece)


def test_a_file_is_read_on_from_where_it_was_left(opened):
    assert opened.read(2) == b"01", "which reads ahead of its own position"
    for given, offset, size in (({"count": 3}, 2, 3), ({"offset": 0}, 0, 10), ({}, 5, 5)):
        with opened_piece(by_file(opened, **given)) as found:
            assert (found.offset, found.size) == (offset, size)


def test_a_descriptor_is_read_on_too(opened):
    for offset in (0, 4):
        with opened_piece(by_file(opened.fileno(), count=4)) as found:
            assert (found.offset, found.size) == (offset, 4)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"offset": 11}, "has 10 bytes, not 11"),
        ({"offset": 5, "count": 6}, "has 10 bytes, not 11"),
        ({"offset": -1}, "offset -1 and count 11 are not numbers of bytes"),
        ({"offset": "1"}, "offset '1' and count None are not"),
        ({"count": 1.5}, "count 1.5 are not"),
        ({"count": -1}, "count -1 are not"),
        ({"offset": True, "count": 1}, "offset True and count 1 are not"),
    ],
)
def test_a_part_that_a_file_does_not_have_is_refused(opened, given, said):
    with pytest.raises(ValueError, match=said), opened_piece(by_file(opened, **given)):
        pass


def test_what_is_no_open_file_is_refused():
    read, write = os.pipe()
    with tempfile.TemporaryFile() as closed:
        pass
    for given in (None, "file", closed, -1, read):
        with (
            pytest.raises(ValueError, match=r"no open file|no regular"),
            opened_piece(by_file(given)),
        ):
            pass
    os.close(read)
    os.close(write)


# --- When it may come ---------------------------------------------------------------------------


@pytest.mark.parametrize("head", [start(200, length(10)), START])
def test_a_response_out_of_a_path(path, head):
    stream = stream_after(head, by_path(path))
    assert (stream.body, stream.outcome) == (TEXT, "complete")


def test_pieces_of_files_and_of_memory_come_in_their_order(opened):
    stream = stream_after(
        start(200, length(9)),
        by_file(opened, count=3, more_body=True),
        body(b"--", more=True),
        by_file(opened, offset=8, more_body=True),
        by_file(opened, count=0, more_body=True),
        body(b"++"),
    )
    assert (stream.body, stream.outcome) == (b"012--89++", "complete")


def test_trailers_may_follow_a_file(opened):
    stream = stream_after(WITH_TRAILERS, by_file(opened), trailers())
    assert (stream.body, stream.outcome) == (TEXT, "complete")


def test_head_is_answered_without_the_file(path):
    stream = stream_after(start(200, length(10)), by_path(path), method="HEAD")
    assert (stream.body, stream.outcome) == (b"", "complete")


def test_the_file_has_to_be_as_long_as_was_promised(path, caplog):
    too_long = stream_after(start(200, length(9)), by_path(path))
    too_short = stream_after(start(200, length(11)), by_path(path))
    assert (too_long.outcome, too_short.outcome) == ("aborted", "aborted")
    assert "longer than its Content-Length 9" in caplog.text
    assert "10 bytes is shorter than its Content-Length 11" in caplog.text


def test_a_file_that_is_not_there_is_a_500(caplog):
    stream = stream_after(start(200, length(9)), by_path("/no/such/file"))
    assert stream.calls == [FAILED]
    assert "'http.response.pathsend' in state HEADED: cannot open '/no/such/file'" in caplog.text


def test_where_no_file_can_be_sent_none_may_be(path, caplog):
    assert stream_after(START, by_path(path), supports=()).calls == [FAILED]
    assert "this message is not expected now" in caplog.text


@pytest.mark.parametrize("before", [(), (WITH_TRAILERS, body())])
def test_a_file_may_come_between_the_head_and_the_end(path, before):
    async def app(scope, receive, send):
        for message in before:
            await send(message)
        with pytest.raises(AppFault, match="not expected now"):
            await send(by_path(path))
        faults.append(True)

    faults: list[bool] = []
    run(served_to_the_end(app))
    assert faults == [True]


async def served_to_the_end(app: Any) -> FakeStream:
    stream = FakeStream(*FILES)
    await Served(app).get(stream=stream)
    return stream


def test_after_the_end_a_file_is_ignored(path):
    stream = stream_after(START, body(b"x"), by_path(path))
    assert (stream.body, stream.outcome) == (b"x", "complete")


# --- Slow clients -------------------------------------------------------------------------------


class SlowStream(FakeStream):
    """A stream whose client takes a file when the test says so."""

    def send_file(self, file: int, offset: int, count: int) -> None:
        super().send_file(file, offset, count)
        self.full = True


def test_send_returns_when_the_file_is_sent(path):
    async def main() -> None:
        stream = SlowStream(*FILES)
        exchange = Served(sending(start(200, length(10)), by_path(path))).open(stream)
        await turn()
        assert (stream.body, stream.outcome) == (TEXT, None)
        stream.full = False
        exchange.drained()
        await turn()
        assert stream.outcome == "complete"

    run(main())


def test_who_leaves_in_the_middle_of_a_file_is_told_of(path):
    async def app(scope, receive, send):
        await send(start(200, length(10)))
        try:
            await send(by_path(path))
        except ClientDisconnected:
            raised.append(True)

    async def main() -> None:
        stream = SlowStream(*FILES)
        exchange = Served(app).open(stream)
        await turn()
        stream.outcome = "lost"
        exchange.disconnected("the client has left")
        await ended(exchange)

    raised: list[bool] = []
    run(main())
    assert raised == [True]


@pytest.mark.parametrize("goes_on", [False, True])
def test_who_is_cancelled_in_the_middle_of_a_file_may_not_go_on(path, goes_on):
    """What came next would stand in the middle of the file."""

    async def app(scope, receive, send):
        await send(START)
        with suppress(TimeoutError):
            await asyncio.wait_for(send(by_path(path)), 1)
        if goes_on:
            with pytest.raises(ClientDisconnected):
                await send(body(b"evil"))

    async def main() -> FakeStream:
        stream = SlowStream(*FILES)
        exchange = Served(app).open(stream)
        await ended(exchange)
        return stream

    stream = run(main())
    assert (stream.body, stream.outcome) == (TEXT, "aborted")


def test_nothing_may_come_between_the_parts_of_a_file(path):
    async def app(scope, receive, send):
        await send(start(200, length(10)))
        sending = asyncio.create_task(send(by_path(path)))
        await turn()
        for message in (body(b"evil", more=True), by_path(path)):
            with pytest.raises(AppFault, match="in state FILE"):
                await send(message)
        streams[0].full = False
        exchanges[0].drained()
        await sending

    async def main() -> None:
        streams.append(SlowStream(*FILES))
        exchanges.append(Served(app).open(streams[0]))
        await ended(exchanges[0])

    streams: list[SlowStream] = []
    exchanges: list[Any] = []
    run(main())
    assert (streams[0].body, streams[0].outcome) == (TEXT, "complete")


def test_a_file_that_the_kernel_cannot_take_is_no_part_of_the_response(path, caplog):
    class Full(FakeStream):
        def send_file(self, file: int, offset: int, count: int) -> None:
            raise OSError(24, "Too many open files")

    async def app(scope, receive, send):
        await send(start(200, length(4)))
        with pytest.raises(AppFault, match="Too many open files"):
            await send(by_path(path) | {"path": path})
        await send(body(b"else"))

    async def main() -> FakeStream:
        stream = Full(*FILES)
        await Served(app).get(stream=stream)
        return stream

    (Path(path)).write_bytes(b"four")
    stream = run(main())
    assert (stream.body, stream.outcome) == (b"else", "complete")


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_listens_is_not_told_by_send_when_the_client_leaves_in_a_file(path, cancelled):
    async def app(scope, receive, send):
        await receive()
        await send(start(200, length(10)))
        listening = asyncio.create_task(receive())
        sending = asyncio.create_task(send(by_path(path)))
        await turn()
        streams[0].outcome = "lost"
        exchanges[0].disconnected("gone")
        if cancelled:
            sending.cancel()
        await asyncio.wait([sending, listening])
        ends.append(sending.cancelled() is cancelled and listening.result()["type"])

    async def main() -> None:
        streams.append(SlowStream(*FILES))
        exchanges.append(Served(app).open(streams[0]))
        exchanges[0].body_ended()
        await ended(exchanges[0])

    streams: list[SlowStream] = []
    exchanges: list[Any] = []
    ends: list[Any] = []
    run(main())
    assert ends == ["http.disconnect"]
