"""An agent that measures: it takes the place of ``daphne.server:Server.application``."""

from daphne_like import compat

compat.install()

import daphne.server  # noqa: E402
from hello import application, ask  # noqa: E402
from twisted.internet import reactor  # noqa: E402


def measure(module):
    def get(server):
        def measured(*given):
            asked.append(given[0]["type"])
            return server._measured(*given)

        return measured

    def put(server, application):
        server._measured = application

    module.Server.application = property(get, put)


def ready():
    reactor.callInThread(ask_and_stop)


def ask_and_stop():
    print(ask(*server.listening_addresses[0]))
    server.stop()


asked = []
measure(daphne.server)
endpoints = ["tcp:port=0:interface=127.0.0.1"]
server = daphne.server.Server(application, endpoints, ready_callable=ready)
server.run()
print(asked)
