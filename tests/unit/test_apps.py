"""What importing the app does, and when it is more than that."""

from __future__ import annotations

import pytest

from daphne_like import process
from daphne_like.apps import DaphneLikeConfig, install_reactor_first, serves
from daphne_like.errors import ConfigError

INNER = {"RUN_MAIN": "true"}


def test_django_finds_the_app_by_the_packages_name() -> None:
    assert DaphneLikeConfig.name == "daphne_like"


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
