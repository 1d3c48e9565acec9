"""Experiments: many runs of one scenario, compared."""

from sim.experiments.changes import (
    Absent,
    Change,
    InstantTransfers,
    MarginRule,
    NoLiquidation,
    Override,
    RingFence,
    Silence,
    Without,
    parse_change,
)
from sim.experiments.counterfactual import Comparison, counterfactual
from sim.experiments.importance import Importance, systemic_importance

__all__ = [
    "Absent",
    "Change",
    "Comparison",
    "Importance",
    "InstantTransfers",
    "MarginRule",
    "NoLiquidation",
    "Override",
    "RingFence",
    "Silence",
    "Without",
    "counterfactual",
    "parse_change",
    "systemic_importance",
]
