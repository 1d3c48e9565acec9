"""Sellers, victims, first breaks and the figures of a cascade."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sim.cascade import Cascade
from tests.cascade.synthetic_losses import (
    even,
    fall,
    linear,
    shuffled,
    told,
    two_venues,
)
from tests.cascade.test_graph_balance import with_money_and_collateral


@pytest.mark.parametrize("by", ["account", "cohort", "venue"])
def test_sellers_cost_what_victims_lost_to_them(by: str) -> None:
    cascade = two_venues()
    sellers = cascade.sellers(by)  # type: ignore[arg-type]
    victims = cascade.victims(by)  # type: ignore[arg-type]
    losses = cascade.losses()
    forced = losses.query("source_generation >= 0")["loss"].sum()
    assert sellers["loss_caused"].sum() == pytest.approx(forced)
    assert sellers["loss_caused"].is_monotonic_decreasing
    assert sellers["notional"].sum() == pytest.approx(cascade.liquidations["notional"].sum())
    assert victims["loss"].sum() == pytest.approx(losses["loss"].sum())
    assert victims["forced"].sum() == pytest.approx(forced)
    parts = victims[["forced", "exogenous", "other"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(victims["loss"].to_numpy())
    assert sellers["children"].sum() <= (cascade.breaks["generation"] >= 1).sum() + 1e-9


def test_the_dearest_cause_is_named() -> None:
    victims = with_money_and_collateral().victims().set_index("account")
    assert victims.loc["0@alpha", "by_whom"] == "fees"
    assert victims.loc["1@alpha", "by_whom"] == "exogenous"


def test_first_breaks_are_in_the_order_of_time_and_name() -> None:
    cascade = two_venues()
    first = cascade.first_breaks(4)
    assert len(first) == 4
    assert (first["time"] == 1.0).all()
    assert (first["generation"] == 0).all()
    assert first["account_id"].is_monotonic_increasing
    assert cascade.first_breaks(10_000)["time"].is_monotonic_increasing
    assert set(cascade.first_breaks(3, window=(2.0, 3.0))["generation"]) == {1}


def test_sellers_of_a_window_are_those_of_its_orders_and_its_victims() -> None:
    cascade = two_venues()
    inside = cascade.sellers(window=(2.0, 3.0))
    orders = cascade.liquidations.query("tick == 2")
    assert inside["notional"].sum() == pytest.approx(orders["notional"].sum())
    lost = cascade.losses().query("tick == 2 and source_generation >= 0")["loss"].sum()
    assert inside["loss_caused"].sum() == pytest.approx(lost)
    earlier = inside[inside["notional"] == 0.0]
    assert (earlier["generation"] == 0).all()
    assert earlier["loss_caused"].sum() == pytest.approx(lost)


def test_statistics_of_the_linear_cascade() -> None:
    g, shock, number = 0.8, 0.02, 4000
    found = linear(number, g, shock, unrolled=True).statistics()
    assert found["accounts"] == found["breaks"] == pytest.approx(number * 0.2, abs=20)
    assert found["children"] == pytest.approx(g, abs=0.01)
    assert found["breadth"] == number * shock / 0.5
    assert found["duration"] == found["depth"]
    assert found["clusters"] == 1
    assert found["largest_cluster"] == found["breaks"]
    assert found["forced_share_of_loss"] == pytest.approx(g**2, abs=0.01)
    assert found["loss"] == pytest.approx(number * shock**2 / (0.5 * (1 - g**2)), rel=0.02)
    assert found["notional"] == {"market": found["accounts"] * 1e6}
    # The market fell by s / (1 - g), and g of that was forced.
    assert found["forced_share_of_moves"]["alpha/X"] == pytest.approx(g, abs=0.01)
    assert math.isnan(found["tail"]["exponent"])
    assert found["tail"]["reason"]


def test_statistics_without_losses_have_what_the_tables_hold() -> None:
    cascade = linear(100)
    old = Cascade(cascade.liquidations, cascade.price_causes, cascade.prices, cascade.venues)
    known, found = cascade.statistics(), old.statistics()
    assert {"breaks", "clusters", "tail"} & set(found) == set()
    assert all(found[name] == known[name] for name in found)
    nothing = Cascade(*(pd.DataFrame() for _ in range(4))).statistics()
    assert (nothing["accounts"], nothing["depth"], nothing["duration"]) == (0, 0, 0.0)


def test_rankings_do_not_depend_on_the_order_of_rows() -> None:
    tables = fall({"alpha": even(60, 0.5), "beta": even(40, 0.6)}, 0.05, 0.004, 0.001, True)
    one, other = told(tables), told(shuffled(tables, 4))
    for name in ("victims", "sellers", "first_breaks"):
        first, second = getattr(one, name)(), getattr(other, name)()
        numbers = first.select_dtypes(np.number).columns
        pd.testing.assert_frame_equal(
            first[numbers].sort_values(list(numbers), ignore_index=True),
            second[numbers].sort_values(list(numbers), ignore_index=True),
        )


def test_unknown_groups_are_refused() -> None:
    for method in (linear(10).sellers, linear(10).victims):
        with pytest.raises(ValueError, match="by is 'market'; allowed: account, cohort, venue"):
            method("market")  # type: ignore[arg-type]


def test_losses_are_summed_by_any_columns() -> None:
    cascade = with_money_and_collateral()
    losses = cascade.losses()
    for columns in (["cause"], ["generation", "cause"], ["account_id", "through"], ["tick"]):
        found = cascade.losses_by(*columns)
        want = losses.groupby(columns, as_index=False)[["loss"]].sum()
        pd.testing.assert_frame_equal(found, want, check_dtype=False)
    early = cascade.losses_by("cause", window=(0.0, 2.0))
    assert early["loss"].sum() == pytest.approx(losses.query("time < 2")["loss"].sum())
    with pytest.raises(ValueError, match="columns are 'venue'; allowed: break_id"):
        cascade.losses_by("venue")
    with pytest.raises(ValueError, match="columns are none"):
        cascade.losses_by()
