"""The board for twistd, which runs the application that this file defines."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # where board.py is

from twisted.application.service import Application

from board import config, services
from daphne_like.logs import log_to_twisted
from daphne_like.process import install_reactor

log_to_twisted(config)
application = Application("board")
services(install_reactor()).setServiceParent(application)
