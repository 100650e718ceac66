"""One log for the application and the server: every line once, all in one format."""

import logging
from logging.config import dictConfig

dictConfig(
    {
        "version": 1,
        # Else the server's loggers, which are there already, fall silent.
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
    }
)
log = logging.getLogger("mysite")


async def application(scope, receive, send):
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    log.info("%s asks for %s", scope["client"][0], scope["path"])
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
