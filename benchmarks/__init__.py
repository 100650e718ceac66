"""How much processor time, memory and start-up time the server takes beside its peers.

``python -m benchmarks`` runs everything and writes ``docs/benchmarks.json`` and two files in
``docs/reference``. Only the standard library is imported here; servers live in environments of
their own and are known by their command lines alone.
"""
