"""An upload of any size in constant memory: each part of the body is counted, hashed and let go.

Must not know what is uploaded: the body is taken as it comes, without multipart.
"""

import json
from hashlib import sha256
from time import perf_counter

from daphne_like.demo.reply import Receive, Scope, Send, respond


async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with size (bytes), SHA-256 (hexadecimal) and duration (seconds) of the request body.

    The answer is JSON; a client that leaves before the end of the body gets none.
    """
    started, size, digest, more = perf_counter(), 0, sha256(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        part = message.get("body", b"")
        size += len(part)
        digest.update(part)
        more = message.get("more_body", False)
    seconds = round(perf_counter() - started, 6)
    answer = {"size": size, "sha256": digest.hexdigest(), "seconds": seconds}
    await respond(scope, send, 200, b"application/json", json.dumps(answer).encode() + b"\n")
