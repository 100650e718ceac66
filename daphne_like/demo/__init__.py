"""The built-in demonstration: an ASGI 3 application on the standard library alone.

`daphne-like --demo` serves `application`: one page with the scope of its own request, server-sent
events, a streamed upload and a chat. It is written as any application would be and must not know
which server runs it: it imports nothing from the rest of the package.
"""

from daphne_like.demo.routes import application

__all__ = ["application"]
