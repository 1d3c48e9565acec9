"""Counterfactual worlds against closed forms, and on common random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from sim.experiments import (
    Absent,
    Change,
    InstantTransfers,
    MarginRule,
    NoLiquidation,
    Override,
    RingFence,
    Silence,
    Without,
    counterfactual,
)
from tests.analytic.bench import ANALYTIC, venues_book
from tests.cli.command import small

ACCOUNTS = 20_000
THETA = np.array([0.45, 0.5])
G = np.array([0.6, 0.5])
SHOCK = 0.01


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tops = dict(zip("ab", THETA.tolist(), strict=True))
    return venues_book(ACCOUNTS, tops).write(tmp_path_factory.mktemp("two-venues"))


def falls(figures: pd.DataFrame, venues: str = "ab") -> np.ndarray:
    return np.array([figures[f"markets.{v}/X.fall"].iloc[0] for v in venues])


def within(found: np.ndarray, matrix: np.ndarray, shock: np.ndarray, silent: str = "") -> None:
    """Compare with D = s + K D, K's columns of silenced venues being 0.

    Thresholds sit at (k + 1/2) Theta / N, so that D is within (I - K)**-1 K Theta / (2 N).
    """
    matrix = matrix.copy()
    for venue in silent:
        matrix[:, "ab".index(venue)] = 0.0
    inverse = np.linalg.inv(np.eye(2) - matrix)
    slack = inverse @ matrix @ (THETA / (2.0 * ACCOUNTS))
    assert (np.abs(found - inverse @ shock) <= slack + 1e-11).all()


def transmission(phi: float) -> np.ndarray:
    return np.array([[G[0], phi * G[1]], [phi * G[0], G[1]]])


# ---------------------------------------- two venues, passive transmission


@pytest.mark.parametrize("silent", ["", "a", "b", "ab"])
def test_a_silenced_venue_drops_out_of_the_two_venue_matrix(
    book: dict[str, str], silent: str
) -> None:
    scenario = sim.load(ANALYTIC / "cross-impact.yaml", {**book, "coupling.0.phi": 0.6})
    found = counterfactual(scenario, [Silence(venue) for venue in silent])
    shock = np.array([SHOCK, 0.0])
    within(falls(found.factual), transmission(0.6), shock)
    within(falls(found.counterfactual), transmission(0.6), shock, silent)


def test_silencing_b_leaves_the_one_market_law_of_a(book: dict[str, str]) -> None:
    """D_A = s / (1 - g_A), and B feels phi g_A D_A and nothing of its own."""
    scenario = sim.load(ANALYTIC / "cross-impact.yaml", {**book, "coupling.0.phi": 0.3})
    found = counterfactual(scenario, "silence:b")
    alone = SHOCK / (1.0 - G[0])
    assert alone == pytest.approx(0.025)
    assert falls(found.counterfactual) == pytest.approx([alone, 0.3 * G[0] * alone], abs=5e-5)
    # The accounts on B are closed all the same: the share D_B / Theta_B of them.
    closed = found.counterfactual["venues.b.accounts_liquidated"].iloc[0]
    assert closed == pytest.approx(ACCOUNTS * 0.0045 / THETA[1], abs=1)
    assert (found.differences["markets.a/X.fall"] < 0.0).all()


def test_ring_fencing_makes_the_venues_independent(book: dict[str, str]) -> None:
    values = {**book, "coupling.0.phi": 0.6}
    values |= {"shocks": [{"kind": "jump", "at": "0s", "asset": "X", "return": -SHOCK}]}
    scenario = sim.load(ANALYTIC / "cross-impact.yaml", values)
    for fenced in ("a", "b"):
        found = counterfactual(scenario, RingFence(fenced)).counterfactual
        within(falls(found), np.diag(G), np.full(2, SHOCK))


@pytest.mark.parametrize("change", [Absent("b"), NoLiquidation("b")])
def test_without_accounts_or_liquidation_nothing_is_sold(
    book: dict[str, str], change: Change
) -> None:
    scenario = sim.load(ANALYTIC / "cross-impact.yaml", book)
    found = counterfactual(scenario, change).counterfactual
    within(falls(found), transmission(0.3), np.array([SHOCK, 0.0]), "b")
    assert found["venues.b.accounts_liquidated"].iloc[0] == 0
    assert found["venues.b.liquidated_notional"].iloc[0] == 0.0
    assert found["venues.b.accounts"].iloc[0] == (0 if change == Absent("b") else ACCOUNTS)


# ---------------------------------------- two venues, arbitrage


@pytest.mark.parametrize("kappa", [0.25, 1.0])
def test_arbitrage_with_a_silenced_or_fenced_venue(book: dict[str, str], kappa: float) -> None:
    """K = M / Theta, M = [[l_A (1 - k w_A), k w_A l_B], [k w_B l_A, l_B (1 - k w_B)]].

    Silencing B takes its column away; fencing it takes the arbitrageur away.
    """
    impact = np.array([0.5, 0.1])
    w = impact / impact.sum()
    matrix = np.array(
        [
            [impact[0] * (1 - kappa * w[0]), kappa * w[0] * impact[1]],
            [kappa * w[1] * impact[0], impact[1] * (1 - kappa * w[1])],
        ]
    )
    scenario = sim.load(ANALYTIC / "arbitrage.yaml", {**book, "coupling.0.kappa": kappa})
    shock = np.array([SHOCK, 0.0])
    silenced = counterfactual(scenario, Silence("b"))
    within(falls(silenced.factual), matrix / THETA, shock)
    within(falls(silenced.counterfactual), matrix / THETA, shock, "b")
    fenced = falls(counterfactual(scenario, RingFence("b")).counterfactual)
    # Alone A tips: lambda_A > Theta_A, and everything is sold.
    assert fenced == pytest.approx([SHOCK + impact[0], 0.0], abs=1e-9)


# ------------------------------------------------------------------------- common random numbers


def test_nothing_changed_is_nothing_different_to_the_last_bit(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    found = counterfactual(scenario, [], replications=3)
    assert found.factual.equals(found.counterfactual)
    assert (found.differences.dropna(axis=1) == 0.0).all(axis=None)
    assert found.name == "unchanged"
    same = counterfactual(scenario, Override("venues.alpha.margin.maintenance_rate", 0.01))
    assert same.factual.equals(same.counterfactual)


def test_replications_are_runs_on_the_next_seeds(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    found = counterfactual(scenario, "silence:alpha", seed=11, replications=3)
    assert found.seeds == (11, 12, 13)
    for seed in found.seeds:
        for world, figures in (
            (scenario, found.factual),
            (found.scenario, found.counterfactual),
        ):
            facts = sim.run(world, seed=seed).summary
            row = figures.loc[seed]
            assert row["liquidated_notional"] == facts["liquidated_notional"]
            assert row["venues.beta.shortfall"] == facts["venues"]["beta"]["shortfall"]
    assert found.factual["liquidated_notional"].nunique() == 3
    # Nothing ties the two venues here, so beta has the same random fate in both worlds.
    beta = [name for name in found.factual if name.startswith(("venues.beta", "markets.beta"))]
    assert found.factual[beta].equals(found.counterfactual[beta])
    assert counterfactual(scenario, (), replications=1).seeds == (scenario.seed,)


def test_workers_change_nothing(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    alone, many = (
        counterfactual(scenario, "absent:beta", replications=2, workers=n) for n in (1, 2)
    )
    assert alone.factual.equals(many.factual)
    assert alone.counterfactual.equals(many.counterfactual)


def test_the_summary_is_that_of_paired_differences(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    found = counterfactual(scenario, MarginRule("alpha", {"maintenance_rate": 0.015}),
                           replications=4)  # fmt: skip
    figure = "venues.alpha.liquidated_notional"
    row, d = found.summary(0.9).loc[figure], found.differences[figure].to_numpy()
    assert row["difference"] == pytest.approx(d.mean())
    assert row["difference"] == pytest.approx(row["counterfactual"] - row["factual"])
    half = 2.353363 * d.std(ddof=1) / 2.0  # t at 95 % with 3 degrees of freedom
    assert (row["low"], row["high"]) == pytest.approx((d.mean() - half, d.mean() + half), rel=1e-6)
    assert -1.0 <= row["correlation"] <= 1.0
    wider = found.summary(0.99).loc[figure]
    assert wider["low"] < row["low"] <= row["high"] < wider["high"]
    assert np.isnan(counterfactual(scenario, ()).summary().loc[figure, "low"])


def test_a_counterfactual_run_is_kept_and_replayed(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    other = counterfactual(scenario, ["silence:alpha", Without("retail-03")]).scenario
    result = sim.run(other)
    folder = result.save(tmp_path / "results", figures=False)
    assert result.manifest["scenario"]["counterfactual"]["silence"] == ["alpha"]
    assert result.summary["run_id"] != sim.run(scenario).summary["run_id"]
    assert "prices.parquet" in sim.replay(folder)
    assert "counterfactual" not in sim.run(scenario).manifest["scenario"]


# -------------------------------------------------------------------------------------- transfers


def test_instant_transfers_break_nobody_who_was_whole(tmp_path: Path) -> None:
    """Calls on 40 accounts with wallets: money that comes at once comes in time."""
    file = small(tmp_path)
    text = file.read_text(encoding="utf-8")
    call, rate = "call: {level: 1.5, grace: 2s}", "maintenance_rate: 0.01"
    wallet = "    wallet: {dist: uniform, min: 0, max: 1}\n"
    top_up = "    top_up: {sources: [wallet], latency: 4s}\n"
    sides = "    long_share: 0.7\n"
    text = text.replace(f"{rate}}}", f"{rate}, {call}}}").replace(sides, sides + wallet + top_up)
    text = text.replace("kind: jump, at: 5s,", "kind: ramp, at: 5s, duration: 8s,")
    file.write_text(text, encoding="utf-8")
    scenario = sim.load(file)
    found = counterfactual(scenario, InstantTransfers(), replications=5)
    assert (found.differences["accounts_liquidated"] <= 0).all()
    assert found.differences["accounts_liquidated"].sum() < 0


def test_a_fence_ends_the_contagion_through_shared_collateral() -> None:
    """The shipped scenario ties its venues by a broker and by transfers alone; no price is coupled.

    Behind a fence beta does not move at all. The broker's accounts are divided, and what they lose
    on alpha no longer has the collateral of their positions on beta behind it.
    """
    scenario = sim.load(ANALYTIC.parent / "shared-collateral.yaml", {"clock.horizon": "8min"})
    found = counterfactual(scenario, "fence:beta").summary()
    for market in ("beta/BTC-PERP", "beta/ETH-PERP"):
        assert found.loc[f"markets.{market}.deepest_fall", "factual"] > 0.05
        assert found.loc[f"markets.{market}.deepest_fall", "counterfactual"] == 0.0
    assert found.loc["venues.beta.accounts_liquidated", "counterfactual"] == 0
    assert found.loc["venues.prime.shortfall", "difference"] > 0.0
