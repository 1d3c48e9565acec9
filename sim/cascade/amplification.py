r"""The amplification matrix: how forced sales answer a move, linearised.

An account a with excess ``e_a`` >= 0 breaks, along the direction that is looked at, if it loses its
excess within the window ``h``; ``W_a`` is what it loses over the window. With ``G_an`` the
derivative of its excess with respect to the log price of market n (through its own mark, indices
and the value of its collateral), ``c_am`` the signed contracts that it then sells of market m, and
``J_mk`` the log move of market m for each contract bought in market k (with couplings)

    K_mn = - sum_k J_mk sum_a [e_a < W_a] c_ak G_an / W_a

is the log move of m by forced sales for each unit of log move of n: ``1 / W_a`` over the window is
the density of distances to a break. A cascade dies out where the spectral radius of K is below
1 and tips where it is above, as the loss-given-distress matrices of DebtRank and the threshold
cascades of fire sales do.

The radius is the sum of what the accounts contribute: with right and left leading vectors r and l
of K, ``l' r = 1``, account a brings ``- (l' J c_a) (G_a' r) / W_a``.

References
----------
.. [1] Bardoscia, M., Battiston, S., Caccioli, F. and Caldarelli, G. (2015), "DebtRank: a
   microscopic foundation for shock propagation", PLoS ONE 10(6), e0130406 (spectral condition).
.. [2] Greenwood, R., Landier, A. and Thesmar, D. (2015), "Vulnerable banks", Journal of Financial
   Economics 115(3), 471-485 (linear fire sales).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.direction import Direction, Move
from sim.cascade.static_cascade import Outcome, StaticCascade
from sim.core.arrays import FloatArray, IntArray, sums

Carrier = Literal["account", "trader", "cohort", "clearer", "market"]

_STEP = 1e-5  # [1] log move by which an excess is differentiated


class Near(NamedTuple):
    """Accounts that break within the window.

    Attributes
    ----------
    rows : (B,) int64
        Accounts.
    rate : (B, M) float64 [1]
        ``-G_an / W_a``, breaks per unit of log move of each market.
    place : (S,) int64
        Of the account of each forced order, among `rows`.
    market : (S,) int64
    change : (S,) float64 [contracts]
    notional : (S,) float64 [numeraire]
        At the marks of the state.
    """

    rows: IntArray
    rate: FloatArray
    place: IntArray
    market: IntArray
    change: FloatArray
    notional: FloatArray


@dataclass(frozen=True, eq=False)
class Amplification:
    """An amplification matrix and what carries it.

    Attributes
    ----------
    matrix : pandas.DataFrame
        K [1]; index the market that moves, columns the market whose move it answers.
    radius : float
        Spectral radius [1].
    vectors : pandas.DataFrame
        `market, left, right`: leading vectors, the right one of length 1, ``left . right = 1``. NaN
        where K is 0 or its leading value is not single and real.
    parts : pandas.DataFrame
        `account_id, trader_id, cohort, clearer, market, contribution` [1]: what the sales of an
        account in a market bring to the radius.
    sensitivity : pandas.Series
        Share [1] of all notional that is sold at once for each unit of log move of a market.
    window : float
        h [1].
    """

    matrix: pd.DataFrame
    radius: float
    vectors: pd.DataFrame
    parts: pd.DataFrame
    sensitivity: pd.Series
    window: float

    def carriers(self, by: Carrier = "account") -> pd.DataFrame:
        """Return who carries the radius, largest first.

        Parameters
        ----------
        by : {"account", "trader", "cohort", "clearer", "market"}
            `market` is the market in which is sold.

        Returns
        -------
        pandas.DataFrame
            The name under `by`; `contribution` [1], which sums to the radius, and `share` [1],
            which sums to 1. Negative for who dampens. Without rows where nobody carries anything.

        Raises
        ------
        ValueError
            `by` is none of these.
        """
        columns = {"account": "account_id", "trader": "trader_id"}
        if by not in ("account", "trader", "cohort", "clearer", "market"):
            raise ValueError(f"by is {by!r}; allowed: account, trader, cohort, clearer, market")
        column = columns.get(by, by)
        total = self.parts.groupby(column, sort=True)["contribution"].sum()
        table = pd.DataFrame({by: total.index.astype(object), "contribution": total.to_numpy()})
        table["share"] = table["contribution"] / (self.radius or 1.0)
        order = ["contribution", by]
        return table.sort_values(order, ascending=[False, True], ignore_index=True)


def amplification(
    cascade: StaticCascade,
    accounts: pd.DataFrame,
    direction: Direction,
    window: float,
    base: Outcome,
) -> Amplification:
    """Return the amplification matrix where a cascade came to rest.

    Parameters
    ----------
    cascade : StaticCascade
    accounts : pandas.DataFrame
        Table of that name of the state.
    direction : Direction
        In which the window looks.
    window : float
        h, largest log move of a market or asset [1], > 0.
    base : Outcome

    Raises
    ------
    ValueError
        The window is not a positive finite number.
    """
    if not 0.0 < window < math.inf:
        raise ValueError(f"the window is {window}; it must be a positive finite number")
    names = cascade.prices.markets
    near = _near(cascade, direction.unit(), window, base)
    sold = np.zeros((len(near.rows), len(names)))
    np.add.at(sold, (near.place, near.market), near.change)
    answer = sold.T @ near.rate
    levels = cascade.prices.at(base.last, base.free)
    order = sold.sum(axis=0)
    response = cascade.books.response(base.last, base.anchor, levels.worth, order)
    matrix = response @ answer
    radius, left, right = leading(matrix)
    notional = sums(near.place, near.notional, len(near.rows))
    whole = cascade.open_notional or 1.0
    share = (left @ response)[near.market] * near.change * (near.rate @ right)[near.place]
    rows = near.rows[near.place]
    parts = accounts.loc[rows, ["account_id", "trader_id", "cohort", "clearer"]]
    parts = parts.reset_index(drop=True)
    parts["market"] = [names[m] for m in near.market.tolist()]
    parts["contribution"] = share
    index = pd.Index(names, name="market")
    return Amplification(
        pd.DataFrame(matrix, index=index, columns=pd.Index(names, name="of")),
        radius,
        pd.DataFrame({"market": names, "left": left, "right": right}),
        parts if np.isfinite(share).all() else parts.iloc[:0],
        pd.Series(notional @ near.rate / whole, index=index, name="sensitivity"),
        window,
    )


def slopes(cascade: StaticCascade, base: Outcome, rows: IntArray) -> FloatArray:
    """Return the derivatives (B, M) [numeraire] of excesses with respect to log last prices."""
    found = np.zeros((len(rows), len(base.last)))
    for n in range(len(base.last)):
        ends = []
        for step in (_STEP, -_STEP):
            last = base.last.copy()
            last[n] *= math.exp(step)
            levels = cascade.prices.at(last, base.free)
            ends.append(cascade.book.excess(levels, base.standing, rows))
        found[:, n] = (ends[0] - ends[1]) / (2.0 * _STEP)
    return found


def _near(cascade: StaticCascade, unit: Move, window: float, base: Outcome) -> Near:
    book, prices, standing = cascade.book, cascade.prices, base.standing
    everybody = np.arange(book.accounts)
    now = prices.at(base.last, base.free)
    step = window / max(np.abs(unit.markets).max(), np.abs(unit.assets).max())
    moved = prices.at(
        base.last * np.exp(np.where(prices.live, step * unit.markets, 0.0)),
        base.free * np.exp(step * unit.assets),
    )
    before = book.excess(now, standing, everybody)
    out, rows = book.margin(moved, standing, everybody)
    rows = rows[before[rows] >= 0.0]
    forced = book.forced(moved, standing, out, rows)
    after = out.equity[rows] - standing.required[rows] * out.maintenance[rows]
    rate = -slopes(cascade, base, rows) / (before[rows] - after)[:, None]
    place = np.searchsorted(rows, forced.row)
    notional = np.abs(forced.change) * book.unit[forced.slot]
    return Near(rows, rate, place, book.market[forced.slot], forced.change, notional)


def leading(matrix: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the spectral radius of a matrix (M, M) and its left and right leading vectors (M,).

    The right one has length 1 and a positive sum, and ``left . right = 1``. They are NaN where
    the matrix is 0, or its largest value is negative, complex or defective.
    """
    values, right = np.linalg.eig(matrix)
    k = int(np.argmax(np.abs(values)))
    radius = float(np.abs(values[k]))
    nothing = np.full(len(matrix), np.nan)
    if radius == 0.0 or abs(values[k] - radius) > 1e-9 * radius:
        return radius, nothing, nothing
    others, lefts = np.linalg.eig(matrix.T)
    found = lefts[:, int(np.argmin(np.abs(others - values[k])))].real
    vector = right[:, k].real
    vector = vector * math.copysign(1.0, vector.sum()) / np.linalg.norm(vector)
    scale = float(found @ vector)
    if abs(scale) <= 1e-12 * float(np.linalg.norm(found)):
        return radius, nothing, nothing
    return radius, found / scale, vector
