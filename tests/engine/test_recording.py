"""What a run writes down, how often, and that the parts add up."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine.build import build_world
from sim.engine.recorder import CAUSES, COHORTS, PRICES, VENUES, Recorder
from tests.engine.small_worlds import build, jump, linear, longs, perp, play, venue

FUND = [{"kind": "insurance_fund", "size": 50}, {"kind": "clearer"}]


def world(folder, **fields):
    """Return a run with forced orders, fees and a shortfall at ticks 1, 3 and 4."""
    return play(
        folder,
        longs((1, 20), (1, 35), (2, 70)),
        venues={"one": venue(waterfall=FUND, liquidation={"kind": "full", "fee_bps": 10})},
        markets=[perp(impact=linear(0.5))],
        shocks=[jump(-0.15), jump(-0.12, at=3), jump(-0.2, at=4)],
        horizon=8,
        **fields,
    )


def flat(value, name=""):
    """Return the leaves of nested mappings by path."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in flat(part, f"{name}.{key}").items()}


LIQUIDATIONS = [
    "event_id", "tick", "time", "generation", "kind", "clearer", "venue", "symbol", "account_id",
    "trader_id", "cohort", "quantity", "mark_price", "close_out_price", "bankruptcy_price",
    "notional", "fee", "shortfall",
]  # fmt: skip


@pytest.mark.parametrize("empty", [False, True])
def test_columns_and_types_do_not_depend_on_what_happened(empty, tmp_path):
    result = play(tmp_path) if empty else world(tmp_path)
    assert list(result.prices) == list(PRICES)
    assert list(result.venues) == list(VENUES)
    assert list(result.price_causes) == list(CAUSES)
    assert list(result.cohorts) == list(COHORTS)
    assert list(result.liquidations) == LIQUIDATIONS
    text = {
        "venue", "symbol", "cause", "cohort", "kind", "clearer", "account_id", "trader_id",
    }  # fmt: skip
    whole = {"tick", "generation", "event_id", "accounts_alive"}
    for name in ("prices", "venues", "price_causes", "cohorts", "liquidations"):
        for column, kind in getattr(result, name).dtypes.items():
            wanted = (
                "object" if column in text
                else "int64" if column in whole
                else "bool" if column == "halted"
                else "float64"
            )  # fmt: skip
            assert str(kind) in (wanted, "str"), (name, column, kind)


@pytest.mark.parametrize(("every", "ticks"), [(2, [0, 2, 4, 6, 7]), (5, [0, 5, 7]), (8, [0, 7])])
def test_recording_less_often_loses_nothing(every, ticks, tmp_path):
    full, thin = world(tmp_path), world(tmp_path, record={"every": every})
    assert thin.prices["tick"].unique().tolist() == ticks
    assert thin.venues["tick"].tolist() == ticks
    # Flows and causes add up to the same, states are those of the tick.
    for column in ("liquidated_notional", "adl_notional", "shortfall", "socialised_loss"):
        assert thin.venues[column].sum() == pytest.approx(full.venues[column].sum())
    at_ticks = full.venues[full.venues["tick"].isin(ticks)]
    for column in ("equity", "open_interest_notional", "insurance_fund"):
        assert thin.venues[column].tolist() == at_ticks[column].tolist()
    moves = full.price_causes.groupby("cause")["price_move"].sum()
    assert thin.price_causes.groupby("cause")["price_move"].sum().to_dict() == pytest.approx(
        moves.to_dict()
    )
    assert thin.liquidations.equals(full.liquidations)
    for name, value in full.summary.items():
        if name not in ("run_id", "wall_seconds", "conservation_error"):
            assert flat(thin.summary[name]) == pytest.approx(flat(value)), name


def test_summary_venues_and_events_tell_one_story(tmp_path):
    result = world(tmp_path)
    summary, rows = result.summary, result.liquidations
    assert len(rows) == 3
    assert summary["shortfall"] > 0
    assert rows["notional"].sum() == pytest.approx(summary["liquidated_notional"])
    assert result.venues["liquidated_notional"].sum() == pytest.approx(
        summary["liquidated_notional"]
    )
    assert rows["shortfall"].sum() == pytest.approx(summary["shortfall"])
    assert rows["fee"].sum() == pytest.approx(summary["fees"])
    fund = 50 + summary["fees"] - summary["insurance_fund_used"]
    assert result.venues["insurance_fund"].iloc[-1] == pytest.approx(fund)
    assert summary["accounts_liquidated"] == rows["account_id"].nunique() == 3
    assert summary["venues"]["one"]["accounts_liquidated"] == 3
    assert result.cohorts["accounts_alive"].iloc[-1] == 0
    assert summary["ticks"] == 8
    assert (rows["time"] == rows["tick"] * 1.0).all()
    assert rows["event_id"].tolist() == [0, 1, 2]


def test_open_interest_counts_one_side_of_everybody(tmp_path):
    book = [*longs((3, 100)), ("s", "ts", "one", {"USDT": 100}, [("one/BTC-PERP", -1, 100)])]
    interest = play(tmp_path, book).venues["open_interest_notional"].tolist()
    assert interest == [300.0] * 5


def test_depth_is_the_notional_that_lowers_the_price_by_one_percent(tmp_path):
    # Slope 0.5: a fall of 1 takes 2 contracts at 100; a fall of 0.85 takes 1.7 at 85.
    shocks = [jump(-0.15), {"kind": "depth", "at": 2, "factor": 0.5}]
    result = play(tmp_path, markets=[perp(impact=linear(0.5))], shocks=shocks)
    assert result.prices["depth"].tolist()[:3] == pytest.approx([200, 1.7 * 85, 0.85 * 85])
    assert np.isinf(play(tmp_path).prices["depth"]).all()


def test_a_fractional_tick(tmp_path):
    result = play(tmp_path, longs((1, 20)), tick=0.25, horizon=1.0, shocks=[jump(-0.15, at=0.5)])
    assert result.summary["ticks"] == 4
    assert result.prices["time"].tolist() == [0.0, 0.25, 0.5, 0.75]
    assert result.liquidations[["tick", "time"]].to_numpy().tolist() == [[2, 0.5]]


def test_extremes_change_in_place(tmp_path):
    # Compiled stretches of a run write to the same arrays.
    world = build_world(build(tmp_path, horizon=10, record={"every": 4}), 1)
    recorder = Recorder(world)
    names = ("lowest", "highest", "drawdown", "farthest", "exogenous_then", "move_then")
    arrays = {name: getattr(recorder, name) for name in names}
    for price in (100.0, 120.0, 90.0, 96.0):
        world.board.last[:] = price
        recorder.extremes()
    found = {name: float(getattr(recorder, name)[0]) for name in names}
    assert all(getattr(recorder, name) is array for name, array in arrays.items())
    assert found == {
        "lowest": 90.0, "highest": 120.0, "drawdown": 0.25, "farthest": 20.0,
        "exogenous_then": 0.0, "move_then": 20.0,
    }  # fmt: skip
    assert [t for t in range(10) if recorder.is_row(t)] == [0, 4, 8, 9]
