"""A chat room: one consumer for each socket, one group for each room."""

import json
import logging

from channels.generic.websocket import AsyncJsonWebsocketConsumer

logger = logging.getLogger("mysite.chat")


class Nowhere(AsyncJsonWebsocketConsumer):
    """Where no room is."""

    async def connect(self):
        await self.close()


class Chat(AsyncJsonWebsocketConsumer):
    """One socket in a room: what comes from it goes to everybody in the room."""

    async def connect(self):
        self.room = "chat." + self.scope["url_route"]["kwargs"]["room"]
        await self.accept()
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.tell("somebody came")

    @classmethod
    async def decode_json(cls, text):
        try:
            return json.loads(text)
        except ValueError:
            return None

    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        if bytes_data is not None:
            await self.close(1003, "text only")
        else:
            await super().receive(text_data, **kwargs)

    async def receive_json(self, content):
        match content:
            case {"text": str(text)}:
                await self.tell(text[:500])
            case _:
                await self.close(1008, "a message is {text: …}")

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)
        await self.tell("somebody left")
        logger.warning("somebody left %s with %d", self.room, code)

    async def tell(self, text):
        await self.channel_layer.group_send(self.room, {"type": "chat.told", "text": text})

    async def chat_told(self, event):
        """Pass on what the group is told; named by the event's type."""
        await self.send_json({"text": event["text"]})
