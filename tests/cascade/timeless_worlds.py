"""Random worlds without time: no latency, fees, funds, memory of marks or isolated accounts.

Books are thin and accounts sit close to their margin, so that most shocks set off a cascade.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import sim
from tests.engine.small_worlds import build

VENUES = ("alpha", "beta")
PRICES = {"BTC": 100.0, "ETH": 10.0}
RULES: list[dict[str, Any]] = [
    {"kind": "full"},
    {"kind": "partial", "slice": 0.3, "target_ratio": 1.5},
    {"kind": "partial", "slice": 0.25},
    {"kind": "to_target", "target_ratio": 1.03},
    {"kind": "to_target", "target_ratio": 1.5, "buffer": 0.02},
    {"kind": "tier_steps"},
]
MARKS: list[dict[str, Any]] = [
    {"kind": "last"},
    {"kind": "index"},
    {"kind": "index", "method": "median"},
    {"kind": "median_of", "of": [{"kind": "last"}, {"kind": "index"}, {"kind": "index"}]},
]
COUNTERFACTUALS: list[dict[str, Any]] = [
    {"silence": ["alpha"]}, {"spare": ["beta"]}, {"ring_fence": ["alpha"]},
    {"ring_fence": ["beta"], "silence": ["beta"]},
]  # fmt: skip
COUPLINGS: list[list[dict[str, Any]]] = [
    [],
    [{"kind": "cross_impact", "asset": "BTC", "phi": 0.4}],
    [{"kind": "arbitrage", "asset": "BTC", "kappa": 0.7},
     {"kind": "cross_impact", "asset": "ETH", "phi": 0.2}],
]  # fmt: skip


class TimelessWorld:
    """One of them, by its number.

    Attributes
    ----------
    accounts : list
    fields : dict
        The rest of the scenario.
    fall : dict of float
        Returns of the assets.
    """

    def __init__(self, number: int) -> None:
        rng = np.random.default_rng(number)
        self._rng = rng
        count = int(rng.integers(15, 40))
        depth = float(rng.choice([0.3, 1.0])) * count * 1000.0
        markets = [
            {"venue": name, "symbol": f"{base}-PERP", "kind": "perpetual", "base": base,
             "quote": "USDT", "impact": self._impact(depth)}
            for name in VENUES for base in PRICES
        ]  # fmt: skip
        self.accounts = [self._account(n, markets) for n in range(count)]
        self.fields = {
            "assets": {"USDT": {"price": 1}, "ETH": {"price": 10},
                       "BTC": {"price": 100, "haircut": float(rng.choice([0, 0.1]))}},
            "venues": {name: self._venue() for name in VENUES},
            "markets": markets,
            "coupling": self._pick(COUPLINGS),
            "horizon": 1,
        }  # fmt: skip
        self.fall = {"BTC": self._pick([-0.1, -0.06, -0.03, 0.1]), "ETH": self._pick([-0.05, 0.0])}

    def load(self, folder: Path, accounts: list[Any] | None = None, **fields: Any) -> sim.Scenario:
        """Write the book and load the scenario."""
        folder.mkdir(parents=True, exist_ok=True)
        listed = self.accounts if accounts is None else accounts
        return build(folder, listed, **self.fields, **fields)

    def shocks(self) -> list[dict[str, Any]]:
        """Return the falls as jumps at 0 s."""
        return [
            {"kind": "jump", "at": 0, "asset": name, "return": size}
            for name, size in self.fall.items()
            if size
        ]

    def _pick(self, options: list[Any]) -> Any:
        return options[int(self._rng.integers(len(options)))]

    def _impact(self, depth: float) -> dict[str, Any]:
        return self._pick(
            [
                {"kind": "linear", "depth": depth / 30},
                {"kind": "linear", "depth": depth / 10},
                {"kind": "square_root", "adv": 10 * depth, "sigma": 0.05},
                {"kind": "exponential", "depth": depth / 2, "depth_unit": "quote", "floor": 0},
                {"kind": "illiquid"},
            ]
        )

    def _venue(self) -> dict[str, Any]:
        ladder = [{"floor": 0, "rate": 0.01}, {"floor": 1500, "rate": 0.03}]
        mark = self._pick(MARKS)
        return {
            "margin": {"kind": "cross", "tiers": ladder},
            "mark": mark,
            "liquidation": self._pick(RULES),
            "collateral_price": self._pick([{}, {}, {"BTC": "par"}]),
        }

    def _account(self, number: int, markets: list[dict[str, Any]]) -> Any:
        rng, positions, gross = self._rng, [], 0.0
        for market in markets:
            if rng.random() < 0.5 and (positions or market is not markets[-1]):
                continue
            money = float(rng.uniform(100, 3000)) * (1 if rng.random() < 0.8 else -1)
            price = PRICES[market["base"]]
            name = f"{market['venue']}/{market['symbol']}"
            positions.append((name, money / price, price))
            gross += abs(money)
        equity = gross * float(rng.uniform(0.035, 0.12))
        balances = {"USDT": equity}
        if rng.random() < 0.2:
            balances = {"USDT": -equity, "BTC": 2.2 * equity / PRICES["BTC"]}
        venue = self._pick(list(VENUES))
        return (f"a{number:02d}", f"t{number}", venue, balances, positions)
