"""The application's side: ASGI scopes, messages and rules; coroutines live here only.

A module here must not know a wire format, a transport or a socket.
"""
