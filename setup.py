"""The optional step of a build: with DAPHNE_LIKE_COMPILE=1, mypyc compiles the hot path.

Without it everything stays Python, and this file does nothing; what the package is, setup.cfg says.
"""

import os
import shlex
import shutil
import sys
import sysconfig
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

HOT = """
admission clock exchange headers headers_sent tally
asgi/application asgi/http asgi/http_receive asgi/http_send asgi/scope asgi/waiting
asgi/frame_reader asgi/frames asgi/websocket asgi/websocket_receive asgi/websocket_send
compression handshake
wire/http1 wire/http1_body wire/http1_known wire/http1_patience wire/http1_state
wire/http1_request wire/http1_response wire/http1_tunnel wire/shared
wire/http2 wire/http2_file wire/http2_output wire/http2_request wire/http2_response
wire/http2_stream wire/http2_time wire/negotiate wire/protocol
""".split()  # noqa: SIM905
"""The modules that are compiled, together: calls between them cost least."""

VARIABLE = "DAPHNE_LIKE_COMPILE"
BUILDS = {"bdist_wheel", "build_ext"}
"""The commands that need compiled modules; metadata and source archives do not."""

INDULGENT = ("--follow-imports=silent", "--no-warn-unused-ignores", "--no-warn-unreachable")
"""A release of a library may know its types better than we did: that is no reason not to build.
Nor is a warning of a C compiler that nobody has seen yet, hence no ``-Werror`` either."""


def requirements() -> list[str]:
    """What a compiling build needs: the checker of `make types`, and the libraries' types."""
    config = ConfigParser()
    config.read("setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    lines = (config["options"]["install_requires"] + extras["http2"]).splitlines()
    checkers = [line for line in extras["test"].splitlines() if line.startswith("mypy")]
    return [line for line in (*lines, *checkers) if line]


def complaint() -> str:
    """Why nothing can be compiled here, or nothing."""
    if "editable_wheel" in sys.argv:
        return "an editable installation is not compiled: leave out --editable, or the variable."
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists():
        return f"Python's headers are not here ({headers}): apt install python3-dev, or the like."
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC")
    if compiler and not shutil.which(shlex.split(compiler)[0]):
        return f"there is no C compiler ({compiler}): apt install gcc, or the like."
    return ""


def wanted() -> bool:
    """Whether to compile; leaves with a line that says why where one cannot."""
    value = os.environ.get(VARIABLE, "")
    if value in {"", "0"}:
        return False
    reason = complaint() if value == "1" else f"it is 1 or 0, and not {value!r}."
    if reason:
        sys.exit(f"{VARIABLE}: {reason}")
    return True


def extensions() -> list:
    """The modules, made into C."""
    from mypyc.build import mypycify

    paths = [f"daphne_like/{name}.py" for name in HOT]
    # The name is that of the one file beside the package, which has the code of all of them.
    made = mypycify([*INDULGENT, *paths], debug_level="0", group_name="daphne_like")
    for extension in made:
        flags = extension.extra_compile_args
        extension.extra_compile_args = [flag for flag in flags if flag != "-Werror"]
    return made


compiled = wanted()
setup(
    setup_requires=requirements() if compiled else [],
    ext_modules=extensions() if compiled and BUILDS & set(sys.argv) else [],
)
