"""The worst case of the scheduler: everybody has to be looked at on every tick.

All coins jump up and down together by two per cent on every tick. Each account is long of two
coins and short of the other two by almost the same amount, with equity of a little more than its
maintenance margin: several times the excess is won and lost in its positions on every tick, and
hardly anything of it in its equity. What an account could lose at most says nothing here, so an
exact engine has to revalue it. Orders move no price, as any impact would take everybody at once.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import sim
from benchmarks.baselines import FullScan, Opening
from benchmarks.books import write_book
from benchmarks.contest import Window, compare, simulate
from benchmarks.measure import Stopwatch
from benchmarks.places import DAY
from benchmarks.running import warm_up
from benchmarks.stepped import SteppedDay

SEED = 11
SWING, JITTER = 0.01, 0.001
"""Log price swings between plus and minus the first, each time missing it by the second or so."""

GROSS = 20_000.0
"""Median gross notional of an account [USD], half of the sizes within a factor of two."""

EQUITY = 0.0135
"""Equity per gross notional; 0.010 of it is maintenance margin."""

HEDGED = 0.08
"""Standard deviation of long minus short, per gross notional: a few go too far and are sold."""


def worst_case(accounts: int, ticks: int, folder: Path) -> sim.Scenario:
    """Return the scenario; its book and its path of prices are written to a folder."""
    generator = np.random.default_rng(SEED)
    full = sim.load(DAY)
    venues, coins = len(full.venues), len(full.markets) // len(full.venues)
    venue = np.sort(generator.integers(venues, size=accounts))
    gross = GROSS * 2.0 ** generator.normal(size=accounts)
    net = HEDGED * generator.normal(size=accounts)
    side = generator.permuted(np.tile([1.0, 1.0, -1.0, -1.0], (accounts, 1)), axis=1)
    nominal = side * gross[:, None] * (1.0 + side * net[:, None]) / coins
    market = venue[:, None] * coins + np.arange(coins)
    price = np.array([full.market_price(m) for m in full.markets])[market]
    book = write_book(
        folder,
        full,
        venue,
        EQUITY * gross,
        np.repeat(np.arange(accounts), coins),
        market.ravel(),
        (nominal / price).ravel(),
        price.ravel(),
    )
    side_now = np.where(np.arange(ticks) % 2 == 0, -1.0, 1.0)
    level = SWING * side_now + JITTER * generator.normal(size=ticks)
    level[0] = 0.0
    path = folder / "path.csv"
    rows = [f"{tick},{np.exp(move):.17g}\n" for tick, move in enumerate(level.tolist())]
    path.write_text("time,price\n" + "".join(rows), encoding="utf-8")
    moving = [name for name, asset in full.assets.items() if asset.volatility > 0.0]
    overrides: dict[str, Any] = {
        f"markets.{k}.impact": {"kind": "none"} for k in range(len(full.markets))
    }
    overrides |= {
        "name": "benchmark-worst-case",
        "clock.horizon": f"{ticks}s",
        "coupling": [],
        "traders": book,
        "shocks": [{"kind": "path", "asset": name, "file": str(path)} for name in moving],
    }
    return sim.load(DAY, overrides)


def worst(accounts: int, ticks: int, times: int) -> dict[str, Any]:
    """Time the engine and the full scan on the worst case, in turns.

    Raises
    ------
    benchmarks.contest.DifferentResultError
        They did not sell the same accounts on the same ticks.
    """
    warm_up()
    with tempfile.TemporaryDirectory() as folder:
        scenario = worst_case(accounts, ticks, Path(folder))
        stepped = SteppedDay(scenario)
        opening = Opening.take(stepped.world, 0, ticks)
        stepped.advance(ticks)
        forced = stepped.forced()
        window = Window("full_scan", "worst", 0, ticks)
        engine, scan = [], []
        for _ in range(times):
            done = simulate(FullScan(opening), window)
            done.expected = stepped.prices()
            compare(done, forced)
            watch = Stopwatch()
            sim.run(scenario, progress=watch)
            engine.append(watch.seconds_per_tick)
            scan.append(done.seconds / ticks)
    return {
        "accounts": accounts,
        "ticks": ticks,
        "engine": statistics.median(engine),
        "full_scan": statistics.median(scan),
        "liquidations_equal": len(done.forced),
        "engine_looked_at": stepped.looked_at(),
    }
