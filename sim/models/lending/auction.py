"""Auction by a falling price: Maker's liquidations 2.0.

A debt D [quote] under a penalty h [1] is put up as the tab T = D (1 + h). At the oracle's price
P [quote/base], with buffer u, cut k, step a [s], the collateral is offered t seconds after at

    top = u P,      price(t) = top k^floor(t / a)

It has to be started anew when t > tail or price(t) / top < cusp. Whoever starts it is paid
``tip + chip T``. Sales end when the tab is raised; what is left of the collateral goes back
(makerdao/dss dog.sol, clip.sol, abaci.sol StairstepExponentialDecrease; ETH-A from
sky-ecosystem/spells-mainnet, seen 2026: u 1.1, k 0.99, a 90 s, tail 7,200 s, cusp 0.45, h 0.13,
chip 0.001, tip 250).
"""

from __future__ import annotations

import numpy as np

from sim.core.arrays import BoolArray, FloatArray

_ROUNDING = 1e-9


def tab(debt: FloatArray, penalty: float) -> FloatArray:
    """Return what an auction has to raise (N,) [quote] for debts [quote]."""
    return np.asarray(debt * (1.0 + penalty))


def starting_price(price: FloatArray, buffer: float) -> FloatArray:
    """Return ``top`` (N,) [quote/base]."""
    return np.asarray(price * buffer)


def price_left(age: FloatArray, cut: float, step: float) -> FloatArray:
    """Return the share (N,) [1] of its starting price at which an auction stands.

    Parameters
    ----------
    age : (N,) float64 [s], >= 0
    cut : float [1]
    step : float [s]
    """
    return np.asarray(cut ** np.floor(np.asarray(age) / step + _ROUNDING))


def must_restart(age: FloatArray, cut: float, step: float, tail: float, cusp: float) -> BoolArray:
    """Return which auctions (N,) nobody can buy from until they are started anew."""
    return np.asarray((age > tail) | (price_left(age, cut, step) < cusp))


def start_reward(raised: FloatArray, tip: float, chip: float) -> FloatArray:
    """Return what starting each auction earns (N,) [quote], `raised` [quote] being its tab."""
    return np.asarray(tip + chip * raised)
