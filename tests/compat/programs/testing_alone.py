"""``channels.testing`` where Daphne is not installed, and no project."""

import sys
from importlib.util import find_spec

import django
from django.conf import settings

from daphne_like import compat

assert find_spec("daphne") is None
settings.configure()
django.setup()
compat.install()

from channels.testing import ChannelsLiveServerTestCase, WebsocketCommunicator  # noqa: E402

assert "twisted.internet.reactor" not in sys.modules
assert WebsocketCommunicator
print(ChannelsLiveServerTestCase.ProtocolServerProcess.__name__)
