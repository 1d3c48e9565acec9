"""Settings shared by all tests."""

from __future__ import annotations

import os
import signal

import matplotlib
from hypothesis import settings

# Always the same examples, no time limit on one and no file of old ones: a test that passed
# passes again on another, slower machine.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True)
settings.load_profile("ci")

# Tests draw to files, never to a screen.
matplotlib.use("Agg")

# Every run of the suite, in this process or another, checks that money is conserved.
os.environ["LIQSIM_CHECK"] = "1"

# A shell that starts the suite in the background makes it deaf to Ctrl-C, and so every command
# that a test starts in order to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
