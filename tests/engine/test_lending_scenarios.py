"""The bundled scenarios of lending show what their first lines say."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim

FOLDER = Path(__file__).parents[2] / "scenarios" / "venues"


def run(name, **overrides):
    return sim.run(sim.load(FOLDER / f"{name}.yaml", overrides))


def series(result, name):
    table = result.mechanisms
    return table[table["series"] == name].set_index("time")["value"]


def test_keepers_wait_while_the_book_is_thin_and_leave_bad_debt():
    result = run("lending-spread")
    waiting = series(result, "loans_waiting")
    assert waiting.loc[:700].max() == 0
    assert waiting.loc[780:1140].min() > 100
    assert result.summary["shortfall"] > 1e6
    deep = run("lending-spread", **{"shocks.1.factor": 1.0})
    assert deep.summary["shortfall"] < 0.01 * result.summary["shortfall"]


def test_auctions_without_bidders_end_near_zero():
    result = run("auction-failure")
    paid = result.liquidations
    paid = paid[paid["kind"] == "auction"]
    bids = 1 - paid["fee"] / (paid["quantity"].abs() * paid["close_out_price"])
    assert bids.min() < 0.1
    assert result.summary["shortfall"] > 1e6
    keepers = "venues.vaults.liquidation.keepers"
    free = run("auction-failure", **{f"{keepers}.active": 1.0})
    assert free.summary["shortfall"] == 0
    fund = free.venues["insurance_fund"]
    assert fund.iloc[-1] > fund.iloc[0]


def test_bands_convert_and_buy_back_before_the_jump_closes_loans_by_force():
    result = run("llamma-bands")
    held = series(result, "bands_collateral")
    assert held.loc[9600] < 0.4 * held.iloc[0]
    assert held.loc[18_300] == pytest.approx(held.iloc[0], rel=0.01)
    forced = result.liquidations
    assert (forced["time"] >= 21_600).all()
    assert len(forced) > 100
