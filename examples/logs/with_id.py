"""The request's id in every line that the application logs: serve it with --request-id."""

import logging
from contextvars import ContextVar

request_id = ContextVar("request_id", default="-")
log = logging.getLogger("mysite")


def add_request_id(record):
    """A filter that adds to lines instead of leaving some out."""
    record.request_id = request_id.get()
    return True


handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("%(levelname)s [%(request_id)s] %(message)s"))
handler.addFilter(add_request_id)
log.addHandler(handler)
log.setLevel(logging.INFO)


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    request_id.set(dict(scope["headers"])[b"x-request-id"].decode())
    log.info("%s is asked for", scope["path"])
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
