"""A server for the length of a ``with``, by Daphne's names."""

import multiprocessing
import sys

from daphne_like import compat

compat.install()

from daphne.testing import BaseDaphneTestingInstance, DaphneTestingInstance  # noqa: E402
from hello import ask, get_application  # noqa: E402


class Instance(BaseDaphneTestingInstance):
    def process_setup(self):
        print("setup", flush=True)


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    with Instance(application=get_application()) as server:
        print(ask(server.host, server.port))
    with DaphneTestingInstance() as server:
        answer = {"type": "http.response.body", "body": b"noted"}
        server.add_send_messages([{"type": "http.response.start", "status": 200}, answer])
        print(ask(server.host, server.port))
        scope, messages = server.get_received()
        print(scope["path"], messages[0]["type"])
    try:
        server.__class__.startup_timeout = 0
        server.__enter__()
    except RuntimeError as error:
        print(error)
