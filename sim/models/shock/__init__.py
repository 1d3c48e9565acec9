"""Shocks: what happens to prices, depth and venues from outside."""

from sim.models.shock.base import SHOCKS
from sim.models.shock.exogenous import Exogenous, ShockMark, build_exogenous

__all__ = ["SHOCKS", "Exogenous", "ShockMark", "build_exogenous"]
