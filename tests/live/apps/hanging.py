"""A module whose import never ends."""

import sys
import time

sys.stdout.write("importing\n")
sys.stdout.flush()
time.sleep(1000)
