"""The wire: bytes in, bytes out, one parser library each; synchronous callbacks only.

A module here must not know ASGI, coroutines, sockets or endpoints: it is given a Twisted
transport and calls ``open``.
"""
