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
from sim.experiments.critical import Measured, check_critical_shock, measured_critical_shock
from sim.experiments.importance import Importance, systemic_importance

__all__ = [
    "Absent",
    "Change",
    "Comparison",
    "Importance",
    "InstantTransfers",
    "MarginRule",
    "Measured",
    "NoLiquidation",
    "Override",
    "RingFence",
    "Silence",
    "Without",
    "check_critical_shock",
    "counterfactual",
    "measured_critical_shock",
    "parse_change",
    "systemic_importance",
]
