"""What a build asks for, and refuses, with and without DAPHNE_LIKE_COMPILE; nothing is compiled."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.builds import CHECKOUT, copy_of_the_project

ASK = "from setuptools import build_meta; print(build_meta.get_requires_for_build_{}())"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads: it leaves files behind."""
    return copy_of_the_project(tmp_path_factory.mktemp("compiling") / "tree")


def asked(
    tree: Path, value: str | None, kind: str = "wheel", program: str = ASK, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Ask the build backend what it needs, as pip does."""
    environ = {name: text for name, text in os.environ.items() if name != "CC"} | variables
    if value is not None:
        environ["DAPHNE_LIKE_COMPILE"] = value
    command = [sys.executable, "-c", program.format(kind)]
    return subprocess.run(
        command, cwd=tree, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def hot() -> list[str]:
    """The modules that setup.py compiles."""
    source = (CHECKOUT / "setup.py").read_text()
    [found] = re.findall(r'^HOT = """(.*?)"""', source, re.MULTILINE | re.DOTALL)
    return found.split()  # type: ignore[no-any-return]


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr if done.returncode else done.stdout).splitlines()[-1]


@pytest.mark.parametrize("value", [None, "", "0"])
def test_a_build_needs_nothing_more_if_it_is_not_to_compile(tree: Path, value: str | None) -> None:
    assert last_line(asked(tree, value)) == "[]"


def test_a_compiling_build_needs_the_compiler_of_the_checks_and_the_libraries_types(
    tree: Path,
) -> None:
    needed = ast.literal_eval(last_line(asked(tree, "1")))
    names = {requirement.split()[0] for requirement in needed}
    assert names >= {"mypy", "mypy-zope", "asgiref", "httptools", "ngh2", "twisted[tls]"}
    assert "pytest" not in names
    [checker] = [line for line in needed if line.startswith("mypy ")]
    assert f"    {checker}\n" in (CHECKOUT / "setup.cfg").read_text()


def test_without_a_compiler_one_line_says_so(tree: Path) -> None:
    done = asked(tree, "1", CC="no-such-compiler -pthread")
    assert last_line(done) == (
        "DAPHNE_LIKE_COMPILE: there is no C compiler (no-such-compiler -pthread):"
        " apt install gcc, or the like."
    )


def test_without_the_headers_of_python_one_line_says_so(tree: Path) -> None:
    without = "import sysconfig; sysconfig.get_path = '/nowhere/{{}}'.format; "
    done = asked(tree, "1", program=without + ASK)
    assert last_line(done) == (
        "DAPHNE_LIKE_COMPILE: Python's headers are not here"
        " (/nowhere/include/Python.h): apt install python3-dev, or the like."
    )


def from_source() -> list[str]:
    """The commands of the documentation that compile what an index has."""
    dockerfile = (CHECKOUT / "deploy/docker/compiled/Dockerfile").read_text()
    page = (CHECKOUT / "docs/how-to/compile.md").read_text()
    [variable] = re.findall(r"^ENV (DAPHNE_LIKE_COMPILE=1)$", dockerfile, re.MULTILINE)
    [wheel] = re.findall(r"^RUN (pip wheel .*)$", dockerfile, re.MULTILINE)
    [install] = re.findall(r"^DAPHNE_LIKE_COMPILE=1 pip install .*$", page, re.MULTILINE)
    return [f"{variable} {wheel}", install]


@pytest.mark.parametrize("command", from_source())
def test_a_command_on_a_page_compiles_where_an_index_has_a_wheel(
    command: str, archives: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("daphne-like\n")
    environ = os.environ | {
        "CC": "no-such-compiler",  # It gets as far as that, and no further.
        "PIP_FIND_LINKS": str(archives["wheel"].parent),
        "PIP_NO_BUILD_ISOLATION": "0",  # pip means: none
        "PIP_NO_INDEX": "1",
        "PIP_TARGET": str(tmp_path / "target"),
        "PIP_WHEEL_DIR": str(tmp_path / "wheels"),
    }
    pip = f"{shlex.quote(sys.executable)} -m pip "
    line = command.replace("pip ", pip, 1).replace("--wheel-dir /wheels ", "")
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert "DAPHNE_LIKE_COMPILE: there is no C compiler" in done.stdout + done.stderr


def test_another_value_is_refused(tree: Path) -> None:
    done = asked(tree, "yes")
    assert last_line(done) == "DAPHNE_LIKE_COMPILE: it is 1 or 0, and not 'yes'."


def test_the_source_stays_as_it_is_so_an_editable_installation_is_refused(tree: Path) -> None:
    build = "from setuptools import build_meta; build_meta.build_editable('{}')"
    done = asked(tree, "1", "..", program=build)
    assert "an editable installation is not compiled" in last_line(done)


def test_what_is_to_be_compiled_is_there_and_named_once() -> None:
    names = hot()
    assert len(set(names)) == len(names) > 0
    for name in names:
        assert (CHECKOUT / f"daphne_like/{name}.py").is_file()
    assert "exchange" in names  # `daphne_like.compiled` looks at it.
