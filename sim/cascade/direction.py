"""Directions in which a market is shocked: what to move, and how far for each unit of size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sim.cascade.static_prices import StaticPrices
from sim.core.arrays import FloatArray
from sim.core.nearest import nearest


class Move(NamedTuple):
    """An exogenous move: log-returns of last prices (M,) and of the values of assets (N,) [1]."""

    markets: FloatArray
    assets: FloatArray


class Direction:
    """A direction of shocks.

    Parameters
    ----------
    weights : mapping of float
        Simple return of a market ``venue/symbol`` or of an asset, everywhere, for each unit of
        size; negative for a fall. An asset moves all markets that have it as base, and against
        it those quoted in it.
    prices : StaticPrices

    Raises
    ------
    ValueError
        No weight differs from 0, one is not finite, or a name is neither a market nor an asset.
    """

    def __init__(self, weights: Mapping[str, float], prices: StaticPrices) -> None:
        self.weights = {str(name): float(weight) for name, weight in weights.items()}
        for name, weight in self.weights.items():
            if not math.isfinite(weight):
                raise ValueError(f"the weight of {name!r} is {weight}; it must be finite")
            require_known(name, [*prices.markets, *prices.assets])
        if not any(self.weights.values()):
            raise ValueError("a direction needs a weight other than 0")
        self._prices = prices

    @property
    def largest(self) -> float:
        """Size below which no price falls to 0; infinite where none falls."""
        steepest = -min(self.weights.values())
        return 1.0 / steepest if steepest > 0.0 else math.inf

    def move(self, size: float) -> Move:
        """Return the move of a size [1].

        Raises
        ------
        ValueError
            The size is negative or not finite, or a price would fall to 0 or below.
        """
        if not 0.0 <= size < math.inf:
            raise ValueError(f"a shock's size is {size}; it must be 0 or more and finite")
        if size >= self.largest:
            raise ValueError(f"a shock's size is {size}; prices fall to 0 at {self.largest:.6g}")
        returns = {name: math.log1p(size * w) for name, w in self.weights.items()}
        return log_move(returns, self._prices)

    def unit(self) -> Move:
        """Return the log move for each unit of a small size."""
        return log_move(self.weights, self._prices)

    def signs(self) -> FloatArray:
        """Return the side (M,), 1 or -1, to which each market goes.

        Markets that the direction leaves alone go with most of the others, else down.
        """
        moves = self.unit().markets
        rest = 1.0 if moves.sum() > 0.0 else -1.0
        return np.where(moves == 0.0, rest, np.sign(moves))


def log_move(returns: Mapping[str, float], prices: StaticPrices) -> Move:
    """Return the move of the log-returns [1] of known markets and assets."""
    markets, assets = np.zeros(len(prices.markets)), np.zeros(len(prices.assets))
    for name, value in returns.items():
        if name in prices.markets:
            markets[prices.markets.index(name)] += value
        else:
            asset = prices.assets.index(name)
            assets[asset] += value
            markets += value * (prices.base == asset)
            markets -= value * (prices.quote == asset)
    return Move(markets, assets)


def everything(prices: StaticPrices, sign: float = -1.0) -> Direction:
    """Return the direction in which all markets move alike, by default down."""
    return Direction(dict.fromkeys(prices.markets, sign), prices)


def require_known(name: str, known: list[str]) -> None:
    """Raise ValueError unless a name is among the known ones."""
    if name not in known:
        raise ValueError(_unknown(name, known))


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"{name!r} is unknown; there are {', '.join(known[:20])}{hint}"
