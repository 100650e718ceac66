"""What can be wrong with where the app is in ``INSTALLED_APPS``.

Of two apps that have a command of one name, Django takes the first. This module must not know
what the command does.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core import checks

_STATICFILES = "django.contrib.staticfiles"
_WHITENOISE = "whitenoise.runserver_nostatic"


def check_apps(app_configs: object = None, **_: Any) -> list[checks.CheckMessage]:
    """A system check, of all apps whichever of them are asked about."""
    names = [config.name for config in apps.get_app_configs()]
    return [*_late(names), *_twofold(names), *_behind(names)]


def _late(names: list[str]) -> list[checks.CheckMessage]:
    rivals = [name for name in names if name in (_STATICFILES, "daphne_like")]
    if rivals != [_STATICFILES, "daphne_like"]:
        return []
    hint = "Otherwise runserver is the one of staticfiles, which does not serve ASGI."
    said = f"daphne_like must be listed before {_STATICFILES} in INSTALLED_APPS."
    return [checks.Error(said, hint=hint, id="daphne_like.E001")]


def _twofold(names: list[str]) -> list[checks.CheckMessage]:
    rivals = [name for name in names if name in ("daphne", "daphne_like")]
    if len(rivals) < 2:
        return []
    said = f"Both daphne and daphne_like are in INSTALLED_APPS: runserver is {rivals[0]}'s."
    return [checks.Warning(said, hint="Leave one of them out.", id="daphne_like.W001")]


def _behind(names: list[str]) -> list[checks.CheckMessage]:
    rivals = [name for name in names if name in (_WHITENOISE, "daphne_like")]
    if rivals != ["daphne_like", _WHITENOISE]:
        return []
    hint = "Otherwise runserver serves static files itself, and WhiteNoise does not."
    said = f"{_WHITENOISE} should be listed before daphne_like in INSTALLED_APPS."
    return [checks.Warning(said, hint=hint, id="daphne_like.W002")]
