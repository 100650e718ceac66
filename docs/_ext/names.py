"""A Sphinx extension that finds what a docstring names by its last word, `ConfigError` for example.

A docstring is written where the name is imported, so it does not say which module the name is
from. A name that two modules have stays unresolved, and the build complains of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def find(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: Any) -> Any:
    """Return the link for a reference that Sphinx could not resolve, or `None`."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    ends = "." + node["reftarget"]
    found = [name for name in domain.objects if name.endswith(ends)]
    if len(found) != 1:
        return None
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], found[0], node, shown
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect this extension to Sphinx."""
    app.connect("missing-reference", find)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
