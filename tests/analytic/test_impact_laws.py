"""One forced sale under each law of market impact, read from the tables of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from tests.analytic.bench import BookWriter, run, run_text

START = 0.99  # the price after the fall of 1 % that breaks everybody


@pytest.fixture(scope="module")
def laws() -> pd.DataFrame:
    """One row per symbol: `move` and `cost` as shares of the price that the order met."""
    return measured(run("impact-laws"))


def measured(result: sim.Result) -> pd.DataFrame:
    sales = result.liquidations.set_index("symbol")
    assert sales.index.is_unique
    assert sales["mark_price"].to_numpy() == pytest.approx(np.full(len(sales), START), rel=1e-12)
    causes = result.price_causes[result.price_causes["cause"] == "liquidation:one"]
    moves = causes.groupby("symbol")["price_move"].sum()
    return pd.DataFrame(
        {
            "move": -np.expm1(moves),
            "cost": 1.0 - sales["close_out_price"] / sales["mark_price"],
            "size": -sales["quantity"],
        }
    )


@pytest.mark.parametrize(
    ("stock", "permanent", "costs", "printed"),
    [
        ("IBM", 19.8597, {"10": 32.2239, "20": 24.6384, "50": 18.4179}, (20, 32, 25, 18)),
        ("DRI", 21.6787, {"10": 42.9313, "20": 32.0122, "50": 23.0577}, (22, 43, 32, 23)),
    ],
)
def test_almgren(
    laws: pd.DataFrame,
    stock: str,
    permanent: float,
    costs: dict[str, float],
    printed: tuple[int, ...],
) -> None:
    """A tenth of a day's volume in 0.1, 0.2 and 0.5 days [basis points]."""
    volume, outstanding, sigma = {
        "IBM": (6.561e6, 1.728e9, 0.0157),
        "DRI": (1.929e6, 1.68e8, 0.0226),
    }[stock]
    formula = 0.314 * sigma * 0.1 * (outstanding / volume) ** 0.25
    rounded = []
    for days, cost in costs.items():
        row = laws.loc[f"{stock}-{days}"]
        assert row["size"] == pytest.approx(0.1 * volume)
        assert row["move"] == pytest.approx(formula, rel=1e-10)
        assert row["move"] * 1e4 == pytest.approx(permanent, abs=5e-5)
        assert row["cost"] * 1e4 == pytest.approx(cost, abs=5e-5)
        temporary = 0.142 * sigma * (0.1 / (float(days) / 100.0)) ** 0.6
        assert row["cost"] == pytest.approx(formula / 2.0 + temporary, rel=1e-10)
        rounded.append(round(row["cost"] * 1e4))
    assert (round(permanent), *rounded) == printed


def test_square_root_cost_is_two_thirds_of_the_move(laws: pd.DataFrame) -> None:
    rows = laws.loc[["SQRT-1", "SQRT-2", "SQRT-3"]]
    assert rows["move"].to_numpy() == pytest.approx([0.002, 0.004, 0.008], rel=1e-9)
    assert (rows["cost"] / rows["move"]).to_numpy() == pytest.approx(2.0 / 3.0, rel=1e-9)


def test_fitted_slope_of_the_square_root_law(tmp_path: Path) -> None:
    """Forty orders over four decades of size, one market each: log move on log size."""
    sizes = np.logspace(-5.0, -1.0, 40)
    symbols = np.array([f"S{k:02d}" for k in range(40)])
    BookWriter().add("a", "one", 0.005 * sizes, [("one", symbols, sizes)]).write(tmp_path)
    slopes = {}
    for law, expected in {
        "{kind: square_root, y: 0.9, sigma: 0.03, adv: 1}": 0.5,
        "{kind: linear, coefficient: 0.1}": 1.0,
    }.items():
        markets = "\n".join(
            f"  - {{venue: one, symbol: {symbol}, kind: perpetual, base: X, quote: USD,"
            f" impact: {law}}}"
            for symbol in symbols
        )
        result = run_text(
            f"""
schema_version: 1
name: slope
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, X: {{price: 1}}}}
venues: {{one: {{margin: {{kind: cross, maintenance_rate: 0}}}}}}
markets:
{markets}
traders:
  - book: {{accounts: accounts.parquet, balances: balances.parquet, positions: positions.parquet}}
shocks: [{{kind: jump, at: 0s, asset: X, return: -0.01}}]
""",
            tmp_path,
        )
        rows = measured(result)
        slope = np.polyfit(np.log(rows["size"]), np.log(rows["move"]), 1)[0]
        slopes[expected] = slope
    assert slopes[0.5] == pytest.approx(0.5, abs=1e-6)
    assert slopes[1.0] == pytest.approx(1.0, abs=1e-6)


def test_kyle_moves_the_price_half_way(laws: pd.DataFrame) -> None:
    """lambda = sqrt(4) / (2 * 3), beta = 3 / sqrt(4): lambda beta = 1/2, here of a gap of 1."""
    lam, beta = np.sqrt(4.0) / (2.0 * 3.0), 3.0 / np.sqrt(4.0)
    row = laws.loc["KYLE"]
    assert (lam, beta) == (pytest.approx(1.0 / 3.0), 1.5)
    assert row["size"] == pytest.approx(beta)
    assert row["move"] * START == pytest.approx(lam * beta, rel=1e-12)
    assert row["move"] * START == pytest.approx(0.5, rel=1e-12)


def test_exponential_law_of_cont_and_schaanning(laws: pd.DataFrame) -> None:
    row = laws.loc["EXP"]
    psi = (1.0 - 0.5 / START) * (1.0 - np.exp(-40.0 / 100.0))
    assert row["move"] == pytest.approx(psi, rel=1e-12)
    # Filled at the mean of 0.5 + 0.49 exp(-x / 100) over the 40 contracts.
    mean = 0.5 + (START - 0.5) * (1.0 - np.exp(-0.4)) / 0.4
    assert row["cost"] == pytest.approx(1.0 - mean / START, rel=1e-12)


def test_displacement_halves_every_half_life() -> None:
    result = run("impact-laws")
    prices = result.prices[result.prices["symbol"] == "DECAY"]
    time = prices["time"].to_numpy()
    assert len(time) == 60
    expected = START - 0.05 * 2.0 ** (-time / 10.0)
    assert prices["last_price"].to_numpy() == pytest.approx(expected, abs=1e-13)
    still = result.prices[result.prices["symbol"] == "KYLE"]["last_price"]
    assert still.nunique() == 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_permanent_share_of_the_displacement_stays(share: float) -> None:
    """Half-life 10 s: what is forgotten stays by `permanent_share` and reverts by the rest."""
    result = run("impact-laws", {"markets.11.impact.permanent_share": share})
    prices = result.prices[result.prices["symbol"] == "DECAY"]
    left = 2.0 ** (-prices["time"].to_numpy() / 10.0)
    expected = START - 0.05 * (share + (1.0 - share) * left)
    assert prices["last_price"].to_numpy() == pytest.approx(expected, abs=1e-12)
