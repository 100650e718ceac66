"""Takes an upload of any size and answers with its size and checksum."""

from hashlib import sha256


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    size, digest, more = 0, sha256(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        digest.update(message["body"])
        more = message["more_body"]
    answer = f"{size} bytes, sha256 {digest.hexdigest()}\n"
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer.encode()})
