"""Contagion as plain functions of a network of claims: clearing, DebtRank, defaults, fire sales.

Each function takes a matrix (dense, scipy sparse, pandas or networkx) and vectors, and returns a
small frozen result with figures by node, totals and `frame()`. None of them knows a simulation;
`venue_claims` makes their input out of recorded tables.
"""

from sim.cascade.contagion.arguments import Matrix, Network, Vector
from sim.cascade.contagion.bound import ContagionBound, contagion_bound
from sim.cascade.contagion.claims import VenueClaims, venue_claims
from sim.cascade.contagion.clearing import eisenberg_noe, rogers_veraart
from sim.cascade.contagion.communicability import ImpactPaths, impact_paths
from sim.cascade.contagion.debtrank import debtrank, debtrank_of_each
from sim.cascade.contagion.fire_sales import FireSaleResult, fire_sale_vulnerability
from sim.cascade.contagion.results import ClearingResult, StressResult
from sim.cascade.contagion.threshold import threshold_cascade

__all__ = [
    "ClearingResult",
    "ContagionBound",
    "FireSaleResult",
    "ImpactPaths",
    "Matrix",
    "Network",
    "StressResult",
    "Vector",
    "VenueClaims",
    "contagion_bound",
    "debtrank",
    "debtrank_of_each",
    "eisenberg_noe",
    "fire_sale_vulnerability",
    "impact_paths",
    "rogers_veraart",
    "threshold_cascade",
    "venue_claims",
]
