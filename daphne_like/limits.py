"""Every byte, count and second that the server limits, each with its reason.

A limit is written here and nowhere else: its option, its help and its row in the reference
are generated from its field. This module must not know who enforces a limit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from daphne_like.limit_field import limit
from daphne_like.limits_workers import WorkerLimits

KIB = 1024
MIB = 1024 * KIB

A_TURN = 128 * KIB
"""Bytes of one connection that come at once, after which it is everybody else's turn: as long as so
much comes uvloop reads on, 32 times in one turn of its own."""


@dataclass(frozen=True, slots=True)
class Limits(WorkerLimits):
    """The limits of one server."""

    head_size: int = limit(
        64 * KIB,
        "bytes",
        "A request's line and header fields together; more is answered 431.",
        "--head-size",
        "--h11-max-incomplete-event-size",
    )
    line_size: int = limit(
        32 * KIB,
        "bytes",
        "A request's line alone, which is its target above all; more is answered 414. Half of "
        "--head-size leaves as much for the fields.",
    )
    head_fields: int = limit(
        256, "fields", "Header fields of one request; browsers send under 30. More: 431."
    )
    read_budget: int = limit(
        64 * KIB,
        "bytes",
        "Body that waits for the application before reading from the socket pauses.",
    )
    write_budget: int = limit(
        64 * KIB, "bytes", "Response that waits for a slow client before send() waits."
    )
    unsent_budget: int = limit(
        512 * KIB,
        "bytes",
        "Response that the kernel keeps for a client beside what is on the network, on Linux and "
        "macOS. It would take megabytes for each slow client, and the time to copy them. 0 lets "
        "it.",
    )
    discard_size: int = limit(
        256 * KIB,
        "bytes",
        "Unread body that is thrown away after an early response to keep the connection; "
        "with more to come the connection is closed instead.",
    )
    body_size: int = limit(
        0,
        "bytes",
        "A request's body; more is answered 413. 0 for no limit: bodies are streamed, and an "
        "application that collects them has a limit of its own.",
    )
    connections: int = limit(
        0,
        "connections",
        "Open at the same time; who comes then waits in the kernel. 0 for as many as the process "
        "may have open files, but for a reserve of its own.",
    )
    client_connections: int = limit(
        0,
        "connections",
        "Open at the same time from one address; further ones are closed. 0 for no limit: behind "
        "a proxy all have its address, unless it speaks the PROXY protocol.",
    )
    concurrency: int = limit(
        0,
        "requests",
        "With the application at the same time; further ones are answered 503. 0 for no limit.",
        "--limit-concurrency",
    )
    sync_threads: int = limit(
        0,
        "threads",
        "For synchronous code of ASGI applications that asgiref runs, Django's views for example; "
        "requests that need one wait for theirs. 0 for asgiref's own way: a thread is started "
        "for each.",
    )
    wsgi_threads: int = limit(
        16,
        "threads",
        "For the requests of a WSGI application; further ones wait, with their bodies unread.",
    )
    connection_requests: int = limit(
        0,
        "requests",
        "One connection may carry, then it is closed; 0 for no limit. Where a balancer spreads "
        "connections, closing some lets it spread them anew.",
    )
    max_requests: int = limit(
        0,
        "requests",
        "The process serves, then it stops in order, for a supervisor to start it anew: a valve "
        "for an application that leaks. 0 for no limit.",
        "--limit-max-requests",
        "--max-requests",
    )
    max_requests_jitter: int = limit(
        0,
        "requests",
        "At most as many are added to --limit-max-requests, by chance, so that processes which "
        "were started together do not stop together. 0 for none.",
        "--limit-max-requests-jitter",
        "--max-requests-jitter",
    )
    head_timeout: float = limit(
        30.0,
        "seconds",
        "From a request's first byte to the end of its head; then 408. A PROXY preamble has as "
        "long.",
    )
    body_timeout: float = limit(
        30.0,
        "seconds",
        "A client has for each part of a body, of --body-rate times as many bytes; then 408. "
        "Time in which the server does not read does not count.",
    )
    body_rate: int = limit(
        200,
        "bytes a second",
        "A body has to come at, averaged over --body-timeout; the worst of mobile networks "
        "is faster. 0 lets one byte do.",
    )
    write_timeout: float = limit(
        60.0,
        "seconds",
        "A client that reads too slowly has to take the next part of a response; then it is cut.",
    )
    handshake_timeout: float = limit(
        10.0,
        "seconds",
        "A client has for its TLS handshake, once it is its turn; browsers take a few round trips.",
    )
    handshakes: int = limit(
        1000,
        "handshakes",
        "Of TLS that are under way at the same time; who comes then waits for his turn, unread. "
        "Each takes some 50 kB meanwhile. 0 for no limit.",
    )
    handshake_patience: float = limit(
        2.0,
        "seconds",
        "A TLS handshake that is under way has while others wait for its place; then it gives way. "
        "One lost packet takes less.",
    )
    tls_empty_size: int = limit(
        24 * KIB,
        "bytes",
        "Of TLS records that carry nothing, a change of keys for example, a client may send in a "
        "row; more ends the connection. A record that is not whole yet is among them, so it is "
        "more than 17 KiB. 0 for no limit.",
    )
    tls_empty_rate: int = limit(
        16 * KIB,
        "bytes a second",
        "Given back to a TLS client that has used up --tls-empty-size.",
    )
    certificate_check: float = limit(
        10.0,
        "seconds",
        "Between two looks at the files of certificates: renewed ones are read again. 0 for never; "
        "SIGHUP lets them be read again at any time.",
    )
    keep_alive: float = limit(
        75.0,
        "seconds",
        "An idle connection is kept; longer than the 60 s of load balancers, so that they, "
        "not we, close first.",
        "--keep-alive",
        "--timeout-keep-alive",
    )
    linger: float = limit(
        5.0,
        "seconds",
        "After a final response, unread input is still drained, so that no reset destroys "
        "the response on its way.",
    )
    half_close_grace: float = limit(
        10.0,
        "seconds",
        "A client that has closed its sending side may wait for its answer; TCP cannot tell it "
        "from one that has left, so then the application is told of a disconnect.",
    )
    http_timeout: float | None = limit(
        None,
        "seconds",
        "A whole HTTP exchange; one that has not started is answered 503, one that has is cut.",
        "-t",
        "--http-timeout",
    )
    application_close_timeout: float = limit(
        10.0,
        "seconds",
        "An application has after its client left (or the server's time is over) before its "
        "task is cancelled.",
        "--application-close-timeout",
    )
    send_grace: float = limit(
        5.0,
        "seconds",
        "An application that listens for the disconnect may still send() into the void, so "
        "that it can finish; then send() raises.",
    )
    drain_delay: float = limit(
        0.0,
        "seconds",
        "From the signal to stop until the server accepts nobody new: readiness fails, and who "
        "still comes is served, until balancers have noticed. 0 for at once.",
        "--drain-delay",
        "--shutdown-delay",
    )
    graceful_timeout: float = limit(
        20.0,
        "seconds",
        "Requests in flight have to finish when the server stops; below the 30 s that "
        "Kubernetes waits.",
        "--graceful-timeout",
        "--timeout-graceful-shutdown",
    )
    startup_timeout: float = limit(
        60.0, "seconds", "The application's lifespan startup may take.", "--startup-timeout"
    )
    shutdown_timeout: float = limit(
        10.0, "seconds", "The application's lifespan shutdown may take.", "--shutdown-timeout"
    )
    watchdog: float = limit(
        1.0,
        "seconds",
        "The event loop may be blocked, by an application that waits without await, until the log "
        "tells where it is. 0 for no watchdog.",
        "--watchdog",
    )
    backlog: int = limit(
        2048, "connections", "The kernel holds while none is accepted.", "--backlog"
    )
    http2_streams: int = limit(
        100,
        "streams",
        "Open at the same time on one HTTP/2 connection. Those whose client has left count until "
        "their application has ended; further ones are refused.",
    )
    http2_heads: int = limit(
        MIB,
        "bytes",
        "Header fields of all open streams of an HTTP/2 connection together, with 32 for each "
        "field; streams beyond are refused. A few bytes can stand for many of them.",
    )
    http2_resets: int = limit(
        1000,
        "resets",
        "An HTTP/2 client may cause in a row, of its own streams, by its doing or by breaking the "
        "rules; more ends the connection. As many are given back as --http2-reset-rate says.",
    )
    http2_reset_rate: int = limit(
        33, "resets a second", "Given back to an HTTP/2 client that has used up --http2-resets."
    )
    http2_control_frames: int = limit(
        1000,
        "frames",
        "An HTTP/2 client may send in a row that carry nothing: PING, SETTINGS, priorities, empty "
        "DATA. More ends the connection. As many are given back as --http2-control-rate says.",
    )
    http2_control_rate: int = limit(
        100,
        "frames a second",
        "Given back to an HTTP/2 client that has used up --http2-control-frames.",
    )
    http2_ping_interval: float = limit(
        30.0,
        "seconds",
        "Of silence, after which an HTTP/2 client with open streams is pinged; 0 for no pings.",
    )
    http2_ping_timeout: float = limit(
        20.0,
        "seconds",
        "An HTTP/2 client has after a ping to send something; then the connection is cut. 0 for no "
        "limit.",
    )
    ping_interval: float = limit(
        20.0,
        "seconds",
        "Of silence, after which a WebSocket is pinged; 0 for no pings.",
        "--ping-interval",
        "--ws-ping-interval",
    )
    ping_timeout: float = limit(
        30.0,
        "seconds",
        "A client has after a ping to send something, a pong or anything else; then the WebSocket "
        "is closed. 0 for no limit.",
        "--ping-timeout",
        "--ws-ping-timeout",
    )
    websocket_timeout: float = limit(
        86400.0,
        "seconds",
        "The longest life of a WebSocket; then it is closed with 1001. 0 or -1 for no limit.",
        "--websocket_timeout",
        "--websocket-timeout",
    )
    websocket_connect_timeout: float = limit(
        5.0,
        "seconds",
        "The application has to accept or refuse a WebSocket within; then it is answered 503. 0 "
        "for no limit.",
        "--websocket_connect_timeout",
        "--websocket-connect-timeout",
    )
    websocket_max_message_size: int = limit(
        MIB,
        "bytes",
        "A WebSocket message, after it is inflated; more is closed with 1009. 0 for no limit. "
        "Given alone, it is the limit of frames too.",
        "--websocket-max-message-size",
        "--ws-max-size",
    )
    websocket_max_frame_size: int = limit(
        MIB,
        "bytes",
        "A WebSocket frame, as it comes; more is closed with 1009. 0 for no limit.",
        "--websocket-max-frame-size",
    )
    websocket_close_timeout: float = limit(
        10.0,
        "seconds",
        "A client has to answer the close of a WebSocket; then it is cut.",
        "--websocket-close-timeout",
        "--ws-close-timeout",
    )
    websockets_per_client: int = limit(
        0,
        "sockets",
        "WebSockets open at the same time from one client; further ones are answered 429. 0 for "
        "no limit.",
        "--websockets-per-client",
        "--ws-per-client",
    )
    websocket_compression_size: int = limit(
        128,
        "bytes",
        "The smallest message that is sent compressed, where --ws-compression is on.",
        "--websocket-compression-size",
        "--ws-compression-min-size",
    )
    websocket_drain_time: float = limit(
        5.0,
        "seconds",
        "WebSockets are closed one after the other when the server stops, so that their clients "
        "do not all come back at once: few of them a tenth of a second apart, many of them "
        "within this time, and half of --graceful-timeout at most.",
        "--websocket-drain-time",
        "--ws-drain-time",
    )


LIMITS = tuple(item.name for item in fields(Limits))
"""The names of all limits, in their order."""


def longest_stop(limits: Limits) -> float:
    """Seconds after which a stop is over, whatever the application does."""
    return (
        limits.drain_delay
        + limits.graceful_timeout
        + limits.application_close_timeout
        + limits.shutdown_timeout
    )
