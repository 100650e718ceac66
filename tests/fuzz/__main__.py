"""Let atheris think of inputs: ``python -m tests.fuzz http2``, and then atheris's arguments."""

import importlib
import logging
import sys

import atheris

with atheris.instrument_imports(include=["daphne_like"]):
    target = importlib.import_module(f"tests.fuzz.{sys.argv.pop(1)}")

logging.disable()
atheris.Setup(sys.argv, target.one_input)
atheris.Fuzz()
