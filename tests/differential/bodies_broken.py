"""Bodies that turn bad after a good head: nothing behind the bad byte is ever a request.

``h11`` is empty where h11 refuses the body too; otherwise it is the reason why we refuse
what h11 accepts.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.differential.heads_refused import CRLF, FOLDED, with_fields

CHUNKED = with_fields(b"Transfer-Encoding: chunked")
END = b"0\r\n\r\n"

OVERFLOW = "h11 counts on, where a reader of 64 bits starts again from 0"
EXTENSION = "RFC 9112, section 7.1.1: no chunk extension looks like this"
BLANK = "RFC 9112, section 7.1.1 allows white space only as it allows it before extensions"
TRAILER = "RFC 9112, section 7.1.2: a trailer is a field line like any other"


class Broken(NamedTuple):
    name: str
    body: bytes
    h11: str = ""

    @property
    def raw(self) -> bytes:
        return CHUNKED + self.body


SIZES = [
    *(
        Broken(f"chunk size {size!r}", size + b"\r\nhello\r\n" + END)
        for size in (
            b"0x5",
            b"+5",
            b"-5",
            b"5_0",
            b" 5",
            b"",
            b";a",
            b"g",
            b"5 5",
            b"\x0b5",
            b"5\x00",
            b"\xef\xbc\x95",
        )
    ),
    *(
        Broken(f"chunk size {size!r}", size + b"\r\nhello\r\n" + END, OVERFLOW)
        for size in (b"1" + b"0" * 16, b"f" * 17)
    ),
    Broken("a blank after the size", b"5 \r\nhello\r\n" + END, BLANK),
    Broken("a tab after the size", b"5\t\r\nhello\r\n" + END, BLANK),
    Broken("a bare LF after the size", b"5\nhello\r\n" + END),
    Broken("a bare CR after the size", b"5\rhello\r\n" + END),
    Broken("a bare LF after the last size", b"0\n\r\n"),
]

TERMINATORS = [
    Broken("any two bytes after the data", b"5\r\nAAAAAXX2\r\n45\r\n" + END),
    Broken("no line end after the data", b"5\r\nhello" + END),
    Broken("a bare LF after the data", b"5\r\nhello\n" + END),
    Broken("a bare CR after the data", b"5\r\nhello\r" + END),
    Broken("CR twice after the data", b"5\r\nhello\r\r\n" + END),
    Broken("more data than announced", b"4\r\nhello\r\n" + END),
    Broken("less data than announced", b"6\r\nhello\r\n" + END),
    Broken("no empty line at the end", b"5\r\nhello\r\n0\r\nX\r\n\r\n"),
    Broken("a bare LF at the end", b"5\r\nhello\r\n0\r\n\n", CRLF),
    Broken("a bare CR at the end", b"5\r\nhello\r\n0\r\n\rX\r\n\r\n"),
]

EXTENSIONS = [
    Broken("a bare LF in an extension", b"5;a\nb\r\nhello\r\n" + END),
    Broken("a bare CR in an extension", b"5;a\rb\r\nhello\r\n" + END, CRLF),
    Broken("NUL in an extension", b"5;a\x00b\r\nhello\r\n" + END, EXTENSION),
    Broken("a control in an extension", b"5;a\x01b\r\nhello\r\n" + END, EXTENSION),
    Broken("a line end in quotes", b'5;a="b\r\n0\r\n\r\n"\r\nhello\r\n' + END),
    Broken("an extension without a name", b"5;\r\nhello\r\n" + END, EXTENSION),
    Broken(
        "an extension of 70 KiB", b"5;" + b"a" * 70 * 1024 + b"\r\nhello\r\n" + END, "too large"
    ),
    Broken("extensions of 100 KiB", (b"1;" + b"a" * 99 + b"\r\nx\r\n") * 1024 + END, "too large"),
]

TRAILERS = [
    Broken("a Content-Length among the trailers", b"0\r\nContent-Length: 5\r\n\r\n", TRAILER),
    Broken("a Transfer-Encoding among the trailers", b"0\r\nTransfer-Encoding: x\r\n\r\n"),
    Broken("a folded trailer", b"0\r\nX: y\r\n z\r\n\r\n", FOLDED),
    Broken("a trailer without a colon", b"0\r\nX\r\n\r\n"),
    Broken("a space before a trailer's colon", b"0\r\nX : y\r\n\r\n"),
    Broken("a control in a trailer", b"0\r\nX: \x00\r\n\r\n"),
    Broken("trailers of 70 KiB", b"0\r\n" + b"X: y\r\n" * 12 * 1024 + b"\r\n", "too large"),
]

BROKEN = SIZES + TERMINATORS + EXTENSIONS + TRAILERS
