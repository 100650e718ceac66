"""A socket for each room."""

from django.urls import path

from chat.consumers import ChatConsumer, SyncChatConsumer

websocket_urlpatterns = [
    path("ws/chat/<slug:room>/", ChatConsumer.as_asgi()),
    path("ws/sync/<slug:room>/", SyncChatConsumer.as_asgi()),
]
