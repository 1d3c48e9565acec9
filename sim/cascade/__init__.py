"""Cascade: recorded tables in, causal graph and contagion metrics out.

Reads the tables a run leaves and never the live engine, so an old run can be analysed again. The
functions of ``sim.cascade.contagion`` and ``sim.cascade.measures`` are names of this package too;
they are imported when first used, so that a run does not load linear algebra it does not need.
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
    from sim.cascade.measures import network_measures, rank_correlations

__all__ = [
    "Cascade",
    "ClearingResult",
    "ContagionBound",
    "FireSaleResult",
    "ImpactPaths",
    "Network",
    "StressResult",
    "VenueClaims",
    "contagion_bound",
    "debtrank",
    "debtrank_of_each",
    "eisenberg_noe",
    "fire_sale_vulnerability",
    "impact_paths",
    "network_measures",
    "rank_correlations",
    "rogers_veraart",
    "threshold_cascade",
    "venue_claims",
]

_LATER = {
    "ClearingResult": "sim.cascade.contagion",
    "ContagionBound": "sim.cascade.contagion",
    "FireSaleResult": "sim.cascade.contagion",
    "ImpactPaths": "sim.cascade.contagion",
    "Network": "sim.cascade.contagion",
    "StressResult": "sim.cascade.contagion",
    "VenueClaims": "sim.cascade.contagion",
    "contagion_bound": "sim.cascade.contagion",
    "debtrank": "sim.cascade.contagion",
    "debtrank_of_each": "sim.cascade.contagion",
    "eisenberg_noe": "sim.cascade.contagion",
    "fire_sale_vulnerability": "sim.cascade.contagion",
    "impact_paths": "sim.cascade.contagion",
    "network_measures": "sim.cascade.measures",
    "rank_correlations": "sim.cascade.measures",
    "rogers_veraart": "sim.cascade.contagion",
    "threshold_cascade": "sim.cascade.contagion",
    "venue_claims": "sim.cascade.contagion",
}


def __getattr__(name: str) -> Any:
    """Import what needs linear algebra when it is first asked for."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
