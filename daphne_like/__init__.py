"""daphne_like, an ASGI server on Twisted: the package's name and version, nothing else.

Importing it must never import a reactor, nor anything that does.
"""

__version__ = "0.1.0"
