"""Who lost what to whom in the cascades of which every price is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analytic.bench import falls_by_generation, run, uniform_book, venues_book

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
