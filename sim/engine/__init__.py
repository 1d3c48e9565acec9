"""From a scenario to a result: build, the ordered phases of a tick, run, the recorder."""

# Mesa looks through the stack of imports when it is loaded: first, it is loaded in half the time.
import mesa  # noqa: F401

from sim.engine.margin_table import margin_table
from sim.engine.replay import replay
from sim.engine.result import Result
from sim.engine.run import run
from sim.engine.self_test import self_test

__all__ = ["Result", "margin_table", "replay", "run", "self_test"]
