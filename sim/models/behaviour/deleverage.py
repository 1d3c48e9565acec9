"""Leverage targeting: after a loss, sell until leverage is back at its target.

With gross notional A and equity E at last prices, target L and speed v

    wanted A* = L max(E, 0),     G = v (A - A*) / A     if A / E > L (1 + band)

every position is cut by the share G. After a return -r on assets A = L E the sale is
``r A (L - 1)`` (Adrian and Shin 2010, "Liquidity and leverage", J. Financial Intermediation
19), and with linear impact lambda the fall is amplified by ``1 / (1 - lambda A (L - 1))``.
With ``two_sided`` the account also buys when leverage is below ``L (1 - band)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.models.behaviour.base import CohortView, Orders, behaviours


@behaviours.register("deleverage")
class Deleverage:
    """Keeps each account's leverage at a target; by default its own at the start."""

    needs_equity = True
    idle = False
    rests = False

    def __init__(self, config: Any, view: CohortView) -> None:
        self.speed = float(config.speed)
        self.band = float(config.band)
        self.two_sided = bool(config.two_sided)
        gross = view.gross_notional()
        if config.target is None:
            solvent = view.equity > 0.0
            self.target = np.where(solvent, gross / np.where(solvent, view.equity, 1.0), np.inf)
        else:
            self.target = np.full(len(gross), float(config.target))

    def decide(self, view: CohortView) -> Orders:
        """Return orders that cut (or raise) every position of an account alike."""
        gross = view.gross_notional()
        open_account = gross > 0.0
        known = np.isfinite(self.target)
        leverage = np.where(known, self.target, 0.0)
        wanted = np.where(known, leverage * np.maximum(view.equity, 0.0), gross)
        share = np.where(open_account, (gross - wanted) / np.where(open_account, gross, 1.0), 0.0)
        too_much = gross > wanted * (1.0 + self.band)
        too_little = self.two_sided & (gross < wanted * (1.0 - self.band))
        share = np.where(too_much | too_little, share * self.speed, 0.0)
        change = -view.quantity * share[view.owner]
        slots = np.flatnonzero(change != 0.0)
        return Orders(slots, change[slots])
