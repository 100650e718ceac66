"""What importing the app does, and when it is more than that."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import daphne_like
from daphne_like import compat, process
from daphne_like.apps import DaphneLikeConfig, install_reactor_first, serves
from daphne_like.errors import ConfigError
from tests.unit.django_site import set_up

set_up()

INNER = {"RUN_MAIN": "true"}


def test_django_finds_the_app_by_the_packages_name() -> None:
    assert DaphneLikeConfig.name == "daphne_like"


@pytest.mark.parametrize("name", ["daphne", "daphne.apps.DaphneConfig"])
def test_daphnes_app_beside_ours_has_to_go_where_daphne_is_not_installed(monkeypatch, name) -> None:
    monkeypatch.setattr(compat, "stands_in", lambda: True)
    monkeypatch.setattr(settings, "INSTALLED_APPS", ["daphne_like", name])
    said = f"^Take '{name}' out of INSTALLED_APPS: Daphne is not installed"
    with pytest.raises(ImproperlyConfigured, match=said):
        DaphneLikeConfig("daphne_like", daphne_like)


@pytest.mark.parametrize(
    ("ours", "names"), [(False, ["daphne_like", "daphne"]), (True, ["daphne_like", "daphnes"])]
)
def test_what_is_there_may_stay(monkeypatch, ours, names) -> None:
    monkeypatch.setattr(compat, "stands_in", lambda: ours)
    monkeypatch.setattr(settings, "INSTALLED_APPS", names)
    assert DaphneLikeConfig("daphne_like", daphne_like).label == "daphne_like"


@pytest.mark.parametrize(
    ("line", "environment", "expected"),
    [
        ("manage.py runserver", {}, False),
        ("manage.py runserver", INNER, True),
        ("manage.py runserver 8001 --noreload", {}, True),
        ("manage.py check", INNER, False),
        ("manage.py", INNER, False),
    ],
)
def test_only_one_process_of_runserver_serves(monkeypatch, line, environment, expected) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(process, "install_reactor", lambda *, tls: asked.append(tls))
    assert serves(line.split(), environment) is expected
    install_reactor_first(line.split(), environment)
    assert asked == [True] * expected


def test_a_reactor_that_cannot_be_installed_is_the_commands_to_tell_of(monkeypatch) -> None:
    def fail(*, tls: bool) -> None:
        raise ConfigError("another one is there")

    monkeypatch.setattr(process, "install_reactor", fail)
    install_reactor_first(["manage.py", "runserver"], INNER)
