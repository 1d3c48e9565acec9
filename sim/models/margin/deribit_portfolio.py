"""Deribit portfolio margin of futures and options on one coin, in coins.

    IM = worst loss over the grid + roll,    MM = 0.8 IM

The grid has nine prices, ``S (1 + m)`` with m from -R to R in steps of R / 4, and three
volatilities: as it is, ``up`` and ``down``:

    v_up   = max(v (1 + up   (30 / days)^p), least)
    v_down = max(v (1 - down (30 / days)^p), 0)
    p = 0.30 below 30 days to expiry, else 0.13

An option is worth V / S' coins at the price S', and a leg gains ``V(S') / S' - V(S) / S``; a
coin-margined future of q coins gains ``q (1 - S / S')``. Moves beyond R count with the
volatility raised, their result scaled to R and dampened:

    gain_m = g R / |m| (1 + m) / (1 + R sign(m))
    gain_m -> gain_m - sign(gain_m) min((|m| / R - 1) d / S, |gain_m|)

with d [quote] the dampener. The roll charge is, over expiries T, ``max(least, e^(rate T) - 1)
|delta|``. Left out: the charge on deltas above 20 million, which needs the venue's own table.

Sources: support.deribit.com 25944756247837 and the API's portfolio margin example; figures in
the preset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.pricing import Legs

DAYS = 365.0


class PortfolioMargin(NamedTuple):
    """Result of `portfolio_margin`, in coins.

    Attributes
    ----------
    initial, maintenance, worst_loss, roll : float [coins]
    worst_move : float [1]
        Price move of the worst scenario.
    worst_volatility : str
        ``up``, ``same`` or ``down``.
    """

    initial: float
    maintenance: float
    worst_loss: float
    roll: float
    worst_move: float
    worst_volatility: str


class GridRules(NamedTuple):
    """Figures of the grid; names as in the preset."""

    range: float
    up: float
    down: float
    least_up: float
    power_short: float
    power_long: float
    factor: float
    dampener: float
    roll_least: float
    roll_rate: float
    maintenance_share: float
    extended_moves: tuple[float, ...]


def portfolio_margin(legs: Legs, index: float, rules: GridRules) -> PortfolioMargin:
    """Return the margin of a portfolio whose futures are coin-margined; see the module."""
    power = np.where(legs.years * DAYS < 30.0, rules.power_short, rules.power_long)
    with np.errstate(divide="ignore"):
        stretch = np.where(legs.years > 0.0, (30.0 / (legs.years * DAYS)) ** power, 0.0)
    shifted = {
        "up": np.maximum(legs.volatility * (1.0 + rules.up * stretch), rules.least_up),
        "same": legs.volatility,
        "down": np.maximum(legs.volatility * (1.0 - rules.down * stretch), 0.0),
    }
    moves = np.arange(-4, 5) / 4.0 * rules.range
    worst, at, how = 0.0, 0.0, "same"
    for name, volatility in shifted.items():
        loss = -coin_gain(legs, index, moves, volatility)
        k = int(np.argmax(loss))
        if loss[k] > worst:
            worst, at, how = float(loss[k]), float(moves[k]), name
    far = np.array(rules.extended_moves)
    loss = -_extended_gain(legs, index, far, shifted["up"], rules)
    k = int(np.argmax(loss))
    if loss[k] > worst:
        worst, at, how = float(loss[k]), float(far[k]), "up"
    roll = roll_charge(legs, index, rules.roll_least, rules.roll_rate)
    initial = worst + roll
    return PortfolioMargin(initial, rules.maintenance_share * initial, worst, roll, at, how)


def coin_gain(legs: Legs, index: float, moves: FloatArray, volatility: FloatArray) -> FloatArray:
    """Return the gain (S,) [coins] of a portfolio if the price moves by shares (S,)."""
    price = index * (1.0 + np.asarray(moves))
    shifted = np.broadcast_to(volatility, (len(price), len(legs.kind)))
    then = legs.values(price, shifted) / price[:, None]
    now = legs.values(np.array([index])) / index
    futures = np.array([kind == "future" for kind in legs.kind])
    gain = np.where(futures, legs.quantity * (1.0 - index / price)[:, None], then - now)
    return np.asarray(gain.sum(axis=1))


def _extended_gain(
    legs: Legs, index: float, moves: FloatArray, volatility: FloatArray, rules: GridRules
) -> FloatArray:
    size = np.abs(moves)
    gain = coin_gain(legs, index, moves, volatility) * rules.factor * rules.range / size
    gain = gain * (1.0 + moves) / (1.0 + rules.range * np.sign(moves))
    relief = (size / rules.range - 1.0) * rules.dampener / index
    return np.asarray(gain - np.sign(gain) * np.minimum(relief, np.abs(gain)))


def roll_charge(legs: Legs, index: float, least: float, rate: float) -> float:
    """Return the roll charge [coins], summed over expiries; perpetual futures have none."""
    delta = legs.deltas(index)
    charge = 0.0
    for years in np.unique(legs.years[legs.years > 0.0]).tolist():
        net = float(delta[legs.years == years].sum())
        charge += max(least, float(np.expm1(rate * years))) * abs(net)
    return charge
