"""What broken accounts lost to which cause, in worlds small enough to know it by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sim.cascade import Cascade
from sim.core.parquet import read_parquet
from tests.engine.small_worlds import jump, linear, longs, perp, play, venue

TABLES = ("breaks", "break_exposures", "break_flows", "value_moves")
NEAR = {"rel": 1e-9, "abs": 1e-12}


def causes_of(result, account):
    """Return the losses (cause, through, source: loss) of the only break of an account."""
    losses = result.cascade.losses()
    mine = losses[losses["account_id"] == account]
    assert mine["break_id"].nunique() == 1
    keys = zip(mine["cause"], mine["through"], mine["source"], strict=True)
    return dict(zip(keys, mine["loss"], strict=True))


def venues(**marks):
    return {name: venue(mark=mark) for name, mark in marks.items()}


def two_markets(**impacts):
    return [perp(name, impact=impact) for name, impact in impacts.items()]


def on(name, key, size, money):
    return (key, key, name, {"USDT": money}, [(f"{name}/BTC-PERP", size, 100)])


def test_a_shock_breaks_its_first_victim_alone(tmp_path):
    result = play(tmp_path, longs((2, 30)), shocks=[jump(-0.1)])
    assert causes_of(result, "a0") == {
        ("exogenous", "one/BTC-PERP", "one/BTC-PERP"): pytest.approx(20, **NEAR)
    }
    row = result.breaks.iloc[0]
    assert (row["tick"], row["generation"], row["equity"]) == (1, 0, pytest.approx(10))
    assert row["maintenance_margin"] == pytest.approx(18)
    assert (row["in_transit"], row["transfer_delay"]) == (0.0, 0.0)


def test_who_is_broken_by_a_sale_lost_to_it_alone(tmp_path):
    # a0 sells 2 at 90, which takes the price to 86; a1 needs 8.6 and has 22.1 - 14.
    markets = [perp(impact=linear(2))]
    accounts = longs((2, 30), (1, 22.1))
    result = play(tmp_path, accounts, markets=markets, shocks=[jump(-0.1)])
    assert causes_of(result, "a1") == {
        ("liquidation:one", "one/BTC-PERP", "one/BTC-PERP"): pytest.approx(4, **NEAR)
    }
    seller = result.cascade.seller_losses()
    mine = seller[seller["account_id"] == "a1"]
    assert mine[["seller_account", "seller_clearer", "seller_generation", "source_tick"]].to_numpy(
    ).tolist() == [["a0", "one", 0, 1]]  # fmt: skip
    assert mine["loss"].tolist() == pytest.approx([4])


def test_an_index_hands_on_a_sale_elsewhere_by_its_weights(tmp_path):
    # The sale takes 4 off the price at a, 2 off the index by which b marks.
    marks = venues(a={"kind": "last"}, b={"kind": "index"})
    accounts = [on("a", "a0", 2, 30), on("b", "b0", 1, 20.5)]
    markets = two_markets(a=linear(2), b={"kind": "none"})
    result = play(tmp_path, accounts, venues=marks, markets=markets, shocks=[jump(-0.1)])
    assert causes_of(result, "b0") == {
        ("liquidation:a", "b/BTC-PERP", "a/BTC-PERP"): pytest.approx(2, **NEAR)
    }


def test_a_median_hands_on_nothing_of_who_is_not_in_the_middle(tmp_path):
    rule = {"kind": "index", "method": "median"}
    marks = venues(a={"kind": "last"}, b=rule, c={"kind": "last"})
    accounts = [on("a", "a0", 2, 30), on("b", "b0", 1, 19.1)]
    markets = two_markets(a=linear(2), b={"kind": "none"}, c={"kind": "none"})
    shocks = [jump(-0.1), jump(-0.01, at=2)]
    result = play(tmp_path, accounts, venues=marks, markets=markets, shocks=shocks)
    found = causes_of(result, "b0")
    assert {key[0] for key in found} == {"exogenous"}
    assert sum(found.values()) == pytest.approx(0.9)


@pytest.mark.parametrize(
    "mark", [{"kind": "ema", "half_life": 2}, {"kind": "twap", "window": 4},
             {"kind": "oracle", "heartbeat": 3, "deviation": 0.5}],
    ids=lambda mark: mark["kind"],
)  # fmt: skip
def test_a_mark_that_lags_passes_on_the_causes_of_what_it_follows(mark, tmp_path):
    one = venue(mark={**mark, "of": "last"})
    accounts = longs((2, 24), (1, 22.1))
    result = play(
        tmp_path, accounts, venues={"one": one}, markets=[perp(impact=linear(2))],
        shocks=[jump(-0.1)], horizon=20,
    )  # fmt: skip
    losses = result.cascade.losses()
    assert set(losses["cause"]) == {"exogenous", "liquidation:one"}
    total = losses.groupby("break_id")["loss"].sum()
    assert total.to_numpy() == pytest.approx(result.breaks["loss"].to_numpy(), rel=1e-9)
    second = causes_of(result, "a1")
    assert second["liquidation:one", "one/BTC-PERP", "one/BTC-PERP"] > 0.0


def test_collateral_that_falls_is_named_as_such(tmp_path):
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 10, "haircut": 0.2}}
    account = ("a0", "t0", "one", {"ETH": 5}, [("one/BTC-PERP", 1, 100)])
    result = play(tmp_path, [account], assets=assets, shocks=[jump(-0.8, asset="ETH")])
    assert causes_of(result, "a0") == {
        ("exogenous", "collateral:ETH", ""): pytest.approx(32, **NEAR)
    }


def test_a_call_that_is_not_met_counts_from_before_it(tmp_path):
    # 15 at 90 is below 2 x 9; it breaks at 80, where it has 5.
    call = venue(call={"level": 2, "grace": 3})
    shocks = [jump(-0.1), jump(-10 / 90, at=2)]
    result = play(tmp_path, longs((1, 25)), venues={"one": call}, shocks=shocks)
    assert sum(causes_of(result, "a0").values()) == pytest.approx(20)
    row = result.breaks.iloc[0]
    assert row["first_window"] < row["window"]


def test_money_that_comes_in_reduces_the_loss_and_what_is_late_is_told(tmp_path):
    # Called at 90 it lacks 3, which would be there at tick 5; at 80 it lacks 8 - 5 = 3 as well.
    call = venue(call={"level": 2, "grace": 3})
    shocks = [jump(-0.1), jump(-11 / 90, at=2)]
    wallet = ("w", "t0", "wallet", {"USDT": 10}, [])
    late = {"top_up": {"sources": ["wallet"], "latency": 4}}
    result = play(
        tmp_path, [*longs((1, 25)), wallet], venues={"one": call}, shocks=shocks, source=late
    )
    row = result.breaks.iloc[0]
    assert row["in_transit"] > 3.0
    assert row["transfer_delay"] == pytest.approx(0.1 * 79 - 4)
    soon = {"top_up": {"sources": ["wallet"], "latency": 1}}
    shocks = [jump(-0.1), jump(-20 / 90, at=2)]
    result = play(
        tmp_path, [*longs((1, 25)), wallet], venues={"one": call}, shocks=shocks, source=soon
    )
    found = causes_of(result, "a0")
    assert found["transfer", "", ""] == pytest.approx(-3)
    assert sum(found.values()) == pytest.approx(30 - 3)


def test_an_account_sold_in_slices_breaks_once(tmp_path):
    rule = {"kind": "partial", "slice": 0.2, "latency": 1, "target_ratio": 2}
    one = venue(liquidation=rule)
    result = play(tmp_path, longs((4, 70)), venues={"one": one}, shocks=[jump(-0.1)], horizon=9)
    assert len(result.liquidations) > 1
    assert len(result.breaks) == 1


def test_who_heals_breaks_anew_and_loses_from_there(tmp_path):
    rule = {"kind": "to_target", "target_ratio": 1.0}
    shocks = [jump(-0.1), jump(-0.1, at=3)]
    one = {"one": venue(liquidation=rule)}
    result = play(tmp_path, longs((2, 35)), venues=one, shocks=shocks, horizon=9)
    breaks = result.breaks
    assert breaks["tick"].tolist() == [1, 3]
    left = 2 + result.liquidations["quantity"].iloc[0]
    assert breaks["loss"].tolist() == pytest.approx([20, 9 * left])


def test_socialised_losses_are_told_apart(tmp_path):
    # At 65 a0 owes 39, and b0 pays.
    one = venue(waterfall=[{"kind": "socialise"}])
    other = ("b0", "b0", "one", {"USDT": 42}, [("one/BTC-PERP", 1, 65)])
    accounts = [*longs((3, 66)), other]
    result = play(tmp_path, accounts, venues={"one": one}, shocks=[jump(-0.35)])
    assert causes_of(result, "b0") == {("socialised", "", ""): pytest.approx(39)}


def test_own_trades_are_told_apart(tmp_path):
    stop = {"behaviour": {"kind": "stop_loss", "trigger": 0.05}}
    positions = [("one/BTC-PERP", 1, 100), ("one/ETH-PERP", 1, 100)]
    accounts = [("a0", "t0", "one", {"USDT": 29.5}, positions)]
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100}, "ETH": {"price": 100}}
    markets = [perp(impact=linear(20)), perp(base="ETH")]
    shocks = [jump(-0.1)]
    result = play(tmp_path, accounts, assets=assets, markets=markets, source=stop, shocks=shocks)
    # It was last healthy at 90; a tick later it sold at 80 on average.
    assert causes_of(result, "a0") == {("own_trade", "one/BTC-PERP", ""): pytest.approx(10, **NEAR)}


def test_funding_is_told_apart(tmp_path):
    funding = {"interval": "2s", "interest": 0.05, "period": "2s", "clamp": 0.5}
    one = venue(funding=funding)
    result = play(tmp_path, longs((1, 12)), venues={"one": one}, horizon=6)
    found = causes_of(result, "a0")
    assert set(found) == {("funding", "", "")}
    assert sum(found.values()) > 0.0


def test_breaks_can_be_left_out_and_nothing_else_changes(tmp_path):
    markets = [perp(impact=linear(2))]
    both = [
        play(
            tmp_path, longs((2, 30), (1, 22.1)), markets=markets, shocks=[jump(-0.1)],
            record={"breaks": kept},
        )
        for kept in (True, False)
    ]  # fmt: skip
    for name in ("liquidations", "venues", "prices", "price_causes", "cohorts", "mechanisms"):
        one, other = (getattr(result, name) for result in both)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert all(getattr(both[1], name).empty for name in TABLES)
    without = both[1].cascade
    assert without.losses().empty
    assert without.seller_losses().empty
    with_rows = both[0].cascade
    assert list(without.losses().columns) == list(with_rows.losses().columns)
    assert list(without.seller_losses().columns) == list(with_rows.seller_losses().columns)


def test_tables_survive_the_disk(tmp_path):
    markets = [perp(impact=linear(2))]
    result = play(tmp_path, longs((2, 30), (1, 22.1)), markets=markets, shocks=[jump(-0.1)])
    folder = result.save(tmp_path / "results", figures=False)
    names = ("liquidations", "price_causes", "prices", "venues", *TABLES)
    read = Cascade(**{name: read_parquet(folder / f"{name}.parquet") for name in names})
    for one, other in (
        (read.losses(), result.cascade.losses()),
        (read.seller_losses(), result.cascade.seller_losses()),
    ):
        pd.testing.assert_frame_equal(one.astype(other.dtypes), other, check_exact=True)


def test_the_order_of_accounts_is_nothing(tmp_path):
    rng = np.random.default_rng(3)
    sizes = [(float(q), float(m)) for q, m in zip(rng.uniform(1, 3, 12), rng.uniform(15, 60, 12),
                                                  strict=True)]  # fmt: skip
    accounts, markets = longs(*sizes), [perp(impact=linear(0.5))]
    found = []
    for some in (accounts, [accounts[k] for k in rng.permutation(12)]):
        result = play(tmp_path, some, markets=markets, shocks=[jump(-0.1)])
        losses = result.cascade.losses().drop(columns="break_id")
        keys = ["account_id", "through", "cause", "source_generation"]
        found.append(losses.sort_values(keys, ignore_index=True))
    assert found[0]["cause"].nunique() == 2
    pd.testing.assert_frame_equal(*found, rtol=1e-9)
