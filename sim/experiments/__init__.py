"""Many runs, one answer: designs, an executor that survives, a store, and what is read from it.

Names are imported when first used, so that a worker loads only what it runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from sim.experiments.counterfactuals import Comparison, counterfactual
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

_HOME = {
    "Absent": "sim.experiments.changes",
    "Change": "sim.experiments.changes",
    "Comparison": "sim.experiments.counterfactuals",
    "Importance": "sim.experiments.importance",
    "InstantTransfers": "sim.experiments.changes",
    "MarginRule": "sim.experiments.changes",
    "Measured": "sim.experiments.critical",
    "NoLiquidation": "sim.experiments.changes",
    "Override": "sim.experiments.changes",
    "RingFence": "sim.experiments.changes",
    "Silence": "sim.experiments.changes",
    "Without": "sim.experiments.changes",
    "check_critical_shock": "sim.experiments.critical",
    "counterfactual": "sim.experiments.counterfactuals",
    "measured_critical_shock": "sim.experiments.critical",
    "parse_change": "sim.experiments.changes",
    "systemic_importance": "sim.experiments.importance",
}


def __getattr__(name: str) -> Any:
    """Import a name from its module when it is first asked for."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
