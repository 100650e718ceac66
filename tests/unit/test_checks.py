"""Where the app is among the others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.test import override_settings

from daphne_like.checks import check_apps
from tests.unit.django_site import set_up

set_up()
STATICFILES = "django.contrib.staticfiles"
WHITENOISE = "whitenoise.runserver_nostatic"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["daphne_like", STATICFILES], []),
        ([STATICFILES, "daphne_like"], ["daphne_like.E001"]),
        (["daphne_like"], []),
        ([STATICFILES], []),
        ([], []),
    ],
)
def test_staticfiles_must_not_come_first(names, found) -> None:
    with override_settings(INSTALLED_APPS=names):
        assert [message.id for message in check_apps(None, databases=None)] == found


def test_of_two_that_bring_the_command_one_is_too_many(monkeypatch) -> None:
    installed = [SimpleNamespace(name=name) for name in ("daphne", "daphne_like")]
    monkeypatch.setattr(apps, "get_app_configs", lambda: installed)
    [message] = check_apps(None)
    assert message.id == "daphne_like.W001"
    assert "runserver is daphne's" in message.msg


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["daphne_like", WHITENOISE], ["daphne_like.W002"]),
        ([WHITENOISE, "daphne_like"], []),
        ([WHITENOISE], []),
    ],
)
def test_whitenoises_command_has_to_be_in_front(monkeypatch, names, found) -> None:
    installed = [SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(apps, "get_app_configs", lambda: installed)
    assert [message.id for message in check_apps(None)] == found


def test_django_runs_the_check_with_those_of_static_files() -> None:
    with override_settings(INSTALLED_APPS=[STATICFILES, "daphne_like"]):
        messages = run_checks(tags=["staticfiles"])
    assert "daphne_like.E001" in [message.id for message in messages]
