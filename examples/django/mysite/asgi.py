"""Django, and what is open for as long as the site is served."""

import logging
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
site = get_asgi_application()
logger = logging.getLogger("django.mysite")  # Of Django's, which runserver shows.


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await site(scope, receive, send)


async def lifespan(receive, send):
    await receive()
    logger.info("Here connections to other servers are opened")
    await send({"type": "lifespan.startup.complete"})
    await receive()
    logger.info("Here they are closed")
    await send({"type": "lifespan.shutdown.complete"})
