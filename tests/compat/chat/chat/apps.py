"""The app, as the tutorial has it."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"
