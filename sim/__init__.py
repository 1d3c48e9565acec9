"""liqsim: an agent-based simulator of systemic liquidation.

>>> import sim
>>> scenario = sim.load("scenarios/two-venues.yaml")        # doctest: +SKIP
>>> result = sim.run(scenario, seed=1)                      # doctest: +SKIP
>>> result.summary["branching_ratio"], result.prices        # doctest: +SKIP

Names are imported when first used, so that ``import sim`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.agents.trader import MarketView, Trader, TraderPlan
    from sim.cascade import Cascade, State
    from sim.core.errors import (
        BookError,
        ConservationError,
        MissingExtraError,
        Problem,
        ReplayMismatch,
        RunError,
        ScenarioError,
        SimError,
    )
    from sim.engine import Result, margin_table, replay, run
    from sim.engine.state import state
    from sim.experiments import counterfactual, systemic_importance
    from sim.experiments.sweep import sweep
    from sim.schema import Scenario, load, load_text

_HOME = {
    "BookError": "sim.core.errors",
    "Cascade": "sim.cascade",
    "ConservationError": "sim.core.errors",
    "MarketView": "sim.agents.trader",
    "MissingExtraError": "sim.core.errors",
    "Problem": "sim.core.errors",
    "ReplayMismatch": "sim.core.errors",
    "Result": "sim.engine",
    "RunError": "sim.core.errors",
    "Scenario": "sim.schema",
    "ScenarioError": "sim.core.errors",
    "SimError": "sim.core.errors",
    "State": "sim.cascade",
    "Trader": "sim.agents.trader",
    "TraderPlan": "sim.agents.trader",
    "counterfactual": "sim.experiments",
    "load": "sim.schema",
    "load_text": "sim.schema",
    "margin_table": "sim.engine",
    "replay": "sim.engine",
    "run": "sim.engine",
    "state": "sim.engine.state",
    "sweep": "sim.experiments.sweep",
    "systemic_importance": "sim.experiments",
}

__all__ = [
    "BookError",
    "Cascade",
    "ConservationError",
    "MarketView",
    "MissingExtraError",
    "Problem",
    "ReplayMismatch",
    "Result",
    "RunError",
    "Scenario",
    "ScenarioError",
    "SimError",
    "State",
    "Trader",
    "TraderPlan",
    "counterfactual",
    "load",
    "load_text",
    "margin_table",
    "replay",
    "run",
    "state",
    "sweep",
    "systemic_importance",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
