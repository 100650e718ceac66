"""A process of tests that does in its own way what ours does."""

import multiprocessing
import sys

from daphne_like import compat

compat.install()

from daphne.testing import DaphneProcess  # noqa: E402
from hello import ask, get_application  # noqa: E402


class OwnProcess(DaphneProcess):
    def run(self):
        from daphne.endpoints import build_endpoint_description_strings
        from daphne.server import Server
        from daphne.testing import _reinstall_reactor

        _reinstall_reactor()
        from twisted.internet import reactor

        endpoints = build_endpoint_description_strings(host=self.host, port=self.port.value)
        self.server = Server(
            application=self.get_application(),
            endpoints=endpoints,
            signal_handlers=False,
            **self.kwargs,
        )
        reactor.callLater(0.1, self.resolve_port)
        self.server.run()


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    process = OwnProcess("localhost", get_application, kwargs={"server_name": "own"})
    process.start()
    assert process.ready.wait(30), process.errors.get()
    print(ask("localhost", process.port.value))
    taken = DaphneProcess("localhost", get_application, port=process.port.value)
    taken.start()
    error, traceback = taken.errors.get(timeout=30)
    print(repr(error), "Cannot listen on" in traceback or traceback)
    for one in (process, taken):
        one.terminate()
        one.join()
    print(taken.ready.is_set())
