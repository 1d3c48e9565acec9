"""What traders do of their own will, cohort by cohort."""

from sim.models.behaviour import deleverage, fundamentalist, hold, stop_loss
from sim.models.behaviour.base import Behaviour, CohortView, Orders, behaviours

__all__ = [
    "Behaviour",
    "CohortView",
    "Orders",
    "behaviours",
    "deleverage",
    "fundamentalist",
    "hold",
    "stop_loss",
]
