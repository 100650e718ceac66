"""A module that imports one that is not there."""

import not_installed_anywhere  # noqa: F401
