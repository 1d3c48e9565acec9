"""A job in a process of its own: ``python -m benchmarks.worker NAME '{"argument": value}'``.

Prints what it measured as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import building, contagion, contest, recording, running, sweeping, worst

JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "run": running.run,
    "repeat": running.repeat,
    "contest": contest.contest,
    "worst": worst.worst,
    "build": building.build,
    "build_book": building.build_book,
    "floor": building.floor,
    "contagion": contagion.contagion,
    "overhead": sweeping.overhead,
    "many": sweeping.many,
    "parent": sweeping.parent,
    "recording": recording.recording,
}
"""Jobs by name."""

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))
