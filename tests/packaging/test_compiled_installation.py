"""What `make compiled` has built and installed: it is compiled, and it serves.

Elsewhere these tests are left out: building takes a minute.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from daphne_like import __version__, exchange
from daphne_like.compiled import is_compiled
from tests.live.serving import Serving
from tests.packaging.test_compiling import hot

pytestmark = pytest.mark.skipif(not is_compiled(), reason="make compiled runs it")

COMMAND = Path(sys.executable).with_name("daphne-like")
DIST = Path(sys.prefix).with_name("dist")


@pytest.fixture(scope="module")
def wheel() -> Path:
    [found] = DIST.glob("*.whl")
    return found


def test_the_tests_use_what_is_installed() -> None:
    assert exchange.__file__
    assert Path(exchange.__file__).is_relative_to(sys.prefix)


def test_the_wheel_is_for_one_python_and_one_platform(wheel: Path) -> None:
    _, _, python, abi, platform = wheel.stem.split("-")
    version = "cp{}{}".format(*sys.version_info)
    assert (python, abi) == (version, version)
    assert platform != "any"


def test_the_wheel_has_what_is_compiled_and_its_source(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    suffix = EXTENSION_SUFFIXES[0]
    compiled = {name.removesuffix(suffix) for name in names if name.endswith(suffix)}
    modules = {f"daphne_like/{name}" for name in hot()}
    assert compiled == modules | {"daphne_like__mypyc"}
    assert {f"{module}.py" for module in modules} <= set(names)
    assert not [name for name in names if name.endswith((".c", ".h"))]


def test_every_module_that_is_to_be_compiled_is_imported_so() -> None:
    program = (
        "import importlib, sys; print(*(importlib.import_module(n).__file__ for n in sys.argv[1:]))"
    )
    names = [f"daphne_like.{name.replace('/', '.')}" for name in hot()]
    done = subprocess.run(
        [sys.executable, "-c", program, *names],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    files = done.stdout.split()
    assert len(files) == len(names)
    assert not [file for file in files if not file.endswith(EXTENSION_SUFFIXES[0])]


def test_the_command_says_that_it_is_compiled_and_serves() -> None:
    told = subprocess.run([COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"daphne-like {__version__} (compiled)\n"
    page = (Path(__file__).parents[2] / "docs/how-to/compile.md").read_text()
    assert f"```sh\ndaphne-like --version\n```\n\n```text\n{told.stdout}```\n" in page
    with Serving("served:hello", command=[str(COMMAND)]) as server:
        assert server.get("/").status == 200
    assert server.exit_status == 0
