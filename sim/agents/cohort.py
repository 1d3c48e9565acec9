"""A cohort: many traders with one behaviour, stored as rows, driven as one agent."""

from __future__ import annotations

from typing import Any

import mesa

from sim.models.behaviour import Behaviour, CohortView, Orders


class TraderCohort(mesa.Agent):
    """Accounts ``first_row : last_row`` with positions ``first_slot : last_slot``.

    Parameters
    ----------
    model : mesa.Model
    name, cause : str
        Name of the cohort, and the cause its price moves are booked to.
    rows, slots : (int, int)
        Half-open ranges of ledger rows and position slots.
    behaviour : Behaviour
    """

    def __init__(
        self,
        model: mesa.Model[Any],
        name: str,
        cause: str,
        rows: tuple[int, int],
        slots: tuple[int, int],
        behaviour: Behaviour,
    ) -> None:
        super().__init__(model)
        self.name = name
        self.cause = cause
        self.rows = rows
        self.slots = slots
        self.behaviour = behaviour

    def orders(self, view: CohortView) -> Orders:
        """Return what the cohort wants to trade now; slots count from its first."""
        return self.behaviour.decide(view)
