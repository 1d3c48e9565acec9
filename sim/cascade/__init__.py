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

_MEASURES = ("network_measures", "rank_correlations")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "measures" if name in _MEASURES else "contagion"
    return getattr(import_module(f"{__name__}.{home}"), name)
