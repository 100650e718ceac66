"""The project's own tests, against a live server of Channels' choice or of ours."""

import json
import multiprocessing
import os
import sys
from urllib.request import urlopen

from channels.testing import ChannelsLiveServerTestCase
from websockets.sync.client import connect

from daphne_like.testing import DaphneProcess

if method := os.environ.get("CHAT_START_METHOD"):
    multiprocessing.set_start_method(method, force=True)


class ChatTests(ChannelsLiveServerTestCase):
    if os.environ.get("CHAT_OURS"):
        ProtocolServerProcess = DaphneProcess

    def enter(self, path):
        socket = connect(self.live_server_ws_url + path, origin=self.live_server_url)
        return self.enterContext(socket)

    def test_it_is_our_process(self):
        ours = issubclass(self.ProtocolServerProcess, DaphneProcess)
        sys.stderr.write("our process\n" if ours else "another's process\n")

    def test_a_page_and_its_style_are_served(self):
        page = urlopen(self.live_server_url + "/chat/lobby/", timeout=30)
        assert "<title>lobby</title>" in page.read().decode()
        style = urlopen(self.live_server_url + "/static/chat.css", timeout=30)
        assert style.read() == b"body { color: black }\n"

    def test_what_is_said_is_heard_in_the_same_room_alone(self):
        for kind in ("chat", "sync"):
            ada, bob, eve = (self.enter(f"/ws/{kind}/{room}/") for room in ("a", "a", "b"))
            ada.send(json.dumps({"message": "hello"}))
            for guest in (ada, bob):
                assert json.loads(guest.recv(timeout=30)) == {"message": "hello"}
            eve.send(json.dumps({"message": "alone"}))
            assert json.loads(eve.recv(timeout=30)) == {"message": "alone"}
