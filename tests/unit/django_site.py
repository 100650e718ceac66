"""Django in the process of the unit tests: settings of no project, once for all of them."""

from __future__ import annotations

import django
from django.conf import settings


def set_up() -> None:
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            INSTALLED_APPS=["daphne_like", "django.contrib.staticfiles"],
            LOGGING_CONFIG=None,
            SECRET_KEY="for tests only",
            STATIC_URL="static/",
        )
        django.setup()
