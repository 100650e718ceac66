"""Transports: sockets, endpoints and listening ports.

A module here must not know HTTP or ASGI: it gives Twisted protocols their transport.
"""
