"""A portfolio of futures and options on one underlying, valued at many prices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.core.arrays import FloatArray
from sim.models.pricing.black import black_value

KINDS = ("future", "call", "put")


@dataclass(frozen=True)
class Legs:
    """Positions on one underlying.

    Attributes
    ----------
    kind : tuple of {"future", "call", "put"}, N of them
    quantity : (N,) float64 [units of the underlying], signed
    strike : (N,) float64 [quote]
        Entry price for a future.
    years, volatility : (N,) float64 [years], [1 / sqrt(year)]
        Not read for a future.

    Raises
    ------
    ValueError
        Lengths differ, or a kind is not known.
    """

    kind: tuple[str, ...]
    quantity: FloatArray
    strike: FloatArray
    years: FloatArray
    volatility: FloatArray

    def __post_init__(self) -> None:
        for name in ("quantity", "strike", "years", "volatility"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
            if getattr(self, name).shape != (len(self.kind),):
                raise ValueError(f"{name} must have one value for each of {len(self.kind)} legs")
        unknown = sorted(set(self.kind) - set(KINDS))
        if unknown:
            raise ValueError(f"leg {unknown[0]!r} is none of {', '.join(KINDS)}")

    def values(
        self,
        price: FloatArray,
        volatility: FloatArray | None = None,
        passed: float = 0.0,
    ) -> FloatArray:
        """Return the value (S, N) [quote] of each leg, with its sign, in S scenarios.

        Parameters
        ----------
        price : (S,) float64 [quote]
        volatility : (S, N) float64, optional
            Instead of the legs' own.
        passed : float [years]
            Time that has passed by then; an expired option is worth its payoff.
        """
        price = np.asarray(price, dtype=np.float64)
        used = np.broadcast_to(self.volatility, (len(price), len(self.kind)))
        used = used if volatility is None else volatility
        left = np.maximum(self.years - passed, 0.0)
        found = np.empty((len(price), len(self.kind)))
        for n, kind in enumerate(self.kind):
            if kind == "future":
                each = price - self.strike[n]
            else:
                each = black_value(
                    "call" if kind == "call" else "put", price, self.strike[n], left[n], used[:, n]
                )
            found[:, n] = self.quantity[n] * each
        return found

    def deltas(self, price: float, step: float = 1e-4) -> FloatArray:
        """Return the delta (N,) [units] of each leg at a price, by a central difference."""
        up, down = self.values(np.array([price * (1.0 + step), price * (1.0 - step)]))
        return np.asarray((up - down) / (2.0 * step * price))
