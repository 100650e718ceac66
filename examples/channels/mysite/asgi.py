"""The application that the server is given: requests are Django's, WebSockets are Channels'."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
django = get_asgi_application()

from mysite.consumers import Chat, Nowhere  # noqa: E402 - consumers may use models, once Django is set up

sockets = URLRouter([path("<slug:room>/socket", Chat.as_asgi()), re_path("", Nowhere.as_asgi())])
application = ProtocolTypeRouter(
    {"http": django, "websocket": AllowedHostsOriginValidator(sockets)}
)
