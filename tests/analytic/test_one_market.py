"""One market: linear, square-root and Pareto cascades, round by round and at their ends."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

import sim
from tests.analytic.bench import (
    fall,
    falls_by_generation,
    pareto_book,
    run,
    run_text,
    uniform_book,
)

THETA = 0.5
ACCOUNTS = 100_000
FEWER = 20_000


def linear(book: dict[str, str], g: float, s: float, **more: str) -> sim.Result:
    values = {"markets.0.impact.coefficient": g * THETA, "shocks.0.return": -s}
    return run("linear-cascade", {**book, **values, **more})


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return uniform_book(ACCOUNTS, THETA).write(tmp_path_factory.mktemp("uniform"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return uniform_book(FEWER, THETA).write(tmp_path_factory.mktemp("uniform-small"))


def discrete_fixed_point(g: float, s: float, number: int) -> float:
    """Least fixed point of the finite book: account k breaks at a fall above its threshold."""
    sold = 0
    while True:
        drop = s + g * THETA * sold / number
        # thresholds (k + 1/2) Theta / N below the fall
        broken = min(number, max(0, int(np.ceil(drop / THETA * number - 0.5 - 1e-9))))
        if broken == sold:
            return drop
        sold = broken


# ------------------------------------------------------------------------------------- linear


@pytest.mark.parametrize(
    ("g", "s", "brute", "closed"),
    [(0.8, 0.02, 0.099992, 0.1), (0.95, 0.02, 0.399957, 0.4)],
)
def test_subcritical_cascade_ends_at_s_over_one_minus_g(
    book: dict[str, str], g: float, s: float, brute: float, closed: float
) -> None:
    result = linear(book, g, s)
    found = fall(result)
    assert closed == pytest.approx(s / (1.0 - g), rel=1e-12)
    # At rest the number sold is within half an account of N D / Theta.
    assert abs(found - closed) <= g * THETA / (2 * ACCOUNTS * (1.0 - g)) + 1e-11
    assert found == pytest.approx(brute, abs=6e-6)
    assert found == pytest.approx(discrete_fixed_point(g, s, ACCOUNTS), abs=1e-11)
    facts = result.summary["markets"]["one/X"]
    assert facts["amplification"] == pytest.approx(found / s, rel=1e-10)
    assert facts["exogenous_move"] == pytest.approx(-s, rel=1e-10)
    sold = result.summary["accounts_liquidated"] / ACCOUNTS
    assert g * THETA * sold == pytest.approx(found - s, abs=1e-11)
    assert sold == pytest.approx(found / THETA, abs=1.0 / ACCOUNTS)


@pytest.mark.parametrize(("g", "s", "closed"), [(1.0, 0.001, 0.501), (1.2, 0.001, 0.601)])
def test_supercritical_cascade_sells_everybody(
    small: dict[str, str], g: float, s: float, closed: float
) -> None:
    result = linear(small, g, s)
    assert fall(result) == pytest.approx(closed, abs=1e-10)
    assert closed == pytest.approx(s + g * THETA, rel=1e-12)
    assert result.summary["accounts_liquidated"] == FEWER


def test_subcritical_book_is_sold_out_when_the_shock_is_large(small: dict[str, str]) -> None:
    """s > Theta (1 - g): the fixed point lies beyond the last threshold."""
    g, edge = 0.8, THETA * (1.0 - 0.8)
    beyond = linear(small, g, edge + 0.001)
    assert fall(beyond) == pytest.approx(edge + 0.001 + g * THETA, abs=1e-10)
    assert beyond.summary["accounts_liquidated"] == FEWER
    below = linear(small, g, edge - 0.001)
    assert fall(below) == pytest.approx((edge - 0.001) / (1.0 - g), abs=THETA / (FEWER * 0.2))
    assert below.summary["accounts_liquidated"] < FEWER


def test_every_generation_moves_the_price_by_g_times_the_one_before(book: dict[str, str]) -> None:
    g, s = 0.8, 0.02
    result = linear(book, g, s)
    levels = falls_by_generation(result)
    k = np.arange(7)
    expected = s * (1.0 - g ** (k + 1)) / (1.0 - g)
    printed = [0.02, 0.036, 0.0488, 0.05904, 0.067232, 0.073786, 0.079028]
    assert expected == pytest.approx(printed, abs=5e-7)
    # A batch is off by at most one account, g Theta / N; the errors add up geometrically.
    assert np.abs(levels[:7] - expected).max() <= THETA / (ACCOUNTS * (1.0 - g))
    assert levels[-1] == pytest.approx(fall(result), abs=1e-11)
    assert result.summary["generations"] == len(levels) - 1


def test_branching_ratio_is_g(book: dict[str, str]) -> None:
    """In accounts exactly g; in notional the later generations are worth less at their marks."""
    g, s = 0.8, 0.02
    result = linear(book, g, s)
    sizes = result.cascade.generations()["accounts"].to_numpy(dtype=float)
    assert sizes[1:].sum() / sizes.sum() == pytest.approx(g, abs=1e-3)
    assert sizes[1:10] / sizes[:9] == pytest.approx(np.full(9, g), abs=2e-3)
    levels = falls_by_generation(result)[:-1]
    worth = np.diff(np.concatenate([[0.0], levels])) * (1.0 - levels)
    assert result.summary["branching_ratio"] == pytest.approx(
        worth[1:].sum() / worth.sum(), abs=1e-4
    )
    assert result.summary["branching_ratio"] < g


def test_in_the_causal_graph_the_drop_of_the_edges_is_what_the_cascade_added() -> None:
    """Mean offspring g over a whole tree: children / parents; edges sum to D - s in log price."""
    result = run("linear-cascade")
    graph = result.cascade.graph("accounts")
    orders = [d for *_, d in graph.edges(data=True) if d["relation"] == "forced_order"]
    moved = sum(d["price_move"] for d in orders)
    assert np.exp(moved) == pytest.approx((1.0 - fall(result)) / (1.0 - 0.02), rel=1e-12)
    first = sum(d["generation"] == 0 for d in orders)
    assert len(orders) == result.summary["accounts_liquidated"]
    assert (len(orders) - first) / len(orders) == pytest.approx(0.8, abs=0.01)


def test_order_of_the_book_does_not_matter(tmp_path: Path) -> None:
    """Accounts permuted, and the one-by-one cascade: the same least fixed point."""
    number, g, s = 5_000, 0.9, 0.010012345  # no fall of the cascade meets a threshold exactly
    ends = []
    for seed in (None, 1, 2):
        order = None if seed is None else np.random.default_rng(seed).permutation(number)
        written = uniform_book(number, THETA, order).write(tmp_path / str(seed))
        result = linear(written, g, s)
        ends.append((fall(result), result.summary["accounts_liquidated"]))
    assert np.ptp([end for end, _ in ends]) < 1e-13
    assert len({count for _, count in ends}) == 1
    # One at a time in random order instead of generations.
    generator = np.random.default_rng(3)
    thresholds = generator.permutation((np.arange(number) + 0.5) / number * THETA)
    alive, drop = np.ones(number, dtype=bool), s
    while (broken := np.flatnonzero(alive & (thresholds < drop))).size:
        alive[generator.choice(broken)] = False
        drop += g * THETA / number
    assert ends[0][0] == pytest.approx(drop, abs=1e-10)
    assert ends[0][1] == number - alive.sum()


# -------------------------------------------------------------------------------- square root


def square_root(book: dict[str, str], c: float, s: float) -> sim.Result:
    values = {"markets.0.impact.y": c / (1.0 - s), "shocks.0.return": -s}
    return run("square-root-cascade", {**book, **values})


def square_root_fall(c: float, s: float) -> float:
    k = c * c / THETA
    return ((np.sqrt(k) + np.sqrt(k + 4.0 * s)) / 2.0) ** 2


@pytest.mark.parametrize(("c", "s", "printed"), [(0.1, 0.02, 0.052361), (0.2, 0.05, 0.164833)])
def test_square_root_cascade(book: dict[str, str], c: float, s: float, printed: float) -> None:
    closed = square_root_fall(c, s)
    assert closed == pytest.approx(printed, abs=5e-7)
    slope = c / (2.0 * np.sqrt(closed * THETA))  # of the impact at the end: the g of the last step
    found = fall(square_root(book, c, s))
    # k accounts at thresholds (k + 1/2) Theta / N: within half an account, as above.
    assert abs(found - closed) <= slope * THETA / (2 * ACCOUNTS * (1.0 - slope)) * 1.01


def test_square_root_impact_has_no_subcritical_regime(small: dict[str, str]) -> None:
    """A shock that barely reaches the first account still ends at k; one below it does nothing."""
    c = 0.1
    k, first = c * c / THETA, THETA / (2 * FEWER)
    reached = square_root(small, c, first * 1.01)
    assert fall(reached) == pytest.approx(square_root_fall(c, first * 1.01), abs=2 * THETA / FEWER)
    assert fall(reached) == pytest.approx(k, abs=3e-4)
    assert reached.summary["markets"]["one/X"]["amplification"] > 1_000.0
    missed = square_root(small, c, first * 0.99)
    assert fall(missed) == pytest.approx(first * 0.99, rel=1e-9)
    assert missed.summary["accounts_liquidated"] == 0
    # Linear impact with the same total does have one.
    values = {"markets.0.impact.coefficient": 0.1, "shocks.0.return": -first * 1.01}
    calm = run("linear-cascade", {**small, **values})
    assert fall(calm) < 2.0 * first


# ------------------------------------------------------------------------------------- Pareto


@pytest.fixture(scope="module")
def pareto(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return pareto_book(ACCOUNTS, 2.0, 0.0).write(tmp_path_factory.mktemp("pareto"))


@pytest.mark.parametrize(
    ("s", "printed", "within"),
    [(0.1, 0.138197, 2.5e-5), (0.12, 0.2, 6e-5), (0.1249, 0.242929, 5e-4)],
)
def test_pareto_leverage(pareto: dict[str, str], s: float, printed: float, within: float) -> None:
    k = 2.0
    closed = (1.0 - np.sqrt(1.0 - 4.0 * k * s)) / (2.0 * k)
    assert closed == pytest.approx(printed, abs=6e-7)
    found = fall(run("pareto-leverage", {**pareto, "shocks.0.return": -s}))
    assert within >= k / (2 * ACCOUNTS * (1.0 - 2.0 * k * closed))  # half an account
    assert abs(found - closed) <= within


def test_pareto_leverage_tips_at_one_over_four_k(pareto: dict[str, str]) -> None:
    k = 2.0
    assert 1.0 / (4.0 * k) == 0.125
    result = run("pareto-leverage", {**pareto, "shocks.0.return": -0.1251})
    assert result.summary["accounts_liquidated"] == ACCOUNTS
    assert result.summary["price_floor_hits"] > 0
    assert fall(result) == pytest.approx(1.0, abs=1.1e-6)  # the engine's price floor
    below = run("pareto-leverage", {**pareto, "shocks.0.return": -0.1249})
    assert below.summary["accounts_liquidated"] < 0.07 * ACCOUNTS


MARGIN, ALPHA, K = 0.05, 1.5, 0.8


def broken_share(drop: float) -> float:
    low = MARGIN**ALPHA
    return ((MARGIN + drop * (1.0 - MARGIN)) ** ALPHA - low) / (1.0 - low)


@functools.cache
def saddle_node() -> tuple[float, float]:
    """Return (s*, D*) where s = D - k F(D) is largest, found numerically."""

    def slope(drop: float, h: float = 1e-6) -> float:
        return 1.0 - K * (broken_share(drop + h) - broken_share(drop - h)) / (2.0 * h)

    at = brentq(slope, 0.01, 0.99)
    return at - K * broken_share(at), at


@pytest.fixture(scope="module")
def pareto_margin(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return pareto_book(50_000, ALPHA, MARGIN).write(tmp_path_factory.mktemp("pareto-margin"))


@pytest.mark.parametrize(("s", "printed"), [(0.05, 0.075189), (0.1, 0.169251), (0.15, 0.293522)])
def test_pareto_leverage_with_maintenance_margin(
    pareto_margin: dict[str, str], s: float, printed: float
) -> None:
    closed = brentq(lambda d: d - s - K * broken_share(d), s, saddle_node()[1])
    assert closed == pytest.approx(printed, abs=5e-7)
    found = fall(run("pareto-leverage-margin", {**pareto_margin, "shocks.0.return": -s}))
    assert closed - 1e-4 <= found <= closed + 1e-12


def test_the_saddle_node_is_where_the_book_is_sold_out(pareto_margin: dict[str, str]) -> None:
    s, drop = saddle_node()
    assert (s, drop) == (pytest.approx(0.220399, abs=1e-6), pytest.approx(0.739324, abs=1e-4))
    below = run("pareto-leverage-margin", {**pareto_margin, "shocks.0.return": -(s - 2e-4)})
    above = run("pareto-leverage-margin", {**pareto_margin, "shocks.0.return": -(s + 2e-4)})
    closed = brentq(lambda d: d - (s - 2e-4) - K * broken_share(d), s, drop)
    assert closed - 2e-3 <= fall(below) <= closed + 1e-12
    assert above.summary["accounts_liquidated"] == 50_000
    assert s + K > 1.0  # more than the whole price: it ends on the engine's floor
    assert fall(above) == pytest.approx(1.0, abs=1.1e-6)
    assert fall(above) - fall(below) > 0.25


# ------------------------------------------------------------------------- latency and slices


def test_latency_sends_one_generation_per_interval(tmp_path: Path) -> None:
    """With latency 3 s the price after t seconds is D_k with k = floor(t / 3)."""
    number, g, s = 20_000, 0.8, 0.02
    written = uniform_book(number, THETA).write(tmp_path)
    more = {
        "venues.one.liquidation.latency": 3.0,
        "clock.horizon": 100.0,
        "record.every": 1.0,
    }
    result = linear(written, g, s, **more)
    drop = 1.0 - result.prices["last_price"].to_numpy()
    time = result.prices["time"].to_numpy()
    k = np.floor(time / 3.0)
    expected = s * (1.0 - g ** (k + 1)) / (1.0 - g)
    assert np.abs(drop - expected).max() <= THETA / (number * (1.0 - g))
    batches = result.liquidations.groupby("generation")["time"].agg(["min", "max"])
    assert (batches["min"] == batches["max"]).all()
    assert batches["min"].to_numpy() == pytest.approx(3.0 * (batches.index.to_numpy() + 1))
    instant = linear(written, g, s)
    assert instant.prices["last_price"].iloc[-1] == pytest.approx(1.0 - drop[-1], abs=1e-5)


@pytest.mark.parametrize(("g", "left"), [(0.95, 0.9), (0.95, 0.6), (0.6, 0.8)])
def test_resilience_races_latency(tmp_path: Path, g: float, left: float) -> None:
    """A batch every 3 s; the share `left` of the displacement is there when the next one goes.

    The drop just after batch k is s + x_k, x_1 = g s. When batch k + 1 goes the drop is
    s + left x_k, and only accounts that were not sold before are sold then:

        x_(k + 1) = left x_k + g left max(0, x_k - max(x_1 .. x_(k - 1)))

    so that a book that heals quickly enough stops a cascade that would run far at latency 0.
    """
    number, s, latency, batches = 20_000, 0.02, 3, 30
    written = uniform_book(number, THETA).write(tmp_path)
    more = {
        "venues.one.liquidation.latency": float(latency),
        "markets.0.impact.resilience_half_life": latency / np.log2(1.0 / left),
        "clock.horizon": float(latency * batches),
    }
    result = linear(written, g, s, **more)
    drop = 1.0 - result.prices["last_price"].to_numpy()
    displaced, highest = [0.0, g * s], 0.0
    while len(displaced) < batches:
        now = displaced[-1]
        displaced.append(left * now + g * left * max(0.0, now - highest))
        highest = max(highest, now)
    expected = s + np.array(displaced)
    assert np.abs(drop[::latency] - expected).max() <= THETA / (number * (1.0 - g))
    assert drop.max() == pytest.approx(expected.max(), abs=THETA / (number * (1.0 - g)))
    assert drop.max() < s / (1.0 - g) - 0.01  # where latency 0 ends


def test_slices_end_where_whole_orders_do(tmp_path: Path) -> None:
    """Linear impact adds up: accounts sold in fifths, to the end, leave the same price.

    The target ratio keeps an episode going until the position is gone, so that slicing changes
    the way and not the end.
    """
    number, margin = 5_000, 0.01
    written = uniform_book(number, THETA).write(tmp_path)
    base = {"venues.one.margin.maintenance_rate": margin}
    whole = linear(written, 0.7, 0.03, **base)
    sliced = linear(
        written,
        0.7,
        0.03,
        **base,
        **{"venues.one.liquidation": "{kind: partial, slice: 0.2, target_ratio: 1e9}"},
    )
    assert fall(sliced) == pytest.approx(fall(whole), abs=1e-11)
    assert sliced.summary["accounts_liquidated"] == whole.summary["accounts_liquidated"]
    assert sliced.summary["generations"] > whole.summary["generations"]
    # The threshold of collateral c per contract is (c - m) / (1 - m), so the fall solves
    # D = s + g (m + (1 - m) D).
    closed = (0.03 + 0.7 * margin) / (1.0 - 0.7 * (1.0 - margin))
    assert fall(whole) == pytest.approx(closed, abs=THETA / (number * 0.3))


def test_a_scenario_in_text_gives_the_same_cascade(tmp_path: Path) -> None:
    """Cohorts of one account each, written by hand: g = 1/2 from two thresholds."""
    cohorts = "\n".join(
        f"  - {{cohort: c{k}, count: 1, venues: {{one: 1}}, long_share: 1, "
        f"equity: {{dist: constant, value: {0.2 * (k + 1)}}}, "
        f"leverage: {{dist: constant, value: {1 / (0.2 * (k + 1))}}}}}"
        for k in range(2)
    )
    result = run_text(
        f"""
schema_version: 1
name: by-hand
clock: {{tick: 1s, horizon: 1s}}
assets: {{USD: {{price: 1}}, X: {{price: 1}}}}
venues: {{one: {{margin: {{kind: cross, maintenance_rate: 0}}}}}}
markets:
  - {{venue: one, symbol: X, kind: perpetual, base: X, quote: USD,
     impact: {{kind: linear, coefficient: 0.15}}}}
traders:
{cohorts}
shocks: [{{kind: jump, at: 0s, asset: X, return: -0.21}}]
""",
        tmp_path,
    )
    # 0.21 breaks the first account (0.2); its contract moves the price to 0.36, short of 0.4.
    assert fall(result) == pytest.approx(0.36, abs=1e-12)
    assert result.summary["accounts_liquidated"] == 1
