"""Loading applications: what is found, what is refused and with which words."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest

from daphne_like.asgi.loading import load, look_in
from daphne_like.errors import ConfigError, StartupError


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that can be imported while the test lasts."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name: str, source: str) -> None:
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


APP = "async def app(scope, receive, send): pass\n"


def test_an_application_is_found_by_module_and_attribute(module):
    module("shop.asgi", APP)
    app, name = load("shop.asgi:app")
    assert (app.__name__, name) == ("app", "shop.asgi:app")


def test_the_attribute_may_lie_deeper(module):
    module("deep", APP + "class site:\n    class inner:\n        application = app\n")
    assert load("deep:site.inner.application")[0].__name__ == "app"


def test_a_factory_is_called_for_the_application(module):
    module("made", APP + "def create():\n    return app\n")
    app, name = load("made:create", factory=True)
    assert (app.__name__, name) == ("app", "What made:create returns")


@pytest.mark.parametrize("path", ["", "shop", ":app", "shop:", "shop.py", "a/b.app", ".app"])
def test_a_path_without_both_parts_is_explained(path):
    with pytest.raises(ConfigError, match="write it as module:attribute"):
        load(path)


def test_a_path_as_django_writes_it_is_told_with_a_colon():
    with pytest.raises(ConfigError, match=r"'shop\.asgi\.app': write it as shop\.asgi:app\.$"):
        load("shop.asgi.app")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("shop.py:app", "shop:app"),
        ("./shop.py:app", "shop:app"),
        ("shop/asgi.py:app", "shop.asgi:app"),
        ("shop/asgi:app", "shop.asgi:app"),
        ("/srv/shop.py:app", "shop:app --app-dir /srv"),
        ("../shop.py:app", "shop:app --app-dir .."),
    ],
)
def test_a_file_is_refused_with_the_modules_name_and_not_imported(module, path, meant):
    module("shop", "1 / 0")
    with pytest.raises(ConfigError, match=f"name the module, not its file: {meant}\\.$"):
        load(path)


@pytest.mark.parametrize(
    ("path", "missing"),
    [("no_such_module:app", "no_such_module"), ("present.absent:app", "present.absent")],
)
def test_a_missing_module_is_named(module, path, missing):
    module("present.here", APP)
    with pytest.raises(ConfigError, match=rf"no module '{missing}'.*--app-dir"):
        load(path)


def test_a_missing_attribute_is_named(module):
    module("shop", APP)
    with pytest.raises(ConfigError, match=r"Cannot find 'site\.app' in module 'shop'"):
        load("shop:site.app")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_dependency", "no_such_dependency"),
        ("1 / 0", "ZeroDivisionError"),
        ("this is no Python", "SyntaxError"),
    ],
)
def test_a_module_that_fails_is_the_applications_failure(module, source, reason, caplog):
    module("broken", source)
    with pytest.raises(StartupError, match=reason) as caught:
        load("broken:app")
    assert caught.value.exit_status == 3
    assert "\n" not in str(caught.value)
    assert caplog.records[0].exc_info, "the traceback is in the log"


@pytest.mark.parametrize(
    ("source", "factory", "who"),
    [
        ("raise SystemExit(4)", False, "module 'leaving'"),
        ("def app():\n    raise SystemExit(4)\n", True, "factory 'leaving:app'"),
    ],
)
def test_one_that_exits_is_told_of_instead_of_obeyed(module, source, factory, who):
    module("leaving", source)
    with pytest.raises(StartupError, match=rf"{who} called sys\.exit\(4\)\.$") as caught:
        load("leaving:app", factory=factory)
    assert caught.value.exit_status == 3


def test_a_coroutine_function_is_no_factory(module):
    module("made", "async def create():\n    return create\n")
    with pytest.raises(ConfigError, match=r"'made:create' is a coroutine function: --factory"):
        load("made:create", factory=True)
    gc.collect()  # Warnings are errors: nothing says that it was never awaited.


def test_a_factory_that_fails_is_the_applications_failure(module, caplog):
    module("made", "def create():\n    raise OSError('no database')\n")
    with pytest.raises(StartupError, match="no database") as caught:
        load("made:create", factory=True)
    assert caught.value.exit_status == 3
    assert caplog.records[0].exc_info


# --- Where from ------------------------------------------------------------------------------


@pytest.fixture
def search_path(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The interpreter's search path, for a test to change."""
    monkeypatch.setattr(sys, "path", ["elsewhere"])
    return sys.path


def test_the_directory_comes_first_in_the_search_path_and_once(search_path, tmp_path, monkeypatch):
    (tmp_path / "apps").mkdir()
    monkeypatch.chdir(tmp_path)
    look_in("apps")
    look_in(str(tmp_path / "apps"))
    assert search_path == [str(tmp_path / "apps"), "elsewhere"]


def forbidden(path: Any) -> Any:
    raise PermissionError(13, "Permission denied")


def test_what_is_no_readable_directory_is_refused(search_path, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    for path, reason in ((file / "no", ""), (tmp_path / "no", "No such file"), (file, "Not a")):
        with pytest.raises(ConfigError, match=f"--app-dir {path} is not a directory .*{reason}"):
            look_in(str(path))
    monkeypatch.setattr("os.scandir", forbidden)
    with pytest.raises(ConfigError, match=f"{tmp_path} .* can be read: Permission denied"):
        look_in(str(tmp_path))
    assert search_path == ["elsewhere"]
