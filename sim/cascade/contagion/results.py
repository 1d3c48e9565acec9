"""Results of clearing and of stress: figures by node, totals and a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.cascade.contagion.fixed_point import TOLERANCE
from sim.core.arrays import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class ClearingResult:
    """Who pays what when everybody settles at once.

    Attributes
    ----------
    labels : (N,) pandas.Index
        Names of the nodes.
    alpha, beta : float
        Shares of external assets and of receipts that a node in default realises.
    external_assets, obligations : (N,) float64 [numeraire]
        What each node has outside the network, and what it owes in all.
    payments, received, paid_outside : (N,) float64 [numeraire]
        The greatest clearing vector; what each node gets from the others; the part of its payment
        that leaves the network.
    defaulted : (N,) bool
        Who pays less than it owes.
    least : (N,) float64 [numeraire]
        The least clearing vector.
    least_defaulted : (N,) bool
        Who defaults in it.
    rounds : int
        Rounds of fictitious default, at most N.
    """

    labels: pd.Index
    alpha: float
    beta: float
    external_assets: FloatArray
    obligations: FloatArray
    payments: FloatArray
    received: FloatArray
    paid_outside: FloatArray
    defaulted: BoolArray
    least: FloatArray
    least_defaulted: BoolArray
    rounds: int

    @property
    def net_worth(self) -> FloatArray:
        """Assets less what is owed [numeraire]: below 0 in default, before its costs."""
        return self.external_assets + self.received - self.obligations

    @property
    def equity(self) -> FloatArray:
        """What is left to the owners [numeraire], 0 in default."""
        return np.where(self.defaulted, 0.0, np.maximum(self.net_worth, 0.0))

    @property
    def shortfall(self) -> FloatArray:
        """What is owed and not paid [numeraire], >= 0."""
        return self.obligations - self.payments

    @property
    def costs(self) -> FloatArray:
        """Assets destroyed by default [numeraire], >= 0."""
        lost = (1.0 - self.alpha) * self.external_assets + (1.0 - self.beta) * self.received
        return np.where(self.defaulted, lost, 0.0)

    @property
    def total_payments(self) -> float:
        """Sum of the payments [numeraire]."""
        return float(self.payments.sum())

    @property
    def total_equity(self) -> float:
        """Sum of the equity [numeraire]: external assets less costs and what is paid outside."""
        return float(self.equity.sum())

    @property
    def total_shortfall(self) -> float:
        """Sum of what is not paid [numeraire]."""
        return float(self.shortfall.sum())

    @property
    def total_costs(self) -> float:
        """Sum of the assets destroyed [numeraire]."""
        return float(self.costs.sum())

    @property
    def unique(self) -> bool:
        """Whether greatest and least vector agree, within 1e-9 of what is owed."""
        return bool((self.payments - self.least <= 1e-9 * self.obligations).all())

    def frame(self) -> pd.DataFrame:
        """Return a row per node: money [numeraire] and who defaults."""
        names = (
            "external_assets", "obligations", "received", "payments", "shortfall", "equity",
            "net_worth", "costs", "defaulted", "least", "least_defaulted",
        )  # fmt: skip
        data = {name: getattr(self, name) for name in names}
        return pd.DataFrame(data, index=self.labels.rename("node"))


@dataclass(frozen=True, eq=False)
class StressResult:
    """How far each node is stressed, as a share of its equity.

    Attributes
    ----------
    labels : (N,) pandas.Index
        Names of the nodes.
    kind : str
        ``linear``, ``single_hit`` or ``threshold``.
    equity : (N,) float64 [numeraire]
    weights : (N,) float64 [1]
        Weights of the totals; they sum to 1.
    shock, stress : (N,) float64 [1]
        Share of its equity that each node loses at first, and in the end, in [0, 1].
    rounds : int
        Rounds in which stress was passed on.
    """

    labels: pd.Index
    kind: str
    equity: FloatArray
    weights: FloatArray
    shock: FloatArray
    stress: FloatArray
    rounds: int

    @property
    def contagion(self) -> FloatArray:
        """Stress beyond the shock by node [share of its equity], in [0, 1]."""
        return self.stress - self.shock

    @property
    def defaulted(self) -> BoolArray:
        """Who has lost all its equity, up to 1e-12 of it."""
        return self.stress >= 1.0 - TOLERANCE

    @property
    def loss(self) -> FloatArray:
        """Equity lost by node [numeraire]; creditors bear what goes beyond."""
        return self.stress * self.equity

    @property
    def total_stress(self) -> float:
        """Weighted mean of the stress [1]."""
        return float(self.weights @ self.stress)

    @property
    def additional_stress(self) -> float:
        """Weighted mean of the stress that contagion added [1]: the DebtRank of the shock."""
        return float(self.weights @ self.contagion)

    @property
    def total_loss(self) -> float:
        """Equity lost in all [numeraire]."""
        return float(self.loss.sum())

    def frame(self) -> pd.DataFrame:
        """Return a row per node: equity and loss [numeraire], the rest [1]."""
        names = ("equity", "weights", "shock", "stress", "contagion", "loss", "defaulted")
        data = {name: getattr(self, name) for name in names}
        return pd.DataFrame(data, index=self.labels.rename("node"))
