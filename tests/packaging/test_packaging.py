"""What is shipped: the wheel, the source archive and the editable install, each really installed.

A throw-away environment sees this one's libraries through a path file, so nothing is downloaded;
path files found that way are not read in turn, so it does not see this checkout.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import twisted
from daphne_like import __version__
from tests.packaging.builds import CHECKOUT, run


def in_checkout(pattern: str) -> set[str]:
    """Return the files of the package that match, as an archive names them."""
    return {path.relative_to(CHECKOUT).as_posix() for path in CHECKOUT.glob(pattern)}


@pytest.fixture(scope="session", params=["wheel", "sdist", "editable"])
def bin_dir(
    request: pytest.FixtureRequest,
    archives: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Install the package one way into a new environment; return the directory of its commands."""
    place = tmp_path_factory.mktemp(f"from-{request.param}")
    environment(place)
    editable = ["--editable"] if request.param == "editable" else []
    install(place, *editable, archives[request.param])
    return place / "bin"


def environment(place: Path) -> Path:
    """Make a new environment in `place`; return the directory of its libraries."""
    venv.create(place, with_pip=False, symlinks=True)
    library = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
    (library / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return library


def install(place: Path, *what: str | Path) -> None:
    """Install into the environment in `place`, without what it needs."""
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    run(*pip(place), "install", "--quiet", *alone, *what, cwd=place)


def pip(place: Path) -> list[str | Path]:
    return [sys.executable, "-m", "pip", "--python", place / "bin" / "python"]


def twistd(place: Path, option: str, cwd: Path) -> list[list[str]]:
    """The words of each line that twistd prints."""
    program = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
    printed = run(place / "python", "-c", program, option, cwd=cwd)
    return [line.split() for line in printed.splitlines()]


def test_the_wheel_holds_what_is_read_at_run_time_and_no_package_of_twisted(
    archives: dict[str, Path],
) -> None:
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        names = set(wheel.namelist())
    pages = in_checkout("daphne_like/demo/*.html")
    assert pages
    assert names >= pages | {"daphne_like/py.typed", "twisted/plugins/daphne_like_plugin.py"}
    assert not names & {"twisted/__init__.py", "twisted/plugins/__init__.py"}


def test_the_wheel_holds_every_module_and_nothing_besides_the_package(
    archives: dict[str, Path],
) -> None:
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = in_checkout("daphne_like/**/*.py") | in_checkout("twisted/**/*.py")
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name.split("/")[0] for name in names} == {"daphne_like", "twisted"}


def test_the_wheel_is_for_every_platform_and_has_nothing_that_is_compiled(
    archives: dict[str, Path],
) -> None:
    assert archives["wheel"].name == f"daphne_like-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        assert {Path(name).suffix for name in wheel.namelist()} <= {
            ".py",
            ".html",
            ".txt",
            ".typed",
            "",
        }


def test_the_metadata_names_version_licence_and_python(archives: dict[str, Path]) -> None:
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        lines = wheel.read(metadata).decode().splitlines()
    assert {
        "Name: daphne-like",
        f"Version: {__version__}",
        "License-Expression: BSD-3-Clause",
        "License-File: LICENSE",
        "Requires-Python: >=3.11",
    } <= set(lines)


def test_the_source_archive_holds_licence_and_plugin(archives: dict[str, Path]) -> None:
    with tarfile.open(archives["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"LICENSE", "README.md", "twisted/plugins/daphne_like_plugin.py"} <= names


def test_the_source_archive_holds_what_compiles_it(archives: dict[str, Path]) -> None:
    with tarfile.open(archives["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"setup.py", "setup.cfg", "pyproject.toml"} <= names
    assert not [name for name in names if name.endswith((".c", ".h", ".so"))]


def test_both_commands_know_their_version(bin_dir: Path, tmp_path: Path) -> None:
    for command in ([bin_dir / "daphne-like"], [bin_dir / "python", "-m", "daphne_like"]):
        assert __version__ in run(*command, "--version", cwd=tmp_path)


def test_twistd_lists_the_plugin(bin_dir: Path, tmp_path: Path) -> None:
    assert ["daphne-like"] in [words[:1] for words in twistd(bin_dir, "--help", tmp_path)]


def test_twistd_lists_the_reactor(bin_dir: Path, tmp_path: Path) -> None:
    listed = [words[:1] for words in twistd(bin_dir, "--help-reactors", tmp_path)]
    assert ["uvloop"] in listed


def test_the_list_of_plugins_can_be_made_ahead(bin_dir: Path, tmp_path: Path) -> None:
    page = (CHECKOUT / "docs/how-to/twistd.md").read_text()
    [command] = re.findall(r"^RUN python (.*)$", page, re.MULTILINE)
    where = "import daphne_like, twisted.plugins; print(*twisted.plugins.__path__, sep='\\n')"
    places = [
        Path(line) for line in run(bin_dir / "python", "-c", where, cwd=tmp_path).splitlines()
    ]
    [ours] = [place for place in places if (place / "daphne_like_plugin.py").exists()]
    (ours / "dropin.cache").unlink(missing_ok=True)
    run(bin_dir / "python", *shlex.split(command), cwd=tmp_path)
    assert b"daphne_like_plugin" in (ours / "dropin.cache").read_bytes()


def test_who_uninstalls_it_still_has_twisted(archives: dict[str, Path], tmp_path: Path) -> None:
    library = environment(tmp_path)
    tests = shutil.ignore_patterns("test", "__pycache__", "dropin.cache")
    shutil.copytree(Path(twisted.__file__).parent, library / "twisted", ignore=tests)
    before = set(library.glob("twisted/**/*.py"))
    install(tmp_path, archives["wheel"])
    assert ["daphne-like"] in [words[:1] for words in twistd(tmp_path / "bin", "--help", tmp_path)]
    run(*pip(tmp_path), "uninstall", "--quiet", "--yes", "daphne-like", cwd=tmp_path)
    assert set(library.glob("twisted/**/*.py")) == before
    listed = [words[:1] for words in twistd(tmp_path / "bin", "--help", tmp_path)]
    assert ["web"] in listed
    assert ["daphne-like"] not in listed


def test_importing_the_package_imports_nothing_of_twisted(bin_dir: Path, tmp_path: Path) -> None:
    program = "import daphne_like, sys; print(*sys.modules, daphne_like.__file__, sep='\\n')"
    *modules, file = run(bin_dir / "python", "-c", program, cwd=tmp_path).splitlines()
    assert "daphne_like" in modules
    assert not [name for name in modules if name.partition(".")[0] == "twisted"]
    assert CHECKOUT not in Path(file).parents
