"""Socialised loss: what no layer covered is spread over the survivors.

Each survivor pays in proportion to its weight, never more than its equity:

    paid_i = min(equity_i, t w_i)   with t such that the payments add up to the loss

and everything they have where the loss exceeds it. The weight is the survivor's equity (the
default), its unrealised profit (a clawback from winners, as futures venues practised it), its
gross notional, or the notional of its positions opposite to the defaulter's, in the defaulter's
markets (`counterparties`).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import FloatArray

SMALL = 1e-200
"""Largest weight below which what is divided by weights could overflow."""


def socialise_weights(
    basis: str, equity: FloatArray, unrealised_profit: FloatArray, notional: FloatArray
) -> FloatArray:
    """Return each account's weight (N,) >= 0; accounts without equity weigh nothing.

    For the basis `counterparties`, `notional` is that of the opposite positions alone.
    """
    weight = {"equity": equity, "profit": unrealised_profit}.get(basis, notional)
    return np.where(equity > 0.0, np.maximum(weight, 0.0), 0.0)


def water_fill(loss: float, weight: FloatArray, capacity: FloatArray) -> FloatArray:
    """Spread a loss over survivors in proportion to weight, capped by capacity.

    Parameters
    ----------
    loss : float [quote], >= 0
    weight : (N,) float64, >= 0
    capacity : (N,) float64 [quote], >= 0

    Returns
    -------
    (N,) float64 [quote]
        Payments; they add up to `loss`, or to all the capacity that has weight if that is less.
    """
    weight = np.where(capacity > 0.0, weight, 0.0)
    if 0.0 < weight.max(initial=0.0) < SMALL:
        weight = weight / weight.max()  # only their proportions matter
    capacity = np.where(weight > 0.0, capacity, 0.0)
    if loss <= 0.0 or capacity.sum() <= 0.0:
        return np.zeros_like(weight)
    if loss >= capacity.sum():
        return capacity
    safe = np.where(weight > 0.0, weight, 1.0)
    with np.errstate(over="ignore"):  # a weight of next to nothing never gives all
        level = np.where(weight > 0.0, capacity / safe, np.inf)
    order = np.argsort(level, kind="stable")
    full = np.concatenate([[0.0], np.cumsum(capacity[order])])
    weights_left = np.cumsum(weight[order][::-1])[::-1]
    # With the first k survivors paying all they have, the others share the rest.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = (loss - full[:-1]) / weights_left
    fits = (scale <= level[order]) & (weights_left > 0.0)
    if not fits.any():  # the loss is all the capacity but for rounding
        return capacity
    k = int(np.argmax(fits))
    paid = capacity.copy()
    sharing = order[k:]
    if np.isfinite(scale[k]):
        paid[sharing] = scale[k] * weight[sharing]
    else:  # what is left goes to weights of next to nothing
        paid[sharing] = (loss - full[k]) * (weight[sharing] / weights_left[k])
    return np.asarray(np.minimum(capacity, paid))
