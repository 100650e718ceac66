"""Heads that no application may ever see, each with the status of its refusal.

``h11`` is empty where h11 refuses the head too; otherwise it is the reason why we refuse
what h11 accepts.
"""

from __future__ import annotations

from typing import NamedTuple

LINE = b"POST /target HTTP/1.1"
HOST = b"Host: a"


class Refused(NamedTuple):
    name: str
    raw: bytes
    status: int = 400
    h11: str = ""


def head(*fields: bytes, line: bytes = LINE) -> bytes:
    return b"\r\n".join([line, *fields, b"", b""])


def with_fields(*fields: bytes) -> bytes:
    return head(HOST, *fields)


def with_line(line: bytes) -> bytes:
    return head(HOST, line=line)


def with_host(value: bytes) -> bytes:
    return head(b"Host: " + value)


TWO_READINGS = "RFC 9112, section 6.3: two framings are an attack on whoever reads the other one"
ONE_VALUE = "RFC 9110, section 8.6 allows it for equal values; honest clients send it once"
CRLF = "RFC 9112, section 2.2 allows a bare LF; two readings of a line end are a smuggler's tool"
CONTROLS = "RFC 9110, section 5.5: invalid; str.strip() and str.splitlines() act on some of them"
FOLDED = "RFC 9112, section 5.2: obsolete, and servers may refuse it"
KNOWN_METHODS = "our parser knows the registered methods only"
TARGET_FORM = "RFC 9112, section 3.2: none of the four forms of a target"
HOST_FORM = "RFC 9110, section 7.2: Host is host and port, and proxies route by it"
MAJOR_VERSION = "RFC 9110, section 6.2: a version that we do not speak"
NO_SUCH_VERSION = "nobody speaks it: the last HTTP/1 is 1.1"
UNKNOWN_EXPECTATION = "RFC 9110, section 10.1.1: refused so that nobody waits"
NEVER_A_PROXY = "RFC 9110, section 9.3.6: a server that is no proxy opens no tunnels"

FRAMING = [
    Refused(
        "CL, then TE",
        with_fields(b"Content-Length: 6", b"Transfer-Encoding: chunked"),
        400,
        TWO_READINGS,
    ),
    Refused(
        "TE, then CL",
        with_fields(b"Transfer-Encoding: chunked", b"Content-Length: 6"),
        400,
        TWO_READINGS,
    ),
    Refused("two CL that differ", with_fields(b"Content-Length: 5", b"Content-Length: 6")),
    Refused(
        "two CL that agree",
        with_fields(b"Content-Length: 5", b"Content-Length: 5"),
        400,
        ONE_VALUE,
    ),
    Refused("a list of CL that agree", with_fields(b"Content-Length: 5, 5"), 400, ONE_VALUE),
    Refused("a list of CL that differ", with_fields(b"Content-Length: 5, 6")),
    *(
        Refused(f"CL {value!r}", with_fields(b"Content-Length: " + value))
        for value in (
            b"+5",
            b"-5",
            b"5_0",
            b"0x5",
            b"5.0",
            b"5 0",
            b"",
            b"5;",
            b"five",
            b"\x0b5",
            b"5\x0c",
            b"\xa05",
            "\N{ARABIC-INDIC DIGIT FIVE}".encode(),
            "\N{FULLWIDTH DIGIT FIVE}".encode(),
            b"1" * 4000,
        )
    ),
    Refused(
        "a CL of 20 digits",
        with_fields(b"Content-Length: " + b"9" * 20),
        400,
        "no body is that large, and a reader of 64 bits would see another number",
    ),
    *(
        Refused(f"TE {value!r}", with_fields(b"Transfer-Encoding: " + value), status)
        for value, status in (
            (b"xchunked", 400),
            (b"chunked123", 400),
            (b"chunked, identity", 400),
            (b"identity, chunked", 501),
            (b"gzip, chunked", 501),
            (b"chunked, chunked", 400),
            (b"identity", 400),
            (b"gzip", 400),
            (b'"chunked"', 400),
            (b"chunked,", 400),
            (b",chunked", 501),
            (b"chunked;q=1", 400),
            (b"\x0bchunked", 400),
            (b"chunked\x0c", 400),
            (b"\xa0chunked", 400),
            ("chun\N{KELVIN SIGN}ed".encode(), 400),
            (b"", 400),
        )
    ),
    Refused("two TE", with_fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
    Refused(
        "two TE that differ",
        with_fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    ),
    Refused(
        "TE in HTTP/1.0",
        head(HOST, b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0"),
        400,
        "RFC 9112, section 6.1: a coding that HTTP/1.0 does not have is an attack",
    ),
    Refused("an unknown expectation", with_fields(b"Expect: 200-ok"), 417, UNKNOWN_EXPECTATION),
    Refused(
        "two expectations",
        with_fields(b"Expect: 100-continue", b"Expect: 100-continue"),
        400,
        "once is enough; what one of them says could be missed",
    ),
]

LINES = [
    Refused("bare LF after the request line", b"POST / HTTP/1.1\nHost: a\r\n\r\n", 400, CRLF),
    Refused("bare LF after a field", b"POST / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, CRLF),
    Refused("bare LF at the end", b"POST / HTTP/1.1\r\nHost: a\r\n\n", 400, CRLF),
    Refused("bare LF everywhere", b"POST / HTTP/1.1\nHost: a\n\n", 400, CRLF),
    Refused("bare CR after the request line", b"POST / HTTP/1.1\rHost: a\r\n\r\n"),
    Refused("bare CR after a field", b"POST / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
    Refused("bare CR at the end", b"POST / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"),
    Refused("CR twice", b"POST / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    Refused("LF, CR", b"POST / HTTP/1.1\r\nHost: a\n\rX: y\r\n\r\n", 400),
    Refused("bare LF in front", b"\n" + with_fields(), 400),
    Refused("bare CR in front", b"\r" + with_fields(), 400),
    Refused("folded with a space", with_fields(b"X: y", b" z"), 400, FOLDED),
    Refused("folded with a tab", with_fields(b"X: y", b"\tz"), 400, FOLDED),
    Refused("TE behind a fold", with_fields(b"X: y", b" Transfer-Encoding: chunked"), 400, FOLDED),
    Refused("a folded CL", with_fields(b"Content-Length: 1", b" 0"), 400),
    Refused("a space in front of the first field", head(b" Host: a", HOST)),
    Refused("a tab in front of the first field", head(b"\tHost: a", HOST)),
    Refused("a space in front of the request line", b" " + with_fields()),
    Refused("a space before the colon", with_fields(b"Transfer-Encoding : chunked")),
    Refused("a tab before the colon", with_fields(b"Content-Length\t: 5")),
    Refused("an empty name", with_fields(b": y")),
    Refused("no colon", with_fields(b"X")),
    Refused("a name with a space", with_fields(b"X y: z")),
    Refused("a name with obs-text", with_fields(b"X\xff: z")),
    Refused("NUL in a value", with_fields(b"X: y\x00z")),
    Refused("VT before a value", with_fields(b"X: \x0by")),
    Refused("FF after a value", with_fields(b"X: y\x0c")),
    Refused("FS, GS, RS, US in a value", with_fields(b"X: \x1cy\x1d\x1e\x1f"), 400, CONTROLS),
    Refused("DEL in a value", with_fields(b"X: y\x7f"), 400, CONTROLS),
]

REQUEST_LINES = [
    Refused("no version", with_line(b"GET /"), 505),
    Refused("no target", with_line(b"GET HTTP/1.1")),
    Refused("an empty target", with_line(b"GET  HTTP/1.1")),
    Refused("two spaces before the target", with_line(b"GET  / HTTP/1.1")),
    Refused("two spaces after the target", with_line(b"GET /  HTTP/1.1"), 400),
    Refused("a tab before the target", with_line(b"GET\t/ HTTP/1.1")),
    Refused("a tab before the version", with_line(b"GET /\tHTTP/1.1")),
    Refused("a space in the target", with_line(b"GET /a b HTTP/1.1")),
    Refused("a request in the target", with_line(b"GET / HTTP/1.1 /x HTTP/1.1")),
    Refused("a control in the target", with_line(b"GET /a\x01b HTTP/1.1")),
    Refused("NUL in the target", with_line(b"GET /a\x00b HTTP/1.1")),
    Refused("DEL in the target", with_line(b"GET /a\x7fb HTTP/1.1")),
    Refused("a fragment", with_line(b"GET /a#b HTTP/1.1"), 400, TARGET_FORM),
    Refused("a relative target", with_line(b"GET a/b HTTP/1.1"), 400, TARGET_FORM),
    Refused("only a query", with_line(b"GET ?a HTTP/1.1"), 400, TARGET_FORM),
    Refused("authority-form", with_line(b"GET a:80 HTTP/1.1"), 400, TARGET_FORM),
    Refused("* for GET", with_line(b"GET * HTTP/1.1"), 400, TARGET_FORM),
    Refused("another scheme", with_line(b"GET ftp://a/ HTTP/1.1"), 400, TARGET_FORM),
    Refused("absolute without a host", with_line(b"GET http:///b HTTP/1.1"), 400, TARGET_FORM),
    Refused("absolute with user", with_line(b"GET http://u@a/ HTTP/1.1"), 400, TARGET_FORM),
    Refused("absolute, fragment", with_line(b"GET http://a/#b HTTP/1.1"), 400, TARGET_FORM),
    Refused("CONNECT", with_line(b"CONNECT a:80 HTTP/1.1"), 501, NEVER_A_PROXY),
    Refused("a method in lower case", with_line(b"get / HTTP/1.1"), 400, KNOWN_METHODS),
    Refused("an unknown method", with_line(b"BREW / HTTP/1.1"), 400, KNOWN_METHODS),
    Refused("a method that goes on", with_line(b"GETX / HTTP/1.1"), 400, KNOWN_METHODS),
    Refused("a method that is no token", with_line(b"G(T / HTTP/1.1")),
    Refused("a method with obs-text", with_line(b"G\xc9T / HTTP/1.1")),
    *(
        Refused(f"version {version!r}", with_line(b"GET / " + version), status, reason)
        for version, status, reason in (
            (b"HTTP/0.9", 505, MAJOR_VERSION),
            (b"HTTP/1.2", 505, NO_SUCH_VERSION),
            (b"HTTP/2.0", 505, MAJOR_VERSION),
            (b"HTTP/3.0", 505, MAJOR_VERSION),
            (b"HTTP/1.10", 400, ""),
            (b"HTTP/11.1", 400, ""),
            (b"HTTP/1", 400, ""),
            (b"HTTP/1.", 400, ""),
            (b"HTTP/1.1x", 400, ""),
            (b"HTTP/1.1 ", 400, ""),
            (b"HTTP/ 1.1", 400, ""),
            (b"HTTP/1,1", 400, ""),
            (b"http/1.1", 400, ""),
            (b"HTTQ/1.1", 400, ""),
            (b"ICE/1.0", 400, ""),
            (b"RTSP/1.0", 505, ""),
        )
    ),
    Refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Refused("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    Refused("no HTTP at all", b"hello there\r\n\r\n"),
]

HOSTS = [
    Refused("no Host", head()),
    Refused("two Hosts", head(HOST, b"Host: b")),
    Refused("the same Host twice", head(HOST, HOST)),
    *(
        Refused(f"Host {value!r}", with_host(value), 400, reason)
        for value, reason in (
            (b"a b", HOST_FORM),
            (b"a, b", HOST_FORM),
            (b"a/b", HOST_FORM),
            (b"a?b", HOST_FORM),
            (b"a#b", HOST_FORM),
            (b"u@a", HOST_FORM),
            (b"a\\b", HOST_FORM),
            (b"<a>", HOST_FORM),
            (b"a:b", HOST_FORM),
            (b"a:80:80", HOST_FORM),
            (b"a:-1", HOST_FORM),
            (b"[::1", HOST_FORM),
            (b"::1", HOST_FORM),
            (b"[::1]a", HOST_FORM),
            (b"[g]", HOST_FORM),
            (b"a\xe9", HOST_FORM),
            (b"http://a", HOST_FORM),
        )
    ),
]

REFUSED = FRAMING + LINES + REQUEST_LINES + HOSTS
