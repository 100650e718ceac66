"""The optional build step: DAPHNE_LIKE_COMPILE=1 compiles the hot path by mypyc (a prototype)."""

import os
from importlib.util import find_spec

from setuptools import setup

HOT = """
admission clock exchange headers headers_sent tally
asgi/application asgi/http asgi/http_receive asgi/http_send asgi/scope asgi/waiting
wire/http1 wire/http1_body wire/http1_known wire/http1_patience wire/http1_phase
wire/http1_request wire/http1_response wire/http1_tunnel wire/shared
wire/http2 wire/http2_file wire/http2_output wire/http2_request wire/http2_response
wire/http2_stream wire/http2_time wire/negotiate
""".split()


def extensions():
    if not find_spec("mypyc"):
        return []  # pip asks first what is needed.
    from mypyc.build import mypycify

    return mypycify([f"daphne_like/{name}.py" for name in HOT], opt_level="3", debug_level="0")


compiled = os.environ.get("DAPHNE_LIKE_COMPILE") == "1"
setup(
    setup_requires=["mypy", "mypy-zope"] if compiled else [],
    ext_modules=extensions() if compiled else [],
)
