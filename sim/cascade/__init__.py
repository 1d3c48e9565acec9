"""Cascade: recorded tables in, causal graph and contagion metrics out.

Reads the tables a run leaves and never the live engine, so an old run can be analysed again.
`Cascade` looks back at a run, `State` ahead from one moment of it. `State` and the functions of
``sim.cascade.contagion`` and ``sim.cascade.measures`` are names of this package too; they are
imported when first used, so that a run does not load what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sim.cascade.cascade import Cascade

if TYPE_CHECKING:
    from sim.cascade.contagion import (
        ClearingResult,
        ContagionBound,
        FireSaleResult,
        ImpactPaths,
        Network,
        StressResult,
        VenueClaims,
        contagion_bound,
        debtrank,
        debtrank_of_each,
        eisenberg_noe,
        fire_sale_vulnerability,
        impact_paths,
        rogers_veraart,
        threshold_cascade,
        venue_claims,
    )
    from sim.cascade.export import export_graph
    from sim.cascade.measures import network_measures, rank_correlations
    from sim.cascade.state import State
    from sim.cascade.statistics import branching_ratio_interval, tail_fit
    from sim.cascade.tipping import Criterion, CriticalShock

__all__ = [
    "Cascade",
    "ClearingResult",
    "ContagionBound",
    "Criterion",
    "CriticalShock",
    "FireSaleResult",
    "ImpactPaths",
    "Network",
    "State",
    "StressResult",
    "VenueClaims",
    "branching_ratio_interval",
    "contagion_bound",
    "debtrank",
    "debtrank_of_each",
    "eisenberg_noe",
    "export_graph",
    "fire_sale_vulnerability",
    "impact_paths",
    "network_measures",
    "rank_correlations",
    "rogers_veraart",
    "tail_fit",
    "threshold_cascade",
    "venue_claims",
]

_LATER = {
    "ClearingResult": "sim.cascade.contagion",
    "ContagionBound": "sim.cascade.contagion",
    "Criterion": "sim.cascade.tipping",
    "CriticalShock": "sim.cascade.tipping",
    "FireSaleResult": "sim.cascade.contagion",
    "ImpactPaths": "sim.cascade.contagion",
    "Network": "sim.cascade.contagion",
    "State": "sim.cascade.state",
    "StressResult": "sim.cascade.contagion",
    "VenueClaims": "sim.cascade.contagion",
    "branching_ratio_interval": "sim.cascade.statistics",
    "contagion_bound": "sim.cascade.contagion",
    "debtrank": "sim.cascade.contagion",
    "debtrank_of_each": "sim.cascade.contagion",
    "eisenberg_noe": "sim.cascade.contagion",
    "export_graph": "sim.cascade.export",
    "fire_sale_vulnerability": "sim.cascade.contagion",
    "impact_paths": "sim.cascade.contagion",
    "network_measures": "sim.cascade.measures",
    "rank_correlations": "sim.cascade.measures",
    "rogers_veraart": "sim.cascade.contagion",
    "tail_fit": "sim.cascade.statistics",
    "threshold_cascade": "sim.cascade.contagion",
    "venue_claims": "sim.cascade.contagion",
}


def __getattr__(name: str) -> Any:
    """Import what is heavy when it is first asked for."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
