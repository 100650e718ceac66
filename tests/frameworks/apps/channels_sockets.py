"""WebSockets of Django with Channels."""

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for tests only",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    LOGGING_CONFIG=None,
)


class Echo(AsyncWebsocketConsumer):
    async def connect(self):
        offered = self.scope["subprotocols"]
        chosen = "chat" if "chat" in offered else None
        await self.accept(chosen, headers=[(b"x-thing", b"1")])

    async def receive(self, text_data=None, bytes_data=None):
        if text_data == "close":
            await self.close(4001, "enough")
        elif text_data == "fail":
            raise ValueError("the endpoint's own error")
        elif text_data == "everybody":
            told = {"type": "everybody.told", "text": "to everybody"}
            await self.channel_layer.group_send("everybody", told)
        else:
            await self.send(text_data, bytes_data)

    async def everybody_told(self, event):
        await self.send(event["text"])

    async def disconnect(self, code):
        await sync_to_async(len)("")  # as who asks the database
        await self.send("one last word")
        print(f"left with {code}", flush=True)  # noqa: T201 - the test reads it


class Together(Echo):
    """In a group; one that raised would stay in it, since Channels does not tell it of its end."""

    groups = ("everybody",)


class Threaded(WebsocketConsumer):
    """A consumer in a thread."""

    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data, bytes_data)

    def disconnect(self, code):
        print(f"the thread left with {code}", flush=True)  # noqa: T201 - the test reads it


class Refuse(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


class Fail(AsyncWebsocketConsumer):
    async def connect(self):
        raise ValueError("the endpoint's own error")


async def groups(request):
    """How many sockets are in each group."""
    return JsonResponse({name: len(who) for name, who in get_channel_layer().groups.items()})


urlpatterns = [path("groups", groups)]
sockets = [
    path("echo", Echo.as_asgi()),
    path("together", Together.as_asgi()),
    path("threaded", Threaded.as_asgi()),
    path("refuse", Refuse.as_asgi()),
    path("fail", Fail.as_asgi()),
]
app = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter(sockets)})
