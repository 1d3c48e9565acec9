"""A trader written by hand: it buys once after a fall of 5 % and sells when the price is back.

Run it from the folder of the repository with ``python docs/examples/dip_buyer.py``.
"""

from __future__ import annotations

import sys

import sim


class DipBuyer(sim.Trader):
    """Buys `size` contracts once the last price has fallen by `dip`, and takes profit."""

    def prepare(self, symbol: str, dip: float, size: float) -> None:
        self.symbol, self.dip, self.size = symbol, dip, size
        self.bought = False

    def decide(self, market: sim.MarketView) -> None:
        fallen = 1.0 - market.last_price(self.symbol) / market.initial_price(self.symbol)
        if fallen >= self.dip and not self.bought:
            self.order(self.symbol, self.size)
            self.bought = True
        elif fallen <= 0.0 and self.position(self.symbol) > 0.0:
            self.order(self.symbol, -self.position(self.symbol))


if __name__ == "__main__":
    scenario = sim.load("scenarios/two-venues.yaml")
    plan = DipBuyer.plan(
        "dip-buyer", venue="alpha", deposit={"USDT": 5e6}, symbol="BTC-PERP", dip=0.05, size=100.0
    )
    result = sim.run(scenario, traders=[plan])
    mine = result.cohorts[result.cohorts["cohort"] == "dip-buyer"]
    sys.stdout.write(mine[["tick", "equity", "gross_notional"]].iloc[[0, -1]].to_string() + "\n")
