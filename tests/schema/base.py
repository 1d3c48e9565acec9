"""A good scenario, and small changes to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sim.core.errors import Problem, ScenarioError
from sim.schema import load_text

GOOD = """\
schema_version: 1
name: two-venues
description: A fall on two coupled venues.
seed: 7
clock: {tick: 1s, horizon: 30min, start: 2025-10-10T20:50:00Z}
engine: {margin_check: full, max_generations: 1000}
record: {every: 10s}

assets:
  USDT: {price: 1.0}
  BTC: {price: 121000, volatility: 0.45}
  ETH: {price: 4300, volatility: 60%, haircut: 5%}

venues:
  alpha:
    preset: binance-usdm
    liquidation: {latency: 2s}
  beta:
    margin:
      kind: cross
      initial_rate: 1%
      maintenance_rate: 50bps
      call: {level: 1.5, grace: 1h, target: 2}
    mark: {kind: index, method: median, weights: {alpha: 2, beta: 1}}
    liquidation: {kind: partial, slice: 20%, fee_bps: 50}
    waterfall:
      - {kind: insurance_fund, size: 5e7}
      - {kind: adl}
      - {kind: socialise, basis: profit}
    collateral: {ETH: 0.1}
  gamma:
    margin:
      kind: isolated
      tiers:
        - {floor: 0, rate: 0.004}
        - {floor: 300_000, rate: 0.005, deduction: 300}
        - {floor: 800_000, rate: 0.0065}

markets:
  - {venue: alpha, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: square_root, y: 0.7, adv: 2e10}}
  - {venue: beta, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: linear, depth: 5e8, resilience_half_life: 10min}}
  - {venue: beta, symbol: ETH-PERP, kind: perpetual, base: ETH, quote: USDT,
     impact: {kind: power, adv: 1e10, outstanding: 1e8}}
  - {venue: gamma, symbol: ETH-FUT, kind: future, base: ETH, quote: USDT,
     impact: {kind: exponential, floor: 10, depth: 1000}}
  - {venue: gamma, symbol: ETH-SPOT, kind: spot, base: ETH, quote: USDT, impact: {kind: none}}

coupling:
  - {kind: cross_impact, asset: BTC, phi: 0.5}
  - {kind: arbitrage, asset: ETH, venues: [beta, gamma], time_constant: 30s}

traders:
  - cohort: retail
    count: 100_000
    venues: {alpha: 0.7, beta: 0.3}
    venues_per_trader: {1: 0.8, 2: 0.2}
    portfolio: {BTC: 1, ETH-PERP: 2}
    positions_per_account: 1
    behaviour: {kind: stop_loss, trigger: 10%}
    margin_mode: {cross: 0.9, isolated: 0.1}
    equity: {dist: pareto, alpha: 1.2, min: 100, max: 1e7}
    leverage: {dist: lognormal, median: 8, sigma: 0.7, max: 100}
    wallet: {dist: uniform, min: 0, max: 2}
    collateral: {USDT: 0.5, ETH: 0.5}
    top_up: {sources: [wallet, accounts], latency: 10min}
  - cohort: funds
    count: 10
    venues: {gamma: 1}
    behaviour: {kind: fundamentalist, aggressiveness: 2, max_leverage: 3}
    equity: {dist: empirical, quantiles: {0: 1e5, 0.5: 1e6, 1: 1e7}}
    leverage: {dist: constant, value: 2}
  - book: {accounts: book/accounts.csv, balances: book/balances.csv, positions: book/positions.csv}

shocks:
  - {kind: jump, at: 5min, asset: BTC, return: -12%}
  - {kind: gbm, assets: [BTC, ETH], correlation: {"BTC,ETH": 0.8}}
  - {kind: depth, at: 5min, until: 10min, factor: 0.3, venue: beta, recovery_half_life: 60s}
  - {kind: outage, venue: alpha, at: 6min, duration: 30s}
  - {kind: path, asset: ETH, points: [[0, 4300], [60s, 4000]]}
  - {kind: jump_diffusion, intensity: 5, jump_mean: -0.02, jump_std: 0.03, until: 20min}
  - {kind: ramp, at: 1min, duration: 60s, asset: ETH, return: -0.05, venue: beta}
"""


@dataclass(frozen=True)
class Broken:
    """One mistake: what is replaced in the good scenario, and what the message must say.

    Parameters
    ----------
    old, new : str
        Text of the good scenario and what stands there instead.
    path : str
        Path the problem names.
    at : str
        Text on which line and column must point: its first occurrence from the changed line on,
        else its last one before.
    parts : tuple of str
        Parts of the message.
    """

    old: str
    new: str
    path: str
    at: str
    parts: tuple[str, ...]

    def text(self) -> str:
        """Return the broken scenario."""
        assert GOOD.count(self.old) >= 1, f"{self.old!r} is not in the good scenario"
        return GOOD.replace(self.old, self.new, 1)

    def place(self) -> tuple[int, int]:
        """Return line and column the problem must have, from 1."""
        text, change = self.text(), GOOD.index(self.old)
        start = text.find(self.at, text.rfind("\n", 0, change) + 1)
        if start < 0:
            start = text.rindex(self.at, 0, change)
        before = text[:start]
        return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1


def problems(text: str, **arguments: Any) -> tuple[Problem, ...]:
    """Return the problems of a scenario that must be refused."""
    with pytest.raises(ScenarioError) as caught:
        load_text(text, "case.yaml", **arguments)
    return caught.value.problems


def write_book(folder: Path, **tables: str) -> None:
    """Write a good book below `folder`, with some tables replaced."""
    good = {
        "accounts": "account_id,trader_id,clearer,margin_mode\n"
        "a1,t1,alpha,cross\na2,t1,beta,isolated\na3,t1,wallet,cross\n",
        "balances": "account_id,asset,amount\na1,USDT,1000\na1,BTC,-0.5\na3,USDT,50\n",
        "positions": "account_id,venue,symbol,quantity,entry_price\n"
        "a1,alpha,BTC-PERP,1,120000\na1,beta,ETH-PERP,-2.5,4.2e3\na2,beta,BTC-PERP,3,121000\n",
    }
    (folder / "book").mkdir(exist_ok=True)
    for name, text in {**good, **tables}.items():
        (folder / "book" / f"{name}.csv").write_text(text, encoding="utf-8")
