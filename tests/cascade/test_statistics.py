"""Statistics of cascades against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sim.cascade.statistics import (
    WHOLE,
    branching_by_generation,
    branching_ratio_interval,
    forced_share_of_moves,
    tail_fit,
)
from tests.cascade.synthetic_losses import (
    Told,
    even,
    fall,
    linear,
    shuffled,
    told,
    two_venues,
)


def poisson_markets(
    a: float, g: float, markets: int, seed: int, reach: float = 60.0
) -> tuple[Told, np.ndarray]:
    """Return markets that nothing ties, each a Poisson cascade, and the sizes of these."""
    rng = np.random.default_rng(seed)
    levels = {f"v{k:04d}": np.sort(rng.random(rng.poisson(reach)) * reach) for k in range(markets)}
    cascade = told(fall(levels, a, g))
    sold = cascade.liquidations.groupby("venue").size()
    return cascade, sold.to_numpy()


def test_independent_markets_are_clusters_of_their_own() -> None:
    a, g = 2.0, 0.6
    cascade, sizes = poisson_markets(a, g, 400, seed=5)
    table = cascade.clusters()
    assert sorted(table["breaks"]) == sorted(sizes)
    assert table["breaks"].is_monotonic_decreasing
    # Generalised Poisson: mean a / (1 - g), variance a / (1 - g)**3; roots are Poisson(a).
    mean = table["breaks"].sum() / 400
    assert abs(mean - a / (1.0 - g)) < 4.0 * math.sqrt(a / (1.0 - g) ** 3 / 400)
    assert abs(table["roots"].sum() / 400 - a) < 4.0 * math.sqrt(a / 400)
    assert table["loss"].sum() == pytest.approx(cascade.losses()["loss"].sum())
    assert table["depth"].max() == cascade.generations()["generation"].max()


def test_mean_children_of_poisson_cascades_are_g() -> None:
    a, g = 2.0, 0.6
    cascade, sizes = poisson_markets(a, g, 400, seed=6)
    graph = cascade.graph("accounts")
    children = [n["children"] for _, n in graph.nodes(data=True) if n["kind"] == "account"]
    # children / parents = 1 - roots / all, whose relative variances are 1/a and 1/(a (1 - g)).
    assert len(children) == sizes.sum()
    error = (1.0 - g) * math.sqrt((1.0 / a + 1.0 / (a * (1.0 - g))) / 400)
    assert abs(np.mean(children) - g) < 4.0 * error


def test_marks_that_follow_each_other_make_one_cluster() -> None:
    assert len(two_venues(other=0.3).clusters()) == 1
    apart = two_venues(other=0.0).clusters()
    assert len(apart) == 2
    assert apart["roots"].tolist() == [
        len([k for k in even(300, 0.5) if k <= 0.05]),
        len([k for k in even(150, 0.6) if k <= 0.05]),
    ]


def test_shape_of_a_cluster() -> None:
    cascade = linear(500, unrolled=True)
    (row,) = cascade.clusters().to_dict("records")
    sizes = cascade.generations()["accounts"]
    assert row["breaks"] == sizes.sum()
    assert row["roots"] == sizes[0]
    assert row["breadth"] == sizes.max()
    assert row["depth"] == len(sizes) - 1
    assert row["duration"] == len(sizes) - 1
    assert (row["start"], row["end"]) == (1.0, float(len(sizes)))


def test_clusters_do_not_depend_on_the_order_of_rows() -> None:
    tables = fall({"alpha": even(60, 0.5), "beta": even(40, 0.6)}, 0.05, 0.004, 0.0, True)
    one, other = told(tables), told(shuffled(tables, 9))
    pd.testing.assert_series_equal(one.cluster_of(), other.cluster_of())
    pd.testing.assert_frame_equal(one.clusters(), other.clusters())


def test_branching_of_the_linear_cascade_is_g_in_every_generation() -> None:
    table = branching_by_generation(linear(20_000).generations())
    assert table["accounts"][:8].to_numpy() == pytest.approx(np.full(8, 0.8), abs=0.01)
    empty = branching_by_generation(linear(10, shock=0.0).generations())
    assert empty.empty


def test_the_interval_of_the_branching_ratio_covers_g() -> None:
    a, g = 2.0, 0.6
    covered = 0
    for seed in range(40):
        tables = []
        for replication in range(8):
            rng = np.random.default_rng([seed, replication])
            sizes = [rng.poisson(10 * a)]
            while sizes[-1]:
                sizes.append(rng.poisson(g * sizes[-1]))
            tables.append(
                pd.DataFrame({"generation": range(len(sizes)), "accounts": sizes,
                              "liquidated_notional": sizes})
            )  # fmt: skip
        interval = branching_ratio_interval(tables).set_index("generation")
        covered += interval.loc[WHOLE, "low"] <= g <= interval.loc[WHOLE, "high"]
        assert interval.loc[0, "replications"] == 8
    assert 33 <= covered <= 40  # 95 % of 40 is 38, and the law of 8 replications is not normal


def test_equal_replications_have_a_point_as_interval() -> None:
    sizes = linear(200).generations()
    table = branching_ratio_interval([linear(200), linear(200), sizes])
    assert table["low"].dropna().to_numpy() == pytest.approx(table["ratio"].dropna().to_numpy())
    whole = table.iloc[0]
    assert whole["generation"] == WHOLE
    assert whole["ratio"] == pytest.approx(sizes["accounts"][1:].sum() / sizes["accounts"].sum())


def test_wrong_replications_are_refused() -> None:
    sizes = linear(20).generations()
    with pytest.raises(ValueError, match="1 replications; allowed: 2 or more"):
        branching_ratio_interval([sizes])
    for level in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="level is"):
            branching_ratio_interval([sizes, sizes], level)
    with pytest.raises(ValueError, match="of is 'markets'"):
        branching_ratio_interval([sizes, sizes], of="markets")


def borel(count: int, seed: int) -> np.ndarray:
    """Return total progenies of critical Poisson branching, cut at 100,000: tail n**-3/2."""
    rng = np.random.default_rng(seed)
    sizes = []
    for _ in range(count):
        alive = total = 1
        while alive and total < 100_000:
            alive = rng.poisson(alive)
            total += alive
        sizes.append(total)
    return np.array(sizes)


def test_critical_cascades_have_exponent_three_halves() -> None:
    fit = tail_fit(borel(4000, seed=1), least=5)
    assert fit.reason == ""
    assert abs(fit.exponent - 1.5) < 4.0 * fit.error
    assert fit.error < 0.03
    assert fit.against_exponential[0] > 0.0
    assert fit.against_exponential[1] < 0.01


def test_an_exponential_tail_is_seen_as_one() -> None:
    sizes = np.random.default_rng(2).geometric(0.2, 3000)
    fit = tail_fit(sizes, least=1)
    assert fit.against_exponential[0] < 0.0


def test_too_few_sizes_say_so() -> None:
    for sizes in ([], [1.0], [3.0] * 50, range(1, 9)):
        fit = tail_fit(sizes)
        assert math.isnan(fit.exponent)
        assert "10 distinct" in fit.reason
    for bad in ([0.0], [1.5], [math.nan], [math.inf]):
        with pytest.raises(ValueError, match="a size is"):
            tail_fit(bad)
    with pytest.raises(ValueError, match="least is"):
        tail_fit([1.0], least=0.0)


def test_shares_of_moves() -> None:
    causes = pd.DataFrame(
        [
            (1, 0, "a", "X", "exogenous", -0.2), (1, 0, "a", "X", "liquidation:b", -0.1),
            (1, 0, "a", "X", "trade:momentum", 0.05), (1, 0, "a", "X", "reversion", 0.05),
            (1, 0, "b", "X", "exogenous", 0.0),
        ],
        columns=["tick", "generation", "venue", "symbol", "cause", "price_move"],
    )  # fmt: skip
    table = forced_share_of_moves(causes)
    assert table.loc["a/X"].tolist() == pytest.approx([0.1, 0.05, 0.2, 0.05, 0.25])
    assert math.isnan(table.loc["b/X", "share"])
