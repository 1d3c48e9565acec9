"""Who lost what to whom in the cascades of which every price is known."""

from __future__ import annotations

import numpy as np
import pytest

import sim
from tests.analytic.bench import BookWriter, falls_by_generation, run, uniform_book, venues_book
from tests.analytic.test_poisson_cascade import UNIT, scenario

ACCOUNTS = 2000


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    book = uniform_book(ACCOUNTS, 0.5).write(tmp_path_factory.mktemp("uniform"))
    values = {"markets.0.impact.coefficient": 0.8 * 0.5, "shocks.0.return": -0.02}
    return run("linear-cascade", {**book, **values})


def test_each_generation_lost_the_fall_before_it(linear):
    # Quantities are 1/N at a price of 1; what breaks generation g + 1 is the fall by generation g.
    steps = np.diff(falls_by_generation(linear), prepend=0.0)
    losses = linear.cascade.losses()
    assert len(linear.breaks) > 100
    for generation, mine in losses.groupby("generation"):
        cause = "exogenous" if generation == 0 else "liquidation:one"
        assert mine["cause"].unique().tolist() == [cause]
        assert mine["source_generation"].unique().tolist() == [generation - 1]
        assert mine["loss"].to_numpy() == pytest.approx(steps[generation] / ACCOUNTS, rel=1e-6)


def test_sellers_of_a_generation_share_alike(linear):
    losses, sellers = linear.cascade.losses(), linear.cascade.seller_losses()
    forced = losses[losses["source_generation"] >= 0]
    assert sellers["loss"].sum() == pytest.approx(forced["loss"].sum(), rel=1e-9)
    spread = sellers.groupby(["break_id"])["loss"].agg(["min", "max"])
    assert spread["max"].to_numpy() == pytest.approx(spread["min"].to_numpy(), rel=1e-9)


def test_cross_impact_breaks_the_other_venue_first(tmp_path):
    # Only a is shocked: the first accounts of b broke by sales at a, through their own market.
    book = venues_book(ACCOUNTS, {"a": 0.45, "b": 0.5}).write(tmp_path)
    losses = run("cross-impact", book).cascade.losses()
    first = losses[(losses["clearer"] == "b") & (losses["generation"] == 1)]
    assert set(zip(first["through"], first["cause"], strict=True)) == {("b/X", "liquidation:a")}
    later = losses[(losses["generation"] >= 2) & (losses["clearer"] == "a")]
    assert {"liquidation:a", "liquidation:b"} == set(later["cause"])


def test_losses_of_a_break_sum_to_what_equity_is_below_its_start(linear):
    breaks, losses = linear.breaks, linear.cascade.losses()
    total = losses.groupby("break_id")["loss"].sum().to_numpy()
    assert np.allclose(total, breaks["loss"], rtol=1e-9, atol=0.0)


def test_batch_rounds_cost_what_the_geometric_series_says(tmp_path):
    # D_k = s (1 - g^(k + 1)) / (1 - g): 12,500 accounts make whole numbers of the first D_k.
    number, g, shock = 12_500, 0.8, 0.02
    book = uniform_book(number, 0.5).write(tmp_path)
    values = {"markets.0.impact.coefficient": g * 0.5, "shocks.0.return": -shock}
    losses = run("linear-cascade", {**book, **values}).cascade.losses()
    by_generation = losses.groupby("generation")["loss"]
    step = shock * g ** np.arange(5)
    assert np.cumsum(step) == pytest.approx([0.02, 0.036, 0.0488, 0.05904, 0.067232])
    assert by_generation.min()[:5].to_numpy() == pytest.approx(step / number, rel=1e-9)
    assert by_generation.max()[:5].to_numpy() == pytest.approx(step / number, rel=1e-9)
    assert by_generation.count()[:5].tolist() == [500, 400, 320, 256, 205]


@pytest.fixture(scope="module")
def poisson(tmp_path_factory):
    """Return a run of 200 markets with Poisson thresholds: shock a, g units per account sold."""
    folder, markets, reach = tmp_path_factory.mktemp("poisson"), 200, 60.0
    generator = np.random.default_rng(7)
    counts = generator.poisson(reach, markets)
    symbol = np.repeat([f"R{k:04d}" for k in range(markets)], counts)
    threshold = generator.random(counts.sum()) * reach * UNIT
    BookWriter().add("a", "one", threshold, [("one", symbol, 1.0)]).write(folder)
    return sim.run(scenario(folder, 2.0, 0.6, markets), check=True)


def test_in_poisson_cascades_losses_are_the_orders_of_the_round_before(poisson):
    losses = poisson.cascade.losses()
    assert (losses["through"] == losses["source"]).all()
    root = losses["generation"] == 0
    assert set(losses["cause"][root]) == {"exogenous"}
    assert losses["loss"][root].to_numpy() == pytest.approx(2.0 * UNIT, rel=1e-9)
    assert set(losses["cause"][~root]) == {"liquidation:one"}
    assert (losses["source_generation"] == losses["generation"] - 1).all()
    sold = poisson.liquidations.groupby(["symbol", "generation"]).size()
    market = losses["source"].str.removeprefix("one/")
    before = zip(market[~root], losses["source_generation"][~root], strict=True)
    orders = np.array([sold[key] for key in before])
    assert losses["loss"][~root].to_numpy() == pytest.approx(0.6 * UNIT * orders, rel=1e-9)


def test_in_poisson_cascades_an_order_breaks_g_others_on_average(poisson):
    # 1,000 broken accounts are expected, of which 400 by the shock.
    sellers = poisson.cascade.seller_losses()
    share = sellers["loss"] / sellers.groupby("break_id")["loss"].transform("sum")
    children = share.sum() / len(poisson.breaks)
    assert children == pytest.approx(0.6, abs=4.0 * np.sqrt(0.6 * 0.4 / 1_000.0))
