"""HTTP1Connection: what it tells to an operator who looks on."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.http1 import GET, Served, answering

Serve = Callable[..., Served]

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


def test_it_tells_what_the_connection_does(serve: Serve) -> None:
    served = serve()
    (connection,) = served.shared.connections

    def shot() -> tuple[int, str, int]:
        opened, requests, state, current = connection.snapshot()
        assert opened == 0
        return requests, state, len(current)

    assert shot() == (0, "idle", 0)
    served.send(POST[:9])
    assert shot() == (0, "head", 0)
    served.send(POST[9:])
    assert shot() == (1, "request", 1)
    assert connection.snapshot().current[0].request is served.last.request
    served.last.answer(b"early")
    assert shot() == (1, "ending", 0)
    served.send(b"12345")
    assert shot() == (1, "idle", 0)
    served.send(b"\0")
    assert shot() == (1, "ending", 0)


def test_one_that_is_answered_by_the_server_has_nothing_to_tell(serve: Serve) -> None:
    served = serve(opened=answering(b"x"))
    (connection,) = served.shared.connections
    served.send(GET)
    assert connection.snapshot()[1:] == (1, "idle", ())
