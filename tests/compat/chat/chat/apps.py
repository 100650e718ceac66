"""The app, which needs ``channels.testing``."""

from django.apps import AppConfig

from daphne_like import compat

compat.install()


class ChatConfig(AppConfig):
    name = "chat"
