"""Health of a loan, and what a liquidation does to it.

A deposit of value V = sum_j V_j [quote] backs a debt D [quote]; collateral j has the liquidation
threshold t_j [1] and LT = sum_j t_j V_j / V. The health factor is

    HF = LT V / D                                        liquidatable below 1

(Aave v3, LiquidationLogic.sol, seen 2026; Perez et al. 2021, "Liquidations: DeFi on a
Knife-edge", eq. 3, the inverse). With equity E = V - D and maintenance margin (1 - LT) V,
HF < 1 is E < (1 - LT) V.

Repaying r takes collateral worth r (1 + b) at the oracle's price, b the bonus [1]:

    HF' = LT (V - r (1 + b)) / (D - r)

which is lower than HF where D / V > 1 / (1 + b), that is HF < LT (1 + b): the liquidation is
toxic (Warmuz, Chaudhary, Pinna 2022; McFarlane 2025, arXiv 2510.10171, adds the keeper's sale to
the oracle's own market). Bad debt is left below V = D (1 + b).

A fall of the price by d leaves HF_0 (1 - d). The bonus is exhausted, and the loan toxic, at

    d* = max(1 - 1 / HF_0, 1 - (1 + b) LT / HF_0)

(Gatto et al., loops of leverage l: V / D = l / (l - 1)).

Optimal use of a close factor c in two steps (Qin et al. 2021, "An Empirical Study of DeFi
Liquidations", IMC): the first repayment leaves HF just at 1, the second takes c of the rest,

    r_1 = (D - LT V) / (1 - LT (1 + b)),     r_2 = c (D - r_1)
"""

from __future__ import annotations

import math

import numpy as np

from sim.core.arrays import FloatArray


def health_factor(value: FloatArray, debt: FloatArray, threshold: FloatArray | float) -> FloatArray:
    """Return the health factor (N,) [1]; infinite without debt.

    Parameters
    ----------
    value, debt : (N,) float64 [quote], >= 0
    threshold : float or (N,) float64 [1]
    """
    owed = debt > 0.0
    return np.where(owed, threshold * value / np.where(owed, debt, 1.0), np.inf)


def health_after(value: float, debt: float, threshold: float, bonus: float, repaid: float) -> float:
    """Return the health factor [1] after `repaid` [quote] of the debt was repaid by a keeper."""
    left = debt - repaid
    return threshold * (value - repaid * (1.0 + bonus)) / left if left > 0.0 else math.inf


def toxic_below(threshold: float, bonus: float) -> float:
    """Return the health factor [1] below which a liquidation lowers health further."""
    return threshold * (1.0 + bonus)


def exhausting_fall(health: float, threshold: float, bonus: float) -> float:
    """Return the fall d* [1] of the price after which the bonus is exhausted."""
    return max(1.0 - 1.0 / health, 1.0 - (1.0 + bonus) * threshold / health)


def two_step_repayments(
    value: float, debt: float, threshold: float, bonus: float, close_factor: float
) -> tuple[float, float]:
    """Return the two repayments [quote] that earn a keeper most of one liquidatable loan.

    Raises
    ------
    ValueError
        The loan is healthy, or a liquidation could not make it so.
    """
    gap, per_unit = debt - threshold * value, 1.0 - threshold * (1.0 + bonus)
    if gap < 0.0 or per_unit <= 0.0:
        raise ValueError("the loan must be liquidatable, with threshold * (1 + bonus) below 1")
    first = gap / per_unit
    return first, close_factor * (debt - first)
