"""Thin Mesa agents: they decide and delegate, they hold no arithmetic."""

from sim.agents.arbitrageur import Arbitrageur
from sim.agents.cohort import TraderCohort
from sim.agents.trader import MarketView, Trader, TraderPlan
from sim.agents.venue import Venue

__all__ = ["Arbitrageur", "MarketView", "Trader", "TraderCohort", "TraderPlan", "Venue"]
