"""Systemic importance of venues and cohorts, measured by taking them away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sim
from sim.experiments import Importance, systemic_importance
from tests.analytic.bench import ANALYTIC, venues_book
from tests.cli.command import small

ACCOUNTS = 4_000
G = np.array([0.6, 0.5])
PHI, SHOCK = 0.6, 0.01


@pytest.fixture(scope="module")
def two_venues(tmp_path_factory: pytest.TempPathFactory) -> Importance:
    """Two venues with passive transmission, a fall of the same size on both."""
    folder = tmp_path_factory.mktemp("two-venues")
    values = venues_book(ACCOUNTS, {"a": 0.45, "b": 0.5}).write(folder)
    shock = {"kind": "jump", "at": "0s", "asset": "X", "return": -SHOCK}
    values |= {"coupling.0.phi": PHI, "shocks": [shock]}
    return systemic_importance(sim.load(ANALYTIC / "cross-impact.yaml", values))


def closed(silent: str = "", phi: float = PHI) -> np.ndarray:
    matrix = np.array([[G[0], phi * G[1]], [phi * G[0], G[1]]])
    for venue in silent:
        matrix[:, "ab".index(venue)] = 0.0
    return np.linalg.solve(np.eye(2) - matrix, np.full(2, SHOCK))


def test_avoided_falls_are_those_of_the_closed_forms(two_venues: Importance) -> None:
    avoided = two_venues.avoided()
    for venue in "ab":
        for change, other in (
            ("silence", closed(venue)),
            ("absent", closed(venue)),
            ("fence", closed(phi=0.0)),
        ):
            columns = [f"{change}.markets.{name}/X.deepest_fall" for name in "ab"]
            found = avoided.loc[venue, columns].to_numpy(dtype=float)
            assert found == pytest.approx(closed() - other, abs=2e-3)


def test_what_is_avoided_elsewhere_leaves_the_venue_itself_out(two_venues: Importance) -> None:
    effects = two_venues.effects().set_index(["name", "change", "figure"])["avoided"]
    for venue, change in two_venues.comparisons:
        other = "b" if venue == "a" else "a"
        pair = two_venues.comparisons[venue, change]
        for key in ("accounts_liquidated", "liquidated_notional", "shortfall"):
            own = -pair.differences[f"venues.{other}.{key}"].iloc[0]
            assert effects[venue, change, f"{key}_elsewhere"] == pytest.approx(own, abs=1e-12)
    # Who holds nothing cannot be sold; who is silenced is sold, but nobody because of it.
    assert (
        effects["a", "absent", "accounts_liquidated"]
        > effects["a", "silence", "accounts_liquidated"]
    )
    elsewhere = "accounts_liquidated_elsewhere"
    assert effects["a", "absent", elsewhere] == effects["a", "silence", elsewhere] > 0


def test_the_network_is_that_of_the_forced_moves(two_venues: Importance) -> None:
    """B feels phi of what A sells: per unit of A's own log move, as long as moves are small."""
    network = two_venues.network
    assert list(network.index) == list(network.columns) == ["a", "b"]
    assert network.loc["a", "b"] / network.loc["a", "a"] == pytest.approx(PHI, rel=0.05)
    table = two_venues.table()
    assert table.loc["a", "out_strength"] == pytest.approx(network.loc["a", "b"])
    assert {"pagerank", "betweenness", "debtrank"} <= set(table)
    notes = two_venues.correlations()["note"]
    assert notes.str.contains("3 are needed").all()  # two venues cannot be ranked


COHORTS = """
schema_version: 1
name: cohorts
seed: 5
clock: {tick: 1s, horizon: 4s}
assets: {USDT: {price: 1}, BTC: {price: 100}}
venues:
  one: {margin: {kind: cross, initial_rate: 0.02, maintenance_rate: 0.01}}
markets:
  - {venue: one, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {kind: linear, depth: 2e5}}
traders:
"""


def cohorts() -> sim.Scenario:
    """Four cohorts, alike but for their leverage and their number."""
    rows = "".join(
        f"  - {{cohort: c{count}, count: {count}, venues: {{one: 1}}, long_share: 1,"
        f" equity: {{dist: constant, value: 100}},"
        f" leverage: {{dist: uniform, min: 2, max: {most}}}}}\n"
        for count, most in ((10, 3), (20, 10), (40, 20), (80, 40))
    )
    shock = "shocks:\n  - {kind: jump, at: 1s, asset: BTC, return: -0.08}\n"
    return sim.load_text(COHORTS + rows + shock)


def test_cohorts_are_ranked_by_what_leaving_them_out_avoids() -> None:
    found = systemic_importance(cohorts(), "cohort", replications=3)
    assert found.names == ["c10", "c20", "c40", "c80"]
    avoided = found.avoided()["without.markets.one/BTC-PERP.deepest_fall"]
    assert avoided["c80"] == avoided.max() > avoided["c10"]
    effects = found.effects()
    assert (effects["low"] <= effects["avoided"]).all()
    assert (effects["avoided"] <= effects["high"]).all()
    # What is lost to the fall itself is nobody's doing.
    runs = [sim.run(cohorts(), seed=seed).cascade.losses() for seed in (5, 6, 7)]
    forced = [lost[lost["cause"].str.startswith("liquidation:")] for lost in runs]
    assert found.network.to_numpy().sum() == pytest.approx(
        sum(part["loss"].sum() for part in forced) / 3.0, rel=1e-9
    )
    suffered = sum(part.groupby("cohort")["loss"].sum() for part in forced) / 3.0
    assert found.network.sum()[suffered.index].to_numpy() == pytest.approx(suffered.to_numpy())
    pair = found.comparisons["c80", "without"]
    assert (pair.counterfactual["cohorts.c80.accounts_liquidated"] == 0.0).all()
    told = found.correlations()
    out = told[(told["measure"] == "out_strength") & (told["figure"] == "accounts_liquidated")]
    assert out["spearman"].iloc[0] > 0.7
    assert out["n"].iloc[0] == 4


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    alone, many = (systemic_importance(scenario, workers=n) for n in (1, 2))
    pd.testing.assert_frame_equal(alone.effects(), many.effects(), check_exact=True)
    pd.testing.assert_frame_equal(alone.network, many.network, check_exact=True)


def test_ugly_arguments_are_refused(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    with pytest.raises(ValueError, match="by is 'trader'; allowed: venue, cohort"):
        systemic_importance(scenario, "trader")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="replications is 0; allowed: a whole number from 1 on"):
        systemic_importance(scenario, replications=0)
    empty = scenario.model_copy(update={"traders": []})
    record = cohorts().record.model_copy(update={"breaks": False})
    unrecorded = cohorts().model_copy(update={"record": record})
    with pytest.raises(sim.ScenarioError, match=r"record\.breaks: found false.*allowed: true"):
        systemic_importance(unrecorded, "cohort")
    with pytest.raises(sim.ScenarioError, match="traders: found no cohort"):
        systemic_importance(empty, "cohort")
