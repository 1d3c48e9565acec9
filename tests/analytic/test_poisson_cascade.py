"""Cascade sizes with thresholds from a Poisson process: the generalised Poisson law.

Thresholds of a market's accounts are a Poisson process with one account per unit of fall on
average, the outside fall is a units, and each account sold moves the price by g units. The number
sold is then generalised Poisson (Consul and Jain 1973, Technometrics 15, 791-799),

    P(n) = a (a + g n)**(n - 1) exp(-(a + g n)) / n!,     mean a / (1 - g), variance a / (1 - g)**3.

One run holds many markets of one asset. Every account holds one of them and nothing ties them, so
each market is a replication of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import chi2

import sim
from tests.analytic.bench import BookWriter

UNIT = 0.002  # fall that stands for one unit
MARKETS = 1_000


def probability(n: np.ndarray, a: float, g: float) -> np.ndarray:
    log = np.log(a) + (n - 1) * np.log(a + g * n) - (a + g * n) - gammaln(n + 1)
    return np.exp(log)


def chi_square(sizes: np.ndarray, a: float, g: float) -> float:
    """Return the p-value of sizes under the law; bins of at least 5 expected replications."""
    count = len(sizes)
    n = np.arange(0, 400)
    law = probability(n, a, g)
    last = int(np.flatnonzero(law * count >= 10.0)[-1])
    expected = np.append(law[:last], 1.0 - law[:last].sum()) * count
    found = np.append(
        np.bincount(sizes[sizes < last], minlength=last), np.count_nonzero(sizes >= last)
    )
    assert expected.min() >= 5.0
    statistic = ((found - expected) ** 2 / expected).sum()
    return float(chi2.sf(statistic, last))


def scenario(folder: Path, a: float, g: float, number: int = MARKETS) -> sim.Scenario:
    markets = "\n".join(
        f"  - {{venue: one, symbol: R{k:04d}, kind: perpetual, base: X, quote: USD,"
        f" impact: {{kind: linear, coefficient: {g * UNIT}}}}}"
        for k in range(number)
    )
    path = folder / "scenario.yaml"
    path.write_text(
        f"""
schema_version: 1
name: poisson-cascades
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, X: {{price: 1}}}}
venues: {{one: {{margin: {{kind: cross, maintenance_rate: 0}}}}}}
markets:
{markets}
traders:
  - book: {{accounts: accounts.parquet, balances: balances.parquet, positions: positions.parquet}}
shocks:
  - {{kind: jump, at: 0s, asset: X, return: {-a * UNIT}}}
""",
        encoding="utf-8",
    )
    return sim.load(path)


def sizes_of(
    folder: Path, a: float, g: float, reach: float, runs: int, seed: int, uneven: float = 1.0
) -> np.ndarray:
    """Return the number of accounts sold in ``runs * MARKETS`` replications.

    `reach` is the fall [units] up to which accounts exist; `uneven` bends the thresholds away
    from a homogeneous process (1 leaves them alone).
    """
    loaded = scenario(folder, a, g)
    generator = np.random.default_rng(seed)
    sizes = []
    for _ in range(runs):
        counts = generator.poisson(reach, MARKETS)
        market = np.repeat(np.arange(MARKETS), counts)
        threshold = generator.random(len(market)) ** uneven * reach
        symbol = np.char.add("R", np.char.zfill(market.astype(str), 4))
        BookWriter().add("a", "one", threshold * UNIT, [("one", symbol, 1.0)]).write(folder)
        result = sim.run(loaded, check=True)
        sold = result.liquidations["symbol"].str[1:].astype(int).to_numpy()
        assert not result.liquidations["account_id"].duplicated().any()
        sizes.append(np.bincount(sold, minlength=MARKETS))
        moved = result.prices["last_price"].to_numpy()
        assert 1.0 - moved == pytest.approx((a + g * sizes[-1]) * UNIT, abs=1e-12)
    return np.concatenate(sizes)


def check_law(sizes: np.ndarray, a: float, g: float) -> None:
    count = len(sizes)
    mean, variance = a / (1.0 - g), a / (1.0 - g) ** 3
    assert abs(sizes.mean() - mean) < 4.0 * np.sqrt(variance / count)
    assert chi_square(sizes, a, g) > 1e-3
    assert sizes.var() == pytest.approx(variance, rel=20.0 / np.sqrt(count))


def test_the_law_has_the_printed_values() -> None:
    n = np.arange(6)
    printed = [0.135335, 0.148547, 0.130439, 0.107678, 0.087153, 0.070187]
    assert probability(n, 2.0, 0.6) == pytest.approx(printed, abs=5e-7)
    n = np.arange(2_000)
    law = probability(n, 2.0, 0.6)
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    assert (n * law).sum() == pytest.approx(5.0, abs=1e-9)
    assert ((n - 5.0) ** 2 * law).sum() == pytest.approx(31.25, abs=1e-7)


def test_cascade_sizes_are_generalised_poisson(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, 2.0, 0.6, reach=60.0, runs=2, seed=31)
    check_law(sizes, 2.0, 0.6)
    # The same sizes refuse a law that is a little off, and so does a book that is.
    assert chi_square(sizes, 2.0, 0.5) < 1e-6
    assert chi_square(sizes, 2.4, 0.6) < 1e-6
    bent = sizes_of(tmp_path, 2.0, 0.6, reach=60.0, runs=1, seed=32, uneven=1.15)
    assert chi_square(bent, 2.0, 0.6) < 1e-6


@pytest.mark.slow
def test_cascade_sizes_of_twenty_thousand_replications(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, 2.0, 0.6, reach=70.0, runs=20, seed=33)
    check_law(sizes, 2.0, 0.6)
    found = np.bincount(sizes, minlength=6)[:6] / len(sizes)
    law = probability(np.arange(6), 2.0, 0.6)
    assert np.abs(found - law).max() < 4.0 * np.sqrt(0.15 * 0.85 / len(sizes))


def critical_tail(sizes: np.ndarray) -> None:
    """a = 1, g = 1: P(>= n) falls as n**-1/2, so that no mean exists."""
    count = len(sizes)
    n = np.arange(1, 200)
    law = probability(n, 1.0, 1.0)
    for least, printed in ((10, 0.245514), (40, 0.125287), (160, 0.062969)):
        tail = 1.0 - np.exp(-1.0) - law[n < least].sum()
        assert tail == pytest.approx(printed, abs=5e-7)
        error = np.sqrt(tail * (1.0 - tail) / count)
        assert abs(np.mean(sizes >= least) - tail) < 4.0 * error
    slope = np.log(np.mean(sizes >= 160) / np.mean(sizes >= 10)) / np.log(16.0)
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_critical_cascades_have_a_tail_of_minus_one_half(tmp_path: Path) -> None:
    # A cascade of n >= 160 only looks at thresholds up to 1 + 160 units.
    critical_tail(sizes_of(tmp_path, 1.0, 1.0, reach=165.0, runs=2, seed=34))


@pytest.mark.slow
def test_critical_tail_of_ten_thousand_replications(tmp_path: Path) -> None:
    critical_tail(sizes_of(tmp_path, 1.0, 1.0, reach=165.0, runs=10, seed=35))
