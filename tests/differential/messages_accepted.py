"""What an application must see: requests, and what h11 says of them.

``difference`` is empty where both read the same; otherwise it is the reason why we do not,
and ``ours`` is what we read: target, fields and body of each request.
"""

from __future__ import annotations

import string
from typing import NamedTuple

from daphne_like.exchange import Field
from tests.differential.heads_refused import with_fields, with_line


class Accepted(NamedTuple):
    name: str
    raw: bytes
    difference: str = ""
    ours: tuple[tuple[bytes, list[Field], bytes], ...] = ()


METHODS = (
    b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND MKCOL COPY MOVE LOCK UNLOCK REPORT "
    b"SEARCH PURGE LINK UNLINK QUERY M-SEARCH"
).split()

TOKEN = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode()
VISIBLE = bytes(range(0x21, 0x7F)).replace(b"#", b"")
OBS_TEXT = bytes(range(0x80, 0x100))

HOST_A = (b"host", b"a")

UTF8 = "h11 refuses UTF-8 that is not percent-encoded; browsers encode it, scripts do not"
ABSOLUTE = "RFC 9112, section 3.2.2: the target's authority replaces Host; applications see a path"

HEADS = [
    *(Accepted(method.decode(), with_line(method + b" / HTTP/1.1")) for method in METHODS),
    Accepted("a query", with_line(b"GET /a/b?c=d&e=%20?/;, HTTP/1.1")),
    Accepted("an empty query", with_line(b"GET /? HTTP/1.1")),
    Accepted("two slashes", with_line(b"GET //a//b/../c HTTP/1.1")),
    Accepted("percent-encoded", with_line(b"GET /%C3%A9%2F%00%zz%?%ff HTTP/1.1")),
    Accepted("every visible byte in the target", with_line(b"GET /" + VISIBLE + b" HTTP/1.1")),
    Accepted("* for OPTIONS", with_line(b"OPTIONS * HTTP/1.1")),
    Accepted("a long target", with_line(b"GET /" + b"a" * 9000 + b" HTTP/1.1")),
    Accepted("HTTP/1.0", with_line(b"GET /old HTTP/1.0")),
    Accepted("HTTP/1.0 without Host", b"GET /old HTTP/1.0\r\n\r\n"),
    Accepted(
        "HTTP/1.0, kept alive",
        b"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n" * 2,
        "h11 closes after each HTTP/1.0 request; old clients and load testers ask for more",
        ((b"/", [(b"connection", b"x, Keep-Alive")], b""),) * 2,
    ),
    Accepted("HTTP/1.0, then more", b"GET / HTTP/1.0\r\n\r\n" * 2),
    Accepted("an empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    Accepted("a Host with a port", b"GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"),
    Accepted("a Host in brackets", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"),
    Accepted("a Host of sub-delims", b"GET / HTTP/1.1\r\nHost: a_b-c.~!$&'()*+,;=%41:\r\n\r\n"),
    Accepted("names in any case", with_fields(b"X-a: 1", b"x-B: 2", b"ACCEPT: 3")),
    Accepted("every byte of a name", with_fields(TOKEN + b": x")),
    Accepted("the same name again", with_fields(b"Cookie: a", b"X: b", b"cookie: c", b"Cookie: a")),
    Accepted("no space", with_fields(b"X:y")),
    Accepted("white space around", with_fields(b"X: \t  y z \t ", b"Content-Length: \t0 \t")),
    Accepted("white space within", with_fields(b"X: a \t b")),
    Accepted("no value", with_fields(b"X:", b"Y: ", b"Z:\t \t")),
    Accepted("colons in a value", with_fields(b"X: a:b: c")),
    Accepted("obs-text", with_fields(b"X: " + OBS_TEXT)),
    Accepted("NEL and NBSP around", with_fields(b"X: \x85\xa0y\xa0\x85")),
    Accepted("a long value", with_fields(b"X: " + b"y" * 20000)),
    Accepted("many fields", with_fields(*(b"X-%d: %d" % (i, i) for i in range(200)))),
    Accepted(
        "underscores are no hyphens",
        with_fields(b"Content_Length: 5", b"Transfer_Encoding: chunked"),
    ),
    Accepted(
        "close, then more", with_fields(b"Connection: x, Close") + with_line(b"GET / HTTP/1.1")
    ),
    Accepted(
        "h2c, not taken", with_fields(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c") * 2
    ),
    Accepted("a WebSocket's", with_fields(b"Connection: upgrade", b"Upgrade: websocket")),
    Accepted("100-continue", with_fields(b"Expect: 100-Continue", b"Content-Length: 1") + b"x"),
    Accepted(
        "UTF-8",
        with_line("GET /é?ü HTTP/1.1".encode()),
        UTF8,
        (("/é?ü".encode(), [HOST_A], b""),),
    ),
    Accepted(
        "absolute-form",
        b"GET http://b:81/c?d HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n",
        ABSOLUTE,
        ((b"/c?d", [(b"host", b"b:81"), (b"x", b"y")], b""),),
    ),
    Accepted(
        "absolute-form without a path",
        with_line(b"GET HTTPS://b?d HTTP/1.1"),
        ABSOLUTE,
        ((b"/?d", [(b"host", b"b")], b""),),
    ),
    Accepted(
        "absolute-form in HTTP/1.0",
        b"GET http://[::1] HTTP/1.0\r\n\r\n",
        ABSOLUTE,
        ((b"/", [(b"host", b"[::1]")], b""),),
    ),
]

CHUNKED = with_fields(b"Transfer-Encoding: chunked")


def counted(body: bytes, length: bytes | None = None) -> bytes:
    return with_fields(b"Content-Length: " + (length or b"%d" % len(body))) + body


BODIES = [
    Accepted("no body", counted(b"")),
    Accepted("one byte", counted(b"x")),
    Accepted("leading zeros", counted(b"hello", b"00000005")),
    Accepted("a body for GET", with_line(b"GET / HTTP/1.1\r\nContent-Length: 3") + b"abc"),
    Accepted("a request as a body", counted(with_line(b"GET /smuggled HTTP/1.1"))),
    Accepted("line ends as a body", counted(b"\r\n\r\n\r\n\r\n\n\r\n\r")),
    Accepted("every byte as a body", counted(bytes(range(256)))),
    Accepted("no chunk", CHUNKED + b"0\r\n\r\n"),
    Accepted("one chunk", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"),
    Accepted("small chunks", CHUNKED + b"1\r\nx\r\n" * 20 + b"0\r\n\r\n"),
    Accepted("sizes in any case", CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
    Accepted("sizes with zeros", CHUNKED + b"00005\r\nhello\r\n000\r\n\r\n"),
    Accepted("a size of 16 digits", CHUNKED + b"0" * 15 + b"5\r\nhello\r\n0\r\n\r\n"),
    Accepted(
        "a size of 21 digits",
        CHUNKED + b"0" * 20 + b"5\r\nhello\r\n0\r\n\r\n",
        "h11 counts the zeros in front; they change nothing, and their number is bounded",
        ((b"/target", [HOST_A, (b"transfer-encoding", b"chunked")], b"hello"),),
    ),
    Accepted("line ends in chunks", CHUNKED + b"8\r\n\r\n\r\n\r\n\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n"),
    Accepted("an end in a chunk", CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
    Accepted("every byte in a chunk", CHUNKED + b"100\r\n" + bytes(range(256)) + b"\r\n0\r\n\r\n"),
    Accepted(
        "chunks in any case",
        with_fields(b"TRANSFER-encoding: Chunked") + b"1\r\nx\r\n0\r\n\r\n",
        "h11 writes the coding in lower case; we leave values as they are",
        ((b"/target", [HOST_A, (b"transfer-encoding", b"Chunked")], b"x"),),
    ),
    Accepted("an extension", CHUNKED + b"1;a=b\r\nx\r\n0;c\r\n\r\n"),
    Accepted("a quoted extension", CHUNKED + b'1;a="b c";d=e\r\nx\r\n0\r\n\r\n'),
    Accepted("trailers", CHUNKED + b"1\r\nx\r\n0\r\nX-Sum: 1\r\nY:  z \r\n\r\n"),
    Accepted("a Host among the trailers", CHUNKED + b"1\r\nx\r\n0\r\nHost: b\r\n\r\n"),
    Accepted(
        "100-continue, chunked",
        with_fields(b"Expect: 100-continue", b"Transfer-Encoding: chunked")
        + b"1\r\nx\r\n0\r\n\r\n",
    ),
    Accepted(
        "chunks and an upgrade",
        with_fields(b"Connection: upgrade", b"Upgrade: h2c", b"Transfer-Encoding: chunked")
        + b"1\r\nx\r\n0\r\n\r\n",
    ),
    Accepted(
        "a counted body and an upgrade",
        with_fields(b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: 3") + b"abc",
    ),
    Accepted("a body in HTTP/1.0", b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    Accepted(
        "Content-Length, then close",
        with_fields(b"Connection: close", b"Content-Length: 3") + b"abc",
    ),
]

LINE_END = b"\r\n"
PIPELINES = [
    Accepted(
        "three requests", with_line(b"GET /1 HTTP/1.1") + counted(b"ab") + CHUNKED + b"0\r\n\r\n"
    ),
    Accepted(
        "empty lines between",
        LINE_END + with_fields() + LINE_END * 3 + counted(b"x") + LINE_END,
        "RFC 9112, section 2.2: a server should ignore them; old browsers send one after a POST",
        (
            (b"/target", [HOST_A], b""),
            (b"/target", [HOST_A, (b"content-length", b"1")], b"x"),
        ),
    ),
    Accepted(
        "a chunked body, then others",
        (CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n") * 3 + with_fields(),
    ),
]

ACCEPTED = HEADS + BODIES + PIPELINES
