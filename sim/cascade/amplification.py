r"""The amplification matrix: how forced sales answer a move, linearised.

An account a with excess ``e_a`` >= 0 is near its margin, as market n goes, if a log move h of n
alone, the window, takes its excess; ``W_an`` is what it loses then. With ``G_an`` the derivative of
its excess with respect to the log price of n (through its own mark, indices and the value of its
collateral), ``c_am`` the signed contracts that it then sells of market m, and ``J_mk`` the relative
move of market m for each contract bought in market k (with couplings), the mean over the largest
order that the window of any market brings about in k,

    K_mn = - sum_k J_mk sum_a [e_a < W_an] c_ak G_an / W_an

is the move of m by forced sales for each unit of log move of n: ``1 / W_an`` over the window is the
density of distances to a break. A cascade dies out where the spectral radius of K is below
1 and tips where it is above, as in the linear models of DebtRank and of fire sales.

The radius is the sum of what the accounts contribute: with right and left leading vectors r and l
of K, ``l' r = 1``, account a brings ``- (l' J c_a) sum_n r_n G_an / W_an``.

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

from sim.cascade.direction import Direction
from sim.cascade.static_cascade import Outcome, StaticCascade
from sim.cascade.static_prices import Levels
from sim.core.arrays import FloatArray, IntArray, sums

Carrier = Literal["account", "trader", "cohort", "clearer", "market"]

_STEP = 1e-5  # [1] log move by which an excess is differentiated


class Near(NamedTuple):
    """Forced orders (S,) of the accounts that break within the window of one market.

    Attributes
    ----------
    row, market : (S,) int64
        Account, and market in which it sells.
    change : (S,) float64 [contracts]
    notional : (S,) float64 [numeraire]
        At the marks of the state.
    rate : (S,) float64 [1]
        ``-G_an / W_an`` of the account, breaks for each unit of log move.
    """

    row: IntArray
    market: IntArray
    change: FloatArray
    notional: FloatArray
    rate: FloatArray


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
        Its signs say which way each window looks.
    window : float
        h, log move of a market [1], > 0.
    base : Outcome

    Raises
    ------
    ValueError
        The window is not a positive finite number.
    """
    if not 0.0 < window < math.inf:
        raise ValueError(f"the window is {window}; it must be a positive finite number")
    prices = cascade.prices
    names, size = prices.markets, len(prices.markets)
    near = [
        _near(cascade, n, sign * window, base) for n, sign in enumerate(direction.signs().tolist())
    ]
    answer, order, sensitivity = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    for n, one in enumerate(near):
        answer[:, n] = sums(one.market, one.change * one.rate, size)
        sold = sums(one.market, one.change, size)
        order = np.where(np.abs(sold) > np.abs(order), sold, order)
        sensitivity[n] = (one.notional * one.rate).sum() / (cascade.open_notional or 1.0)
    worth = prices.at(base.last, base.free).worth
    response = cascade.books.response(base.last, base.anchor, worth, order)
    matrix = response @ answer
    radius, left, right = leading(matrix)
    index = pd.Index(names, name="market")
    return Amplification(
        pd.DataFrame(matrix, index=index, columns=pd.Index(names, name="of")),
        radius,
        pd.DataFrame({"market": names, "left": left, "right": right}),
        _parts(accounts, names, near, left @ response, right),
        pd.Series(sensitivity, index=index, name="sensitivity"),
        window,
    )


def _parts(
    accounts: pd.DataFrame, names: list[str], near: list[Near], left: FloatArray, right: FloatArray
) -> pd.DataFrame:
    """Return what each account and market of sale brings to the radius."""
    brought = [left[one.market] * one.change * one.rate * right[n] for n, one in enumerate(near)]
    found = pd.DataFrame(
        {
            "row": np.concatenate([one.row for one in near]),
            "number": np.concatenate([one.market for one in near]),
            "contribution": np.concatenate(brought),
        }
    )
    found = found[np.isfinite(found["contribution"])]
    found = found.groupby(["row", "number"], sort=True, as_index=False).sum()
    who = accounts[["account_id", "trader_id", "cohort", "clearer"]].iloc[found["row"]]
    where = pd.Series([names[m] for m in found["number"]], dtype=object)
    parts: pd.DataFrame = who.reset_index(drop=True).assign(market=where)
    parts["contribution"] = found["contribution"].to_numpy()
    return parts


def slopes(cascade: StaticCascade, base: Outcome, rows: IntArray) -> FloatArray:
    """Return the derivatives (B, M) [numeraire] of excesses with respect to log last prices."""
    columns = [_slope(cascade, base, rows, n) for n in range(len(base.last))]
    return np.stack(columns, axis=1)


def _slope(cascade: StaticCascade, base: Outcome, rows: IntArray, n: int) -> FloatArray:
    ends = [
        cascade.book.excess(_moved(cascade, base, n, step), base.standing, rows)
        for step in (_STEP, -_STEP)
    ]
    return (ends[0] - ends[1]) / (2.0 * _STEP)


def _moved(cascade: StaticCascade, base: Outcome, n: int, step: float) -> Levels:
    last = base.last.copy()
    last[n] *= math.exp(step)
    return cascade.prices.at(last, base.free)


def _near(cascade: StaticCascade, n: int, step: float, base: Outcome) -> Near:
    """Return who breaks if the log price of market n moves by `step`."""
    book, standing = cascade.book, base.standing
    moved = _moved(cascade, base, n, step)
    out, rows = book.margin(moved, standing, book.everybody)
    now = cascade.prices.at(base.last, base.free)
    before = book.excess(now, standing, rows)
    rows, before = rows[before >= 0.0], before[before >= 0.0]
    forced = book.forced(moved, standing, out, rows)
    after = out.equity[rows] - standing.required[rows] * out.maintenance[rows]
    rate = -_slope(cascade, base, rows, n) / (before - after)
    notional = np.abs(forced.change) * book.unit[forced.slot]
    place = np.searchsorted(rows, forced.row)
    market, heard = book.market[forced.slot], book.heard(forced)
    return Near(forced.row, market, heard, notional, rate[place])


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
