"""Networks of exposure, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import sim
from sim.cascade import Criterion, State
from sim.cascade.state_tables import TABLES
from sim.engine.state import state
from tests.engine.small_worlds import build, linear, perp, venue

BOOK: list[Any] = [
    ("a", "t0", "one", {"USDT": 1000}, [("one/BTC-PERP", 10, 100), ("one/ETH-PERP", 40, 10)]),
    ("b", "t1", "one", {"USDT": 900}, [("one/BTC-PERP", 30, 100)]),
    ("c", "t1", "two", {"USDT": 500}, [("two/BTC-PERP", -20, 100)]),
    ("d", "t2", "two", {"USDT": 500}, [("two/BTC-PERP", 5, 100)]),
    ("e", "t3", "one", {"USDT": 500}, [("one/ETH-PERP", -30, 10)]),
    ("f", "t4", "two", {"USDT": 70}, []),
]


@pytest.fixture
def found(tmp_path: Path) -> State:
    markets = [
        perp(impact=linear(0.05)), perp(base="ETH", impact=linear(0.005)),
        perp("two", impact=linear(0.1)),
    ]  # fmt: skip
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10}}
    venues = {"one": venue(), "two": venue(mark={"kind": "index"})}
    return state(build(tmp_path, BOOK, venues=venues, markets=markets, assets=assets))


# -- exposure


def test_graph_holds_every_position(found: State) -> None:
    graph = found.bipartite()
    assert nx.is_bipartite(graph)
    held = {(a, m): q * 100 if "BTC" in m else q * 10 for a, *_, ps in BOOK for m, q, _ in ps}
    edges = {
        (a.removeprefix("account:"), m.removeprefix("market:")): graph.edges[a, m]["notional"]
        for a in graph if graph.nodes[a]["kind"] == "account" for m in graph[a]
    }  # fmt: skip
    assert edges == held
    assert graph.nodes["account:f"]["equity"] == 70
    assert graph.nodes["market:two/BTC-PERP"]["venue"] == "two"
    assert graph.degree("market:one/BTC-PERP", weight="weight") == 4000


def test_overlap_is_the_cosine_of_notionals(found: State) -> None:
    matrix, names = found.overlap("account")
    table = pd.DataFrame(matrix.toarray(), index=names, columns=names)
    assert names == ["a", "b", "c", "d", "e"]
    assert np.diag(table) == pytest.approx(1.0)
    assert table.loc["a", "b"] == pytest.approx(1000 / np.hypot(1000, 400))
    assert table.loc["a", "e"] == pytest.approx(-400 / np.hypot(1000, 400))
    assert table.loc["c", "d"] == pytest.approx(-1.0)
    assert table.loc["b", "c"] == 0.0
    by_trader, traders = found.overlap()
    assert traders == ["t0", "t1", "t2", "t3"]
    dense = by_trader.toarray()
    assert dense[1, 2] == pytest.approx(-2000 / np.hypot(3000, 2000))
    assert (dense == dense.T).all()


def test_overlap_of_too_many_is_refused(found: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cascade.exposure.MOST_PAIRS", 10)
    with pytest.raises(ValueError, match=r"5 holders have up to 12 pairs .* by='cohort'"):
        found.overlap("account")
    assert found.overlap("cohort")[1] == ["book"]


def test_venues_are_coupled_by_traders_and_assets(found: State) -> None:
    table = found.venue_coupling().set_index(["venue", "other"])
    one, two = table.loc[("one", "two")], table.loc[("two", "one")]
    assert (one["traders"], one["notional"], one["shared_bases"]) == (1, 3000.0, "BTC")
    assert (two["traders"], two["notional"]) == (1, 2000.0)
    assert (one["shared_notional"], two["shared_notional"]) == (4000.0, 2500.0)


def test_concentration(found: State) -> None:
    table = found.concentration(top=1).set_index(["market", "side"])
    longs = table.loc[("one/BTC-PERP", "long")]
    assert (longs["holders"], longs["notional"]) == (2, 4000.0)
    assert longs["hhi"] == pytest.approx(0.25**2 + 0.75**2)
    assert longs["top_share"] == pytest.approx(0.75)
    assert table.loc[("two/BTC-PERP", "short"), "hhi"] == 1.0
    assert np.isnan(table.loc[("one/BTC-PERP", "short"), "hhi"])


def test_accounts_by_venue(found: State) -> None:
    table = found.venues().set_index("clearer")
    assert table.loc["one", "accounts"] == 3
    assert table.loc["two", "notional"] == 2500.0
    assert table.loc["one", "maintenance_margin"] == pytest.approx(0.1 * (1400 + 3000 + 300))
    assert table.loc["one", "leverage"] == pytest.approx(4700 / 2400)


def test_slopes_go_through_the_index(found: State) -> None:
    """Venue two marks at the mean of both BTC markets; rate 0.1 takes a tenth of a long's gain."""
    table = found.sensitivities().set_index(["account_id", "market"])["slope"]
    assert table[("d", "one/BTC-PERP")] == pytest.approx(0.5 * 500 * 0.9, rel=1e-6)
    assert table[("d", "two/BTC-PERP")] == pytest.approx(0.5 * 500 * 0.9, rel=1e-6)
    assert table[("c", "two/BTC-PERP")] == pytest.approx(-0.5 * 2000 * 1.1, rel=1e-6)
    assert table[("a", "one/ETH-PERP")] == pytest.approx(400 * 0.9, rel=1e-6)
    assert ("b", "two/BTC-PERP") not in table.index


def test_ladder_shows_both_sides(found: State) -> None:
    """b breaks at 100 - 600 / 27 = 77.8; c, at the mean of both markets, at 100 + 300 / 22."""
    ladder = found.liquidation_ladder(asset="BTC", moves=[-0.23, -0.22, 0.13, 0.14])
    table = ladder.set_index(["move", "market", "side"])
    assert table.loc[(-0.23, "one/BTC-PERP", "sell"), "quantity"] == -30
    assert table.loc[(-0.22, "one/BTC-PERP", "sell"), "quantity"] == 0
    assert table.loc[(0.14, "two/BTC-PERP", "buy"), "quantity"] == 20
    assert table.loc[(0.14, "two/BTC-PERP", "buy"), "notional"] == 2000
    assert table.loc[(0.13, "two/BTC-PERP", "buy"), "quantity"] == 0
    alone = found.liquidation_ladder("two/BTC-PERP", moves=[0.14, 0.28])
    moved = alone[alone["accounts"] > 0]
    assert moved["move"].tolist() == [0.28]  # the index goes half way
    assert found.liquidation_ladder("one/BTC-PERP")["move"].nunique() == 101


def test_thinner_books(found: State) -> None:
    """A tenth of the depth is a tenth of the notional for 1 %, and ten times the radius."""
    thin = found.with_depth(0.1)
    for name in ("depth", "liquidity"):
        assert thin.markets[name].tolist() == pytest.approx((0.1 * found.markets[name]).tolist())
    slope = found.markets["impact_slope"]
    assert thin.markets["impact_slope"].tolist() == pytest.approx((10.0 * slope).tolist())
    before, after = (s.amplification(window=0.5).matrix for s in (found, thin))
    assert before.to_numpy().any()
    assert after.to_numpy() == pytest.approx(10.0 * before.to_numpy(), rel=1e-3)
    some = found.with_depth({"two/BTC-PERP": 0.5}).markets["liquidity"]
    assert some.tolist() == [1.0, 1.0, 0.5]
    same = found.with_depth(1.0)
    pd.testing.assert_frame_equal(same.markets, found.markets, rtol=1e-12)


# -- refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.liquidation_ladder(), "one market or one asset"),
        (lambda s: s.liquidation_ladder("one/BTC-PERP", asset="BTC"), "one market or one asset"),
        (lambda s: s.liquidation_ladder("one/BTC-PRP"), "did you mean 'one/BTC-PERP'"),
        (lambda s: s.liquidation_ladder(asset="XRP"), "'XRP' is unknown; there are"),
        (lambda s: s.liquidation_ladder(asset="BTC", moves=[-1.0]), "a move is -1.0"),
        (lambda s: s.liquidation_ladder(asset="BTC", moves=[np.nan]), "a move is nan"),
        (lambda s: s.liquidation_ladder(asset="BTC", moves=[]), r"the shape \(0,\)"),
        (lambda s: s.amplification(window=0.0), "the window is 0.0"),
        (lambda s: s.amplification(window=np.inf), "the window is inf"),
        (lambda s: s.amplification(shock=-0.1), "size is -0.1"),
        (lambda s: s.amplification(shock=1.0), "prices fall to 0 at 1"),
        (lambda s: s.amplification().carriers("venue"), "by is 'venue'"),
        (lambda s: s.critical_shock({}), "a weight other than 0"),
        (lambda s: s.critical_shock({"BTC": np.nan}), "weight of 'BTC' is nan"),
        (lambda s: s.critical_shock({"BTX": -1}), "did you mean 'BTC'"),
        (lambda s: s.critical_surface("BTC", "BTC"), "must differ"),
        (lambda s: s.critical_surface("BTC", "ETH", points=1), "points is 1"),
        (lambda s: s.overlap("venue"), "by is 'venue'; allowed: account, trader, cohort"),
        (lambda s: s.response([]), "there are no sizes"),
        (lambda s: s.response([0.1, np.nan]), "size is nan"),
        (lambda s: s.with_depth(0.0), "depth factor of 'one/BTC-PERP' is 0.0"),
        (lambda s: s.with_depth({"one/BTC": 1.0}), "'one/BTC' is unknown"),
        (lambda s: s.concentration(top=0), "top is 0"),
        (lambda s: Criterion(jump=0.0), "jump is 0.0"),
        (lambda s: Criterion(share=1.5), "share is 1.5"),
        (lambda s: Criterion(tolerance=np.nan), "tolerance is nan"),
        (lambda s: Criterion(grid=0), "grid is 0"),
        (lambda s: s.critical_shock({"BTC": -1}, criterion=Criterion(most=1.0)), "most is 1.0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(found: State, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(found)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("accounts", lambda t: t.drop(columns="equity"), "'accounts' lacks the columns equity"),
        ("accounts", lambda t: pd.concat([t, t.iloc[:1]]), "account 'a' is there twice"),
        ("accounts", lambda t: t.assign(equity=np.nan), "equity nan; it must be a finite"),
        ("positions", lambda t: t.assign(account_id="x"), "'x', which is no account"),
        ("positions", lambda t: t.assign(market="one/DOGE"), "'one/DOGE' is not among"),
        ("positions", lambda t: t.assign(quantity=np.inf), "quantity inf"),
        ("markets", lambda t: t.assign(tick=7), "hold 2 ticks"),
        ("margin", lambda t: t.iloc[:1], "no margin of clearer"),
    ],
)
def test_bad_tables_are_refused(found: State, table: str, change: Any, message: str) -> None:
    tables = {**found.tables, table: change(found.tables[table])}
    with pytest.raises(ValueError, match=message):
        State(tables, found.rules).critical_shock({"BTC": -1})


def test_a_missing_table_or_scenario_is_refused(found: State) -> None:
    tables = {name: found.tables[name] for name in TABLES if name != "balances"}
    with pytest.raises(ValueError, match="lacks the tables balances"):
        State(tables, found.rules)
    with pytest.raises(sim.ScenarioError):
        State(found.tables, {"name": "nothing"})


def test_a_world_without_accounts(tmp_path: Path) -> None:
    """Nothing to sell: no ladder rows, a matrix of zeros, no critical shock."""
    empty = state(build(tmp_path))
    assert empty.liquidation_ladder(asset="BTC").empty
    matrix = empty.amplification()
    assert matrix.radius == 0.0
    assert matrix.carriers().empty
    shock = empty.critical_shock()
    assert (shock.criterion, shock.size, shock.linear) == ("none", np.inf, np.inf)
    assert np.isnan(shock.frame()["return one/BTC-PERP"].item())
    assert empty.overlap()[0].shape == (0, 0)
    assert empty.venues().empty


def test_row_order_of_the_tables_is_nothing(found: State) -> None:
    tables = {
        name: frame.iloc[::-1] if name in ("accounts", "positions", "balances") else frame
        for name, frame in found.tables.items()
    }
    other = State(tables, found.rules)
    assert other.critical_shock() == found.critical_shock()
    pd.testing.assert_frame_equal(other.sensitivities(), found.sensitivities(), check_exact=True)


STALE = """
schema_version: 1
name: stale
seed: 1
clock: {tick: 1s, horizon: 4s}
assets: {USD: {price: 1}, USDT: {price: 1}, BTC: {price: 100}, ETH: {price: 5}}
venues: {one: {margin: {kind: cross, initial_rate: 0.1, maintenance_rate: 0.05}}}
markets:
  - {venue: one, symbol: USDT-USD, kind: spot, base: USDT, quote: USD,
     impact: {kind: linear, depth: 2e5}}
  - {venue: one, symbol: BTC-USDT, kind: spot, base: BTC, quote: USDT,
     impact: {kind: linear, depth: 2e5}}
  - {venue: one, symbol: ETH-BTC, kind: spot, base: ETH, quote: BTC,
     impact: {kind: linear, depth: 2e3}}
"""


def test_values_that_lag_are_counted_as_they_stand() -> None:
    """USDT is counted 2 % below its market: so is, once, what is quoted in it."""
    scenario = sim.load_text(STALE)
    tables = {name: table.copy() for name, table in state(scenario).tables.items()}
    known = {"USD": 1.0, "USDT": 0.98, "BTC": 98.0, "ETH": 4.9}
    tables["assets"]["value"] = tables["assets"]["asset"].map(known)
    prices = State(tables, scenario).cascade.prices
    values = prices.at(prices.last, prices.free)
    assert values.worth.tolist() == pytest.approx([1.0, 0.98, 98.0])
