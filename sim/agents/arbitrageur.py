"""The arbitrageur of one coupling: closes price gaps between venues over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mesa


class Arbitrageur(mesa.Agent):
    """Trades one asset between venues whenever the model lets it act.

    Parameters
    ----------
    model : mesa.Model
    close_gaps : callable
        What it does with the seconds since the last tick.
    """

    def __init__(self, model: mesa.Model[Any], close_gaps: Callable[[float], None]) -> None:
        super().__init__(model)
        self.close_gaps = close_gaps

    def act(self, seconds: float) -> None:
        """Close the gaps that `seconds` allow."""
        self.close_gaps(seconds)
