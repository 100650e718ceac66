"""The Django app: ``"daphne_like"`` in ``INSTALLED_APPS``, before ``django.contrib.staticfiles``.

Every ``manage.py`` command imports this module: it must not import anything of Twisted's, but for
the one process of ``runserver`` that serves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

from daphne_like import compat
from daphne_like.checks import check_apps
from daphne_like.errors import ConfigError


class DaphneLikeConfig(AppConfig):  # type: ignore[misc]
    """What Django knows of us: a name, a check, and the command ``runserver``."""

    name = "daphne_like"
    verbose_name = "daphne-like"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        named = [app for app in settings.INSTALLED_APPS if app.partition(".")[0] == "daphne"]
        if named and compat.stands_in():
            # Django would find us again under that name, and speak of a duplicate.
            raise ImproperlyConfigured(
                f"Take {named[0]!r} out of INSTALLED_APPS: Daphne is not installed, and "
                "'daphne_like' is in its place."
            )

    def ready(self) -> None:
        """Let Django check where we are among the apps."""
        checks.register(check_apps, checks.Tags.staticfiles)


def serves(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether `arguments` are of a ``runserver`` that serves itself, and watches no other.

    Of the two processes of a ``runserver`` that reloads, the inner one does.
    """
    inner = environment.get(DJANGO_AUTORELOAD_ENV) == "true"
    return list(arguments[1:2]) == ["runserver"] and (inner or "--noreload" in arguments)


def install_reactor_first(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Be before any other app that imports Twisted's reactor, where we are going to serve."""
    if serves(arguments, environment):
        from daphne_like import process

        with suppress(ConfigError):  # The command meets it again, and tells.
            process.install_reactor(tls=True)


install_reactor_first(sys.argv, os.environ)
# For who imports Daphne by its name: channels.testing does.
compat.install()
