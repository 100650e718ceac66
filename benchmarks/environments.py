"""The virtual environments: one for the peers, two for ours, one for the client of WebSockets.

Each is made once; ``benchmarks/.venv`` may be removed to get newer peers. Our own package is
installed anew every time, as a user would get it: built, not linked to the source. All have what
HTTP/2 needs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.model import Failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.model import Server

_PROJECT = Path(__file__).parents[1]
_FOLDER = Path(__file__).parent / ".venv"

REQUIREMENTS = {
    "client": ("picows", "uvloop"),
    "compiled": ("fastapi", "uvloop"),
    "ours": ("fastapi", "uvloop"),
    "peers": (
        "daphne",
        "fastapi",
        "granian[uvloop]",
        "gunicorn[fast,http2]",
        "h2corn[uvloop]",
        "hypercorn[uvloop]",
        "twisted[http2]",
        "uvicorn[standard]",
        "uvloop",
    ),
}
"""What pip is asked to put into each environment, beside our package in both of ours.
Gunicorn comes with its extra ``fast``, although pip takes an older Gunicorn where the parser that
the newest one asks for is not to be had: the newest with an older parser breaks connections when
bodies are echoed, and with its Python parser it costs as much or more.

picows is compiled: a client of WebSockets has to cost less than the servers that it measures.
"""

_OURS = {"ours": "0", "compiled": "1"}
"""The environments that have our package, and for each what DAPHNE_LIKE_COMPILE is."""

_TELL_VERSIONS = """\
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


_SYSTEM_PYTHON = "/usr/bin/python3"
_IS_FIT = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"


def interpreter() -> str:
    """Return the interpreter that every server runs on.

    The system's, where it is new enough: it is built as what people serve with is built, with
    profile-guided optimisation, and one that was compiled by hand often is not.
    """
    fit = subprocess.run([_SYSTEM_PYTHON, "-c", _IS_FIT], capture_output=True, check=False)
    return sys.executable if fit.returncode else _SYSTEM_PYTHON


def described_interpreter() -> str:
    """Return the version of `interpreter`, and whose it is."""
    version = _run([interpreter(), "-c", "import platform; print(platform.python_version())"])
    whose = "the system's build" if interpreter() == _SYSTEM_PYTHON else "the developer's build"
    return f"{version.strip()} ({whose})"


def _installation(python: str) -> str:
    """Return where an interpreter, or the one behind an environment, is installed."""
    return _run([python, "-c", "import sys; print(sys.version, sys.base_prefix)"])


def program(environment: str, name: str) -> Path:
    """Return where an environment has, or would have, a program."""
    return _FOLDER / environment / "bin" / name


def prepare(environment: str) -> None:
    """Make an environment if there is none, and install what belongs into it.

    Raises:
        Failed: if something cannot be installed.
    """
    python = program(environment, "python")
    if not python.exists() or _installation(str(python)) != _installation(interpreter()):
        _run([interpreter(), "-m", "venv", "--clear", str(_FOLDER / environment)])
    _pip(environment, REQUIREMENTS[environment])
    if environment in _OURS:
        _install_ours(environment)


def versions(server: Server) -> dict[str, str]:
    """Return the versions of a server's packages, as its environment has them.

    Raises:
        Failed: if one of them is not installed.
    """
    python = program(server.environment, "python")
    told: dict[str, str] = json.loads(_run([str(python), "-c", _TELL_VERSIONS, *server.packages]))
    return told


def _install_ours(environment: str) -> None:
    """Build from a copy: setuptools would leave a folder ``build`` in the source."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source"
        left_out = shutil.ignore_patterns(".*", "*.egg-info", "benchmarks", "build", "dist")
        shutil.copytree(_PROJECT, copy, ignore=left_out)
        _pip(environment, [f"{copy}[http2]"], DAPHNE_LIKE_COMPILE=_OURS[environment])


def _pip(environment: str, requirements: Iterable[str], **variables: str) -> None:
    pip = [str(program(environment, "python")), "-m", "pip", "install", "--quiet"]
    _run([*pip, *requirements], **variables)


def _run(command: list[str], **variables: str) -> str:
    environ = os.environ | variables
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Failed(f"not installed: {reason}")
    return ended.stdout
