"""Greets whoever asks."""


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    greeting = f"Hello, {scope['path'].strip('/') or 'world'}!\n"
    await send({"type": "http.response.body", "body": greeting.encode()})
