"""How Sphinx builds these pages; run it with `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from daphne_like import __version__

project = "daphne_like"
author = "the daphne_like contributors"
copyright = f"2026, {author}"  # noqa: A001  Sphinx's name
release = version = __version__

extensions = ["myst_parser", "names", "options", "sphinx.ext.autodoc"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
autodoc_typehints_format = "short"
nitpicky = True
# The standard library's pages are elsewhere.
nitpick_ignore_regex = [("py:class", r"collections\.abc\..*")]
smartquotes = False  # they would make a dash of --option

html_theme = "furo"
html_title = f"daphne_like {release}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
